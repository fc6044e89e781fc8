//! Frame of every chart: heading, sentence, picture, legend and table.

use maud::{Markup, html};

use super::scale::{BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, place};
use crate::http::dashboard::parts::page::wide;

/// Name of a chart.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct Head<'a> {
    /// Id of the chart, unique on the page.
    pub(in crate::http::dashboard) id: &'a str,
    /// Title of the chart.
    pub(in crate::http::dashboard) title: &'a str,
    /// Length of a period: `week`. Empty for a chart without periods.
    pub(in crate::http::dashboard) every: &'a str,
}

/// Sign in a legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Line,
    Band,
    Hatched,
    Failed,
    Fine,
    Pending,
    Dot,
    OpenDot,
    ManyDots,
    Median,
    Above,
    Below,
    Limit,
    FarLimit,
}

/// Parts of a chart.
pub(super) struct Chart<'a> {
    pub(super) head: Head<'a>,
    /// One sentence on what is to be seen.
    pub(super) sentence: &'a str,
    /// Axes and shapes without links.
    pub(super) shapes: Markup,
    /// Marks with links. Screen readers find the links in the table.
    pub(super) marks: Markup,
    pub(super) legend: &'a [(Sign, &'a str)],
    /// Facts about the picture that are not to be seen in it.
    pub(super) note: &'a str,
    pub(super) table: Markup,
}

/// The chart as a figure.
pub(super) fn figure(chart: &Chart) -> Markup {
    let Head { id, title, .. } = chart.head;
    html! {
        figure.chart {
            (caption(chart.head, chart.sentence))
            div.chart-scroll.chart-over-time[!chart.head.every.is_empty()] tabindex="0" role="region" aria-label={ (title) ", chart" } {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="group" aria-labelledby={ (id) "-title" } {
                    (definitions(id))
                    g role="img" aria-labelledby={ (id) "-title " (id) "-about" } { (chart.shapes) }
                    g aria-hidden="true" { (chart.marks) }
                }
            }
            ul.chart-legend {
                @for (sign, text) in chart.legend { li { (swatch(id, *sign)) (text) } }
            }
            @if !chart.note.is_empty() { p.chart-note { (chart.note) } }
            details {
                summary { "Table" span.hidden { " of the chart " (title) } }
                (wide(&format!("{title}, table"), &chart.table))
            }
        }
    }
}

/// A chart that has nothing to show, with the reason.
pub(super) fn empty(head: Head, reason: &str) -> Markup {
    html! {
        figure.chart {
            (caption(head, reason))
        }
    }
}

fn caption(Head { id, title, .. }: Head, sentence: &str) -> Markup {
    html! {
        figcaption {
            h3 id={ (id) "-title" } { (title) }
            p id={ (id) "-about" } { (sentence) }
        }
    }
}

/// The hatching, and the area that curves are cut to.
fn definitions(id: &str) -> Markup {
    html! {
        defs {
            pattern id={ (id) "-hatch" } width="6" height="6" patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)" {
                line.chart-hatch x1="0" x2="0" y1="0" y2="6" {}
            }
            clipPath id={ (id) "-area" } {
                // A line on the edge is as thick as the others.
                rect x=(place(LEFT)) y=(place(TOP)) width=(place(RIGHT - LEFT)) height=(place(BOTTOM - TOP + 2.0)) {}
            }
        }
    }
}

/// Value of `fill` for hatched shapes.
pub(super) fn hatch(id: &str) -> String {
    format!("url(#{id}-hatch)")
}

/// Value of `clip-path` for shapes that may reach out of the area.
pub(super) fn area(id: &str) -> String {
    format!("url(#{id}-area)")
}

fn swatch(id: &str, sign: Sign) -> Markup {
    let shape = match sign {
        Sign::Line => html! { path.chart-line d="M1 6H17" {} circle.chart-point cx="9" cy="6" r="3" {} },
        Sign::Band => html! { rect.chart-band x="1" y="1" width="16" height="10" {} },
        Sign::Hatched => html! { rect x="1" y="1" width="16" height="10" fill=(hatch(id)) {} },
        Sign::Failed => html! { rect.chart-failed x="4" y="1" width="10" height="10" {} },
        Sign::Fine => html! { rect.chart-fine x="4" y="1" width="10" height="10" {} },
        Sign::Pending => html! {
            rect.chart-pending x="4.5" y="1.5" width="9" height="9" fill=(hatch(id)) {}
        },
        Sign::Dot => html! { circle.chart-dot cx="9" cy="6" r="3.5" {} },
        Sign::OpenDot => html! { circle.chart-open cx="9" cy="6" r="3.5" {} },
        Sign::ManyDots => html! { circle.chart-dot cx="9" cy="6" r="5.5" {} },
        Sign::Median => html! { path.chart-median d="M1 6H17" {} },
        Sign::Above => html! { circle.chart-above cx="9" cy="6" r="3.5" {} },
        Sign::Below => html! { circle.chart-below cx="9" cy="6" r="3.5" {} },
        Sign::Limit => html! { path.chart-limit d="M1 6H17" {} },
        Sign::FarLimit => html! { path.chart-far-limit d="M1 6H17" {} },
    };
    html! { svg.chart-sign viewBox="0 0 18 12" aria-hidden="true" { (shape) } }
}
