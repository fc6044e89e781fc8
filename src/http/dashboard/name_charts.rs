//! Charts of a service or a team: the last 13 weeks.

use maud::{Markup, html};

use super::charts::frame::Head;
use super::charts::period::ChartPeriod;
use super::charts::rate_chart::{Rate, RateChart, RatePeriod, RateUnit, rate_chart};
use super::charts::restore_chart::restore_chart;
use super::charts::restore_data::{FailureDot, RestoreChart, RestorePeriod};
use super::charts::stacked_bars::{DeploymentBars, DeploymentPeriod, stacked_bars};
use super::format::name;
use super::name_figures::share_of;
use super::site::{Site, query};
use crate::domain::failure::{Failure, FailureState};
use crate::domain::figures::Row;
use crate::domain::timestamp::Timestamp;
use crate::http::named_figures::Week;

/// Content of the charts.
pub(super) struct NameCharts<'a> {
    /// The weeks, in order.
    pub(super) weeks: &'a [Week],
    /// The filters that the links have: the name, and the env.
    pub(super) filters: [(&'static str, Option<&'a str>); 2],
    /// The failures of the weeks. `None` if they are too many for a dot each.
    pub(super) failures: Option<Vec<&'a Failure>>,
    /// Present time.
    pub(super) now: Timestamp,
}

/// The charts.
pub(super) fn name_charts(site: &Site, charts: &NameCharts<'_>) -> Markup {
    html! {
        div.charts {
            div.card.tile { (fail_rate(site, charts)) }
            div.card.tile { (deployments(site, charts)) }
            @if let Some(failures) = &charts.failures {
                div.card.tile { (restore(site, charts, failures)) }
            }
        }
    }
}

const fn head(id: &'static str, title: &'static str) -> Head<'static> {
    Head { id, title, every: "week" }
}

fn fail_rate(site: &Site, charts: &NameCharts<'_>) -> Markup {
    let period = |week: &Week| {
        let row = week.row.as_ref();
        let rate = row.and_then(|row| {
            Rate::new(row.change_fail_rate?, row.change_fail_rate_low?, row.change_fail_rate_high?)
        });
        let counts =
            row.map_or((0, 0), |row| (row.failed_deployments.unwrap_or(0), row.deployments.unwrap_or(0)));
        RatePeriod {
            period: deployments_of(site, charts, week),
            rate,
            sample: format!("{} of {} deployments", counts.0, counts.1),
        }
    };
    let periods: Vec<RatePeriod> = charts.weeks.iter().map(period).collect();
    rate_chart(&RateChart {
        head: head("fail-rate", "Change fail rate"),
        unit: RateUnit::Share,
        periods: &periods,
    })
}

fn deployments(site: &Site, charts: &NameCharts<'_>) -> Markup {
    let period = |week: &Week| {
        let (failed, made) = week.row.as_ref().map_or((0, 0), |row| {
            (number(row.failed_deployments.unwrap_or(0)), number(row.deployments.unwrap_or(0)))
        });
        let period = deployments_of(site, charts, week);
        let fine = made.saturating_sub(failed).saturating_sub(period.pending);
        DeploymentPeriod { period, failed, fine }
    };
    let periods: Vec<DeploymentPeriod> = charts.weeks.iter().map(period).collect();
    stacked_bars(&DeploymentBars { head: head("deployed", "Deployments by week"), periods: &periods })
}

fn restore(site: &Site, charts: &NameCharts<'_>, failures: &[&Failure]) -> Markup {
    let Some(start) = charts.weeks.first().map(|week| week.name.start.at()) else { return html! {} };
    let since_start = |at: Timestamp| at.duration_since(start).as_secs_f64();
    let period = |week: &Week| {
        let row = week.row.as_ref();
        let address = site.link("failures");
        let since = week.name.start.at().to_string();
        let filters = [&charts.filters[..], &[("since", Some(&*since))]].concat();
        RestorePeriod {
            period: chart_period(site, week, format!("{address}{}", query(&filters))),
            starts_at_seconds: since_start(week.name.start.at()),
            median_seconds: row.and_then(|row| row.time_to_restore_seconds.median),
            restored: number(row.map_or(0, |row| row.time_to_restore_seconds.n)),
            open: number(row.map_or(0, |row| row.open)),
        }
    };
    let periods: Vec<RestorePeriod> = charts.weeks.iter().map(period).collect();
    let dots: Vec<FailureDot> =
        failures.iter().filter_map(|failure| dot(site, failure, (start, charts.now))).collect();
    restore_chart(&RestoreChart {
        head: head("restore", "Time to restore"),
        span_seconds: since_start(charts.now),
        periods: &periods,
        failures: &dots,
    })
}

/// Dot of a failure, where it ended; of an open one, where it began. `None` if that is before the chart, or if its time
/// to restore is not known.
fn dot(site: &Site, failure: &Failure, (start, now): (Timestamp, Timestamp)) -> Option<FailureDot> {
    let (at, seconds, is_open) = match failure.state {
        FailureState::Open => {
            (failure.started_at, now.duration_since(failure.started_at).as_secs_f64(), true)
        }
        FailureState::Completed => (failure.finished_at?, failure.time_to_restore_seconds?, false),
        _ => return None,
    };
    let id = failure.id.as_str();
    (start <= at && at < now).then(|| FailureDot {
        name: name(failure.title.as_deref(), id),
        href: site.failure(id),
        at_seconds: at.duration_since(start).as_secs_f64(),
        seconds,
        is_open,
    })
}

/// A week, with a link to its deployments.
fn deployments_of(site: &Site, charts: &NameCharts<'_>, week: &Week) -> ChartPeriod {
    let (since, until) = (week.name.start.at().to_string(), week.end.to_string());
    let times = [("since", Some(&*since)), ("until", Some(&*until))];
    let filters = query(&[&charts.filters[..], &times[..]].concat());
    chart_period(site, week, format!("{}{filters}", site.link("deployments")))
}

fn chart_period(site: &Site, week: &Week, href: String) -> ChartPeriod {
    let start = week.name.start.at();
    ChartPeriod {
        label: site.zone().short_day(start),
        name: site.zone().date(start),
        href,
        is_partial: week.name.is_partial,
        pending: number(week.row.as_ref().map_or(0, still_fine)),
    }
}

/// Number of the pending deployments that have not failed. A row has the pending ones, failed or not, and the rate of
/// the others.
fn still_fine(row: &Row) -> usize {
    let [made, failed, pending] =
        [row.deployments, row.failed_deployments, row.pending_deployments].map(|count| count.unwrap_or(0));
    let settled = made.saturating_sub(pending);
    let failed_settled = share_of(row.change_fail_rate_settled.unwrap_or(0.0), settled);
    pending.saturating_sub(failed.saturating_sub(failed_settled))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
