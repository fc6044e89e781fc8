//! The six figures, each with its interval, its sample, and its change against the period before.

use maud::{Markup, html};

use super::lists as board_lists;
use super::view::BoardView;
use super::words::{
    Direction, FEWEST_FOR_RATE, FEWEST_KNOWN, median_interval, per_deployment, share, share_interval,
    still_open, to_u64, unmatched,
};
use crate::domain::figures::list::{Bounds, FIGURES};
use crate::domain::figures::{FigureChange, RecoveryTimes, RestoredShare, Row, RowChange};
use crate::http::dashboard::charts::interval_bar::{IntervalBar, interval_bar};
use crate::http::dashboard::parts::format::{NO_DATA, ago, count, duration, percent};

/// A figure as a tile shows it.
struct Tile {
    title: &'static str,
    /// The figure, large.
    large: String,
    /// The list behind the figure.
    list: List,
    /// `true` if the figure is known too little.
    is_grey: bool,
    bar: Option<Markup>,
    /// Lines below.
    lines: Vec<String>,
    change: Option<Change>,
    /// One sentence on what the figure is.
    meaning: &'static str,
    /// Name of the figure in reports.
    name: &'static str,
}

/// A list of what a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Failures,
    Deployments,
    FailedDeployments,
}

impl List {
    /// Address of the list, in the period of the figures.
    fn address(self, view: &BoardView<'_>) -> String {
        let period = board_lists::whole_period(view);
        match self {
            Self::Failures => board_lists::failures(view, &period),
            Self::Deployments => board_lists::deployments(view, &period, false),
            Self::FailedDeployments => board_lists::deployments(view, &period, true),
        }
    }
}

/// A change in words.
struct Change {
    direction: Direction,
    is_good: bool,
    before: String,
}

/// The section "Figures".
pub(in crate::http::dashboard) fn tiles(view: &BoardView<'_>) -> Markup {
    let board = &view.figures.answer;
    let row = &board.total;
    html! {
        section aria-labelledby="figures" {
            div.heading {
                h2 #figures { "Figures" }
                p.quiet {
                    (view.site.zone().minute(board.query.since)) " to " (view.site.zone().minute(board.query.until))
                    ", env " strong { (board.query.env_name()) }
                    @if view.figures.at != view.now { ", computed " (ago(view.now, view.figures.at)) " ago" }
                }
            }
            @if view.query.board.severity.is_some() {
                p.card.hint {
                    "Deployments have no severity. So there is no rate of deployments for the failures of one severity."
                }
            }
            div.tiles.six {
                @for tile in [
                    deployments(row), fail_rate(row), failure_rate(row), restored(row), recovery(row), rework(row),
                ] { (show(view, &tile)) }
            }
        }
    }
}

fn show(view: &BoardView<'_>, tile: &Tile) -> Markup {
    html! {
        div.card.tile {
            h3 { (tile.title) }
            p.figure.grey[tile.is_grey] {
                @if tile.large == NO_DATA {
                    (NO_DATA)
                } @else {
                    a href=(tile.list.address(view)) aria-label={ (tile.title) ": " (tile.large) } { (tile.large) }
                }
            }
            @if let Some(bar) = &tile.bar { (bar) }
            @for line in &tile.lines { p.quiet { (line) } }
            @if let Some(Change { direction, is_good, before }) = &tile.change {
                @match direction {
                    Direction::Up | Direction::Down => {
                        p.change.good[*is_good].bad[!is_good] {
                            span aria-hidden="true" { (if *direction == Direction::Up { "▲ " } else { "▼ " }) }
                            (direction.words(before))
                        }
                    }
                    Direction::NotShown => { p.quiet { (direction.words(before)) } }
                }
            }
            details {
                summary { "What is this?" span.hidden { " " (tile.title) } }
                p { (tile.meaning) }
                @if let Some(figure) = FIGURES.iter().find(|figure| figure.name == tile.name) {
                    p.quiet { "In reports: " code { (figure.name) } ", " (figure.formula) "." }
                }
            }
        }
    }
}

/// The bar of a value within its interval, with the end of its scale.
fn bar(value: Option<f64>, bounds: Option<Bounds>, max: f64) -> Option<Markup> {
    let (value, bounds) = value.zip(bounds)?;
    Some(interval_bar(&IntervalBar { value, bounds: Some(bounds), max, label: None }))
}

/// A change of a figure that is better if it is lower (or higher).
fn change(
    row: &Row,
    figure: fn(&RowChange) -> Option<FigureChange>,
    lower_is_better: bool,
    before: fn(f64) -> String,
) -> Option<Change> {
    let change = figure(row.change.as_ref()?)?;
    let direction = Direction::of(&change);
    let is_good = (direction == Direction::Down) == lower_is_better;
    Some(Change { direction, is_good, before: before(change.before) })
}

fn deployments(row: &Row) -> Tile {
    let n = row.deployments.map(|n| count(to_u64(n), "deployment"));
    let incidents = count(to_u64(row.incidents), "incident");
    Tile {
        title: "Deployments per day",
        large: row.deployments_per_day.map_or_else(|| NO_DATA.to_owned(), |rate| format!("{rate:.2}")),
        list: List::Deployments,
        is_grey: false,
        bar: None,
        lines: vec![n.map_or_else(|| incidents.clone(), |n| format!("{n}, {incidents}"))],
        change: None,
        meaning: "Deployments that ended in the period, per 24 hours.",
        name: "deployments_per_day",
    }
}

fn fail_rate(row: &Row) -> Tile {
    let bounds = row.change_fail_rate_low.zip(row.change_fail_rate_high);
    let counts = row.failed_deployments.zip(row.deployments);
    let pending = row.pending_not_failed().filter(|pending| *pending > 0);
    let pending =
        pending.map(|pending| format!("{} may still fail", count(to_u64(pending), "more deployment")));
    let of_deployments = OfDeployments {
        counts,
        happened: "failed",
        rate: row.change_fail_rate,
        bounds,
        list: List::FailedDeployments,
        name: "change_fail_rate",
    };
    let change = change(row, |change| change.change_fail_rate, true, percent);
    let meaning =
        "Share of the deployments that caused an incident, whenever it began (dora.dev's change fail rate).";
    let tile = of_deployments.tile("Change fail rate", meaning, change);
    Tile { lines: tile.lines.into_iter().chain(pending).collect(), ..tile }
}

/// A share of the deployments.
struct OfDeployments {
    counts: Option<(usize, usize)>,
    happened: &'static str,
    rate: Option<f64>,
    bounds: Option<Bounds>,
    list: List,
    name: &'static str,
}

impl OfDeployments {
    fn tile(self, title: &'static str, meaning: &'static str, change: Option<Change>) -> Tile {
        let Self { counts, happened, rate, bounds, list, name } = self;
        let words = counts.map(|counts| share(counts, happened, rate, bounds));
        let is_enough = counts.is_some_and(|(_, all)| all >= FEWEST_FOR_RATE);
        Tile {
            title,
            large: words.as_ref().map_or(NO_DATA, |words| &words.large).to_owned(),
            list,
            is_grey: false,
            bar: bar(rate, bounds, 1.0).filter(|_| is_enough),
            lines: words.and_then(|words| words.line).into_iter().collect(),
            change: change.filter(|_| is_enough),
            meaning,
            name,
        }
    }
}

/// End of the scale of a rate that may be above 1. The interval always ends before it: a bar up to the end would look cut.
fn scale_end(bounds: Option<Bounds>) -> f64 {
    const HEADROOM: f64 = 1.15;
    bounds.map_or(1.0, |(_, high)| (high * HEADROOM).max(1.0))
}

fn failure_rate(row: &Row) -> Tile {
    let bounds = row.change_failure_rate_low.zip(row.change_failure_rate_high);
    let is_enough = row.deployments.is_some_and(|all| all >= FEWEST_FOR_RATE);
    let counts = row.change_failure_rate.and(row.deployments).map(|all| {
        let incidents = count(to_u64(row.matched_incidents), "incident");
        format!("{incidents}, {}", count(to_u64(all), "deployment"))
    });
    let rate = row.change_failure_rate.filter(|_| is_enough);
    let large = rate.map(|rate| format!("{rate:.2} per deployment"));
    let words = rate.and(bounds).map(per_deployment);
    let (large, counts) = if large.is_some() { (large, counts) } else { (counts, None) };
    let line = match (words, counts) {
        (Some(words), Some(counts)) => Some(format!("{words} ({counts})")),
        (words, counts) => words.or(counts),
    };
    Tile {
        title: "Change failure rate",
        large: large.unwrap_or_else(|| NO_DATA.to_owned()),
        list: List::Failures,
        is_grey: false,
        bar: bar(row.change_failure_rate, bounds, scale_end(bounds)).filter(|_| is_enough),
        lines: line.into_iter().chain(unmatched(row.unmatched_incidents)).collect(),
        change: change(row, |change| change.change_failure_rate, true, |rate| format!("{rate:.2}"))
            .filter(|_| is_enough),
        meaning: "Incidents of deployed services and teams, divided by the deployments. One deployment can cause \
                  several incidents, so it may be above 1.",
        name: "change_failure_rate",
    }
}

fn restored(row: &Row) -> Tile {
    let within = row.restored.within.hour;
    let sample = format!("n = {}{}", row.restored.n, still_open(row.restored.open));
    let (large, sample) = match within {
        Some(RestoredShare { value, low, high, .. }) => {
            let large = format!("{} within an hour", percent(value));
            (large, format!("{}, {sample}", share_interval((low, high))))
        }
        None => (NO_DATA.to_owned(), sample),
    };
    let times = &row.time_to_restore_seconds;
    let median = times.median.map(|median| {
        let interval = median_interval(times.n, times.median_low.zip(times.median_high));
        format!("median {}, {interval}", duration(Some(median)))
    });
    Tile {
        title: "Restored within an hour",
        large,
        list: List::Failures,
        is_grey: within.is_some_and(|within| within.known < FEWEST_KNOWN),
        bar: bar(within.map(|within| within.value), within.map(|within| (within.low, within.high)), 1.0),
        lines: [sample].into_iter().chain(median).collect(),
        change: change(row, |change| change.restored, false, percent),
        meaning: "Share of the failures that began in the period and were restored within an hour. Open ones count for as \
                  long as they were followed. The median is that of the failures that ended in the period.",
        name: "restored_within_1h_value",
    }
}

fn recovery(row: &Row) -> Tile {
    let RecoveryTimes { n, open, median, median_low, median_high, .. } =
        row.failed_deployment_recovery_time_seconds;
    let bounds = median_low.zip(median_high);
    Tile {
        title: "Recovery of failed deployments",
        large: duration(median),
        list: List::FailedDeployments,
        is_grey: false,
        bar: None,
        lines: vec![format!("median, {}{}", median_interval(n, bounds), still_open(open))],
        change: None,
        meaning: "Median time from the end of a failed deployment to the end of the failures that it caused.",
        name: "failed_deployment_recovery_time_seconds_median",
    }
}

fn rework(row: &Row) -> Tile {
    let bounds = row.deployment_rework_rate_low.zip(row.deployment_rework_rate_high);
    let counts = row.remediations().zip(row.deployments);
    let of_deployments = OfDeployments {
        counts,
        happened: "were fixes",
        rate: row.deployment_rework_rate,
        bounds,
        list: List::Deployments,
        name: "deployment_rework_rate",
    };
    let change = change(row, |change| change.deployment_rework_rate, true, percent);
    let meaning =
        "Share of the deployments that were made to fix an incident (dora.dev's deployment rework rate).";
    of_deployments.tile("Rework", meaning, change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figures::{RowHead, RowSums};
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn each_tile_has_the_name_and_the_formula_of_its_figure() {
        let row = RowSums::default().row(&RowHead::whole(Timestamp::from_nanos(0), Timestamp::from_nanos(1)));
        for tile in [deployments, fail_rate, failure_rate, restored, recovery, rework].map(|tile| tile(&row))
        {
            assert!(FIGURES.iter().any(|figure| figure.name == tile.name), "{}: {}", tile.title, tile.name);
        }
    }

    #[test]
    fn the_bar_of_a_rate_above_one_is_not_cut() {
        let range = |bounds: Bounds| {
            let bar = bar(Some(bounds.0), Some(bounds), scale_end(Some(bounds))).unwrap().into_string();
            let range = bar.split("interval-bar-range\" x=\"").nth(1).unwrap();
            let numbers = range.split('"').step_by(2).map(str::parse::<f64>);
            numbers.map_while(Result::ok).collect::<Vec<_>>()
        };
        for bounds in [(0.1, 0.57), (0.4, 1.0), (0.6, 2.5), (30.0, 70.0)] {
            let [start, _, width, _] = range(bounds)[..] else { panic!("{bounds:?}") };
            assert!(start + width < 99.0, "{bounds:?}: {start} and {width}");
        }
    }
}
