//! The deployments of each period: failed, fine and pending.

use maud::{Markup, html};

use super::axis::{Unit, below, linear_ticks, range, right_labels, rows};
use super::frame::{Chart, Head, Sign, empty, figure, hatch};
use super::period::{ChartPeriod, span};
use super::scale::{BOTTOM, Columns, Scale, TOP, place, real};
use super::unfinished::{hatching, sign};
use crate::http::dashboard::parts::format::count;

/// Greatest width of a bar.
const WIDEST: f64 = 26.0;
/// Least height of a part that is not empty, so that one failed deployment of a thousand is seen.
const LEAST: f64 = 1.5;

/// Deployments over time.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct DeploymentBars<'a> {
    /// Name of the chart.
    pub(in crate::http::dashboard) head: Head<'a>,
    /// All periods, in order.
    pub(in crate::http::dashboard) periods: &'a [DeploymentPeriod],
}

/// A period and its deployments. Each deployment is in one of the counts; `pending` is that of the period.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct DeploymentPeriod {
    /// The period.
    pub(in crate::http::dashboard) period: ChartPeriod,
    /// Deployments that failed.
    pub(in crate::http::dashboard) failed: u64,
    /// Deployments that have not failed, and are old enough.
    pub(in crate::http::dashboard) fine: u64,
}

impl DeploymentPeriod {
    const fn total(&self) -> u64 {
        self.failed.saturating_add(self.fine).saturating_add(self.period.pending)
    }

    fn text(&self) -> String {
        let Self { failed, fine, .. } = self;
        format!("{}, {failed} failed, {fine} fine", count(self.total(), "deployment"))
    }
}

/// The chart.
pub(in crate::http::dashboard) fn stacked_bars(chart: &DeploymentBars) -> Markup {
    let DeploymentBars { head, periods } = *chart;
    let highest = periods.iter().map(DeploymentPeriod::total).max().unwrap_or_default();
    if highest == 0 {
        return empty(head, "No deployments.");
    }
    let ticks = linear_ticks(real(highest), Unit::Count);
    let scale = Scale::linear(range(&ticks), (BOTTOM, TOP));
    let columns = Columns::new(periods.len());
    let labels: Vec<_> =
        periods.iter().enumerate().map(|(n, shown)| (columns.centre(n), shown.period.short())).collect();
    let mut legend = vec![(Sign::Failed, "failed"), (Sign::Fine, "fine")];
    if periods.iter().any(|shown| shown.period.pending > 0) {
        legend.push((Sign::Pending, "pending: may still fail"));
    }
    let partial = periods.iter().map(|shown| ChartPeriod { pending: 0, ..shown.period.clone() });
    legend.extend(sign(partial.collect::<Vec<_>>().iter()));
    figure(&Chart {
        head,
        sentence: &sentence(chart),
        shapes: html! {
            (hatching(periods.iter().map(|shown| shown.period.is_partial), columns, head.id))
            (rows(&ticks, &scale))
            (below(&labels))
        },
        marks: html! {
            @for (n, shown) in periods.iter().enumerate() { (bar(head.id, shown, n, columns, scale)) }
            (right_labels(&ticks, &scale))
        },
        legend: &legend,
        note: "",
        table: table(chart),
    })
}

/// The bar of a period, and the column over it that can be clicked.
fn bar(id: &str, shown: &DeploymentPeriod, n: usize, columns: Columns, scale: Scale) -> Markup {
    let width = (columns.width() * 0.72).min(WIDEST);
    let x = columns.centre(n) - width / 2.0;
    let parts = [
        ("chart-failed", None, shown.failed),
        ("chart-fine", None, shown.fine),
        ("chart-pending", Some(hatch(id)), shown.period.pending),
    ];
    let mut bottom = BOTTOM;
    let parts =
        parts.into_iter().filter(|(.., deployments)| *deployments > 0).map(|(class, fill, deployments)| {
            let height = (BOTTOM - scale.at(real(deployments))).max(LEAST);
            // A part that is drawn higher than it is must not push the others out of the picture.
            let top = (bottom - height).max(TOP);
            let part = (class, fill, top, bottom - top);
            bottom = top;
            part
        });
    html! {
        a href=(shown.period.href) tabindex="-1" {
            title { (shown.period.about(&shown.text())) }
            rect.chart-hit x=(place(columns.left(n))) y=(place(TOP)) width=(place(columns.width()))
                height=(place(BOTTOM - TOP)) {}
            @for (class, fill, top, height) in parts {
                rect class=(class) x=(place(x)) y=(place(top)) width=(place(width)) height=(place(height)) fill=[fill] {}
            }
        }
    }
}

fn sentence(chart: &DeploymentBars) -> String {
    let sum =
        |number: fn(&DeploymentPeriod) -> u64| chart.periods.iter().map(number).fold(0, u64::saturating_add);
    let pending = sum(|shown| shown.period.pending);
    let pending = if pending > 0 { format!(", {pending} may still fail") } else { String::new() };
    let span = span(chart.periods.iter().map(|shown| &shown.period));
    let (total, failed) = (count(sum(DeploymentPeriod::total), "deployment"), sum(|shown| shown.failed));
    format!("By {}, {span}: {total}, {failed} failed{pending}.", chart.head.every)
}

fn table(chart: &DeploymentBars) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Period" }
                @for name in ["Deployments", "Failed", "Fine", "Pending"] { th.number scope="col" { (name) } }
                th scope="col" { "Note" }
            } }
            tbody { @for shown in chart.periods {
                tr {
                    td.time { a href=(shown.period.href) { (shown.period.name) } }
                    @for number in [shown.total(), shown.failed, shown.fine, shown.period.pending] {
                        td.number { (number) }
                    }
                    td { (shown.period.note()) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{deployments, head, holds, lines};
    use super::*;

    fn drawn(periods: &[DeploymentPeriod]) -> Markup {
        stacked_bars(&DeploymentBars { head: head("deployments", "Deployments"), periods })
    }

    #[test]
    fn a_chart_with_an_empty_week_and_pending_deployments() {
        insta::assert_snapshot!(lines(&drawn(&deployments(&[(1, 12, 0), (0, 0, 0), (3, 4, 2)]))));
    }

    #[test]
    fn any_number_of_periods_can_be_drawn() {
        for count in [0, 1, 13, 400] {
            for counts in [(0, 0, 0), (0, 7, 0), (5, 0, 0), (1, 1_000_000, 0), (u64::MAX, u64::MAX, 1)] {
                holds(&drawn(&deployments(&vec![counts; count])));
            }
        }
    }

    #[test]
    fn one_failed_deployment_of_a_thousand_is_seen() {
        let drawn = drawn(&deployments(&[(1, 999, 0)])).0;
        assert!(
            drawn.contains("class=\"chart-failed\" x=\"283\" y=\"192.5\" width=\"26\" height=\"1.5\""),
            "{drawn}"
        );
    }
}
