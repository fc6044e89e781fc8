//! Charts of the figures by interval.

use maud::{Markup, html};

use super::lists::{self as board_lists, Span};
use super::view::BoardView;
use super::words::to_u64;
use crate::domain::failure::seconds;
use crate::domain::figures::{CalendarInterval, Interval, Row};
use crate::domain::timestamp::Timestamp;
use crate::domain::zoned_time::ZonedTime;
use crate::http::dashboard::charts::frame::Head;
use crate::http::dashboard::charts::period::ChartPeriod;
use crate::http::dashboard::charts::rate_chart::rate_chart;
use crate::http::dashboard::charts::rate_data::{Rate, RateChart, RatePeriod, RateUnit};
use crate::http::dashboard::charts::restore_chart::restore_chart;
use crate::http::dashboard::charts::restore_data::{FailureDot, RestoreChart, RestorePeriod};
use crate::http::dashboard::charts::stacked_bars::{DeploymentBars, DeploymentPeriod, stacked_bars};
use crate::http::dashboard::parts::format::{count, name};
use crate::store::TimedFailure;

/// An interval of the charts, and its figures if anything happened.
type Shown = (CalendarInterval, Option<Row>);

/// The section with the charts.
pub(in crate::http::dashboard) fn charts(view: &BoardView<'_>) -> Markup {
    let board = &view.figures.answer;
    let every = board.interval.as_str();
    let head = |id, title| Head { id, title, every };
    let has_deployments = view.query.board.severity.is_none();
    html! {
        section aria-labelledby="charts" {
            div.heading {
                h2 #charts { "By " (every) }
                @if let Some((first, _)) = board.over_time.first() && first.start.at() < board.query.since {
                    p.quiet { "The first " (every) " is shown whole, so it begins before the period." }
                }
            }
            div.charts {
                @if has_deployments {
                    div.card.tile { (fail_rate(view, head("chart-fail-rate", "Change fail rate"))) }
                    div.card.tile { (failure_rate(view, head("chart-failure-rate", "Change failure rate"))) }
                    div.card.tile { (deployments(view, head("chart-deployments", "Deployments"))) }
                }
                div.card.tile {
                    (restore(view, head("chart-restore", "Time to restore")))
                    p.chart-note {
                        "A failure is drawn at its end, an open one at its start."
                        @if board.failures.is_cut {
                            " Only the latest " (board.failures.failures.len()) " are drawn; the medians are those of all."
                        }
                    }
                }
            }
        }
    }
}

/// The parts of a period that all charts share. `href` is the list behind it.
fn period(view: &BoardView<'_>, (name, row): &Shown, href: String) -> ChartPeriod {
    let zone = view.site.zone();
    let start = name.start.at();
    let (label, full) = match view.figures.answer.interval {
        Interval::Day | Interval::Week => (zone.short_day(start), zone.date(start)),
        Interval::Month => (zone.short_month(start), name.label.clone()),
    };
    let pending = row.as_ref().and_then(Row::pending_not_failed).unwrap_or_default();
    ChartPeriod { label, name: full, href, is_partial: name.is_partial, pending: to_u64(pending) }
}

/// Address of the failures that began in an interval.
fn failures_of(view: &BoardView<'_>, (name, _): &Shown) -> String {
    board_lists::failures(view, &dates(view, name))
}

/// Address of the deployments of an interval.
fn deployments_of(view: &BoardView<'_>, (name, _): &Shown, failed: bool) -> String {
    board_lists::deployments(view, &dates(view, name), failed)
}

/// Start and end of an interval, as queries take them. The last one has no end.
fn dates(view: &BoardView<'_>, name: &CalendarInterval) -> Span {
    let times = [Some(name.start), next_start(view, name)];
    times.map(|time| time.map(|time| view.site.zone().date(time.at())))
}

/// Start of the next interval. `None` for the last one.
fn next_start(view: &BoardView<'_>, name: &CalendarInterval) -> Option<ZonedTime> {
    let mut starts = view.figures.answer.over_time.iter().map(|(name, _)| name.start);
    starts.find(|start| *start > name.start)
}

fn fail_rate(view: &BoardView<'_>, head: Head) -> Markup {
    let of = |shown: &Shown| {
        let row = shown.1.as_ref();
        let rate = row.and_then(|row| {
            Rate::new(row.change_fail_rate?, row.change_fail_rate_low?, row.change_fail_rate_high?)
        });
        let [failed, all] = [row.and_then(|row| row.failed_deployments), row.and_then(|row| row.deployments)]
            .map(Option::unwrap_or_default);
        let sample = format!("{failed} of {}", count(to_u64(all), "deployment"));
        let href = deployments_of(view, shown, true);
        RatePeriod { period: period(view, shown, href), rate, deployments: to_u64(all), sample }
    };
    let periods: Vec<RatePeriod> = view.figures.answer.over_time.iter().map(of).collect();
    rate_chart(&RateChart { head, unit: RateUnit::Share, periods: &periods })
}

fn failure_rate(view: &BoardView<'_>, head: Head) -> Markup {
    let of = |shown: &Shown| {
        let row = shown.1.as_ref();
        let rate = row.and_then(|row| {
            Rate::new(row.change_failure_rate?, row.change_failure_rate_low?, row.change_failure_rate_high?)
        });
        let deployments = to_u64(row.and_then(|row| row.deployments).unwrap_or_default());
        let sample = row.map_or_else(
            || "nothing happened".to_owned(),
            |row| {
                let incidents = count(to_u64(row.matched_incidents), "matched incident");
                format!("{incidents}, {}", count(deployments, "deployment"))
            },
        );
        let href = failures_of(view, shown);
        RatePeriod { period: period(view, shown, href), rate, deployments, sample }
    };
    let periods: Vec<RatePeriod> = view.figures.answer.over_time.iter().map(of).collect();
    rate_chart(&RateChart { head, unit: RateUnit::PerDeployment, periods: &periods })
}

fn deployments(view: &BoardView<'_>, head: Head) -> Markup {
    let of = |shown: &Shown| {
        let row = shown.1.as_ref();
        let [all, failed] = [row.and_then(|row| row.deployments), row.and_then(|row| row.failed_deployments)]
            .map(|number| to_u64(number.unwrap_or_default()));
        let period = period(view, shown, deployments_of(view, shown, false));
        let fine = all.saturating_sub(failed).saturating_sub(period.pending);
        DeploymentPeriod { period, failed, fine }
    };
    let periods: Vec<DeploymentPeriod> = view.figures.answer.over_time.iter().map(of).collect();
    stacked_bars(&DeploymentBars { head, periods: &periods })
}

fn restore(view: &BoardView<'_>, head: Head) -> Markup {
    let board = &view.figures.answer;
    let start = board.over_time.first().map_or(board.query.since, |(name, _)| name.start.at());
    let since_start = |at: Timestamp| seconds(at.nanos_since(start).max(0));
    let of = |shown: &Shown| {
        let row = shown.1.as_ref();
        RestorePeriod {
            // A pending deployment does not change a time to restore.
            period: ChartPeriod { pending: 0, ..period(view, shown, failures_of(view, shown)) },
            starts_at_seconds: since_start(shown.0.start.at()),
            median_seconds: row.and_then(|row| row.time_to_restore_seconds.median),
            restored: to_u64(row.map_or(0, |row| row.time_to_restore_seconds.n)),
            open: to_u64(row.map_or(0, |row| row.open)),
        }
    };
    let periods: Vec<RestorePeriod> = board.over_time.iter().map(of).collect();
    let dot = |failure: &TimedFailure| FailureDot {
        name: name(failure.title.as_deref(), &failure.id),
        href: view.site.failure(&failure.id),
        at_seconds: since_start(failure.finished_at.unwrap_or(failure.started_at)),
        seconds: seconds(
            failure.restored_ns.unwrap_or_else(|| view.now.nanos_since(failure.started_at).max(0)),
        ),
        is_open: failure.finished_at.is_none(),
    };
    let failures: Vec<FailureDot> = board.failures.failures.iter().map(dot).collect();
    let span_seconds = since_start(board.query.until);
    restore_chart(&RestoreChart { head, span_seconds, periods: &periods, failures: &failures })
}
