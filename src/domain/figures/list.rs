//! The list of all figures, with the places that show each of them: the terminal, CSV, Markdown and the gauges
//! of `/metrics` go through this list. A new figure is a field of [`Row`](super::Row) and an entry here.

mod figure;
mod gauge;

use self::figure::MaybeBounds;
use super::durations::{RecoveryTimes, RestoreTimes};
use super::restored::RestoredShare;

pub use self::figure::{Bounds, ChangeOf, Figure, Gauge, GaugeLabels, Part, ShortColumn, Statistic, Value};

/// All figures, in the order in which reports show them.
pub const FIGURES: [Figure; 39] = [
    Figure::count("incidents", "Incidents", "failures that began in the period", |row| row.incidents)
        .in_counts("INCIDENTS", None)
        .as_gauges(&[(Part::Value, gauge::INCIDENTS)]),
    Figure::count("open", "Open", "incidents that have not ended", |row| row.open)
        .in_restore_times(Statistic::Open),
    Figure::count(
        "still_open",
        "Still open",
        "failures that have not ended, also from before the period",
        |row| row.still_open,
    )
    .in_restore_times(Statistic::StillOpen),
    Figure::count("ignored", "Ignored", "ignored failures", |row| row.ignored).in_counts("IGNORED", Some(2)),
    Figure::count("matched_incidents", "Matched", "incidents with a deployment to count against", |row| {
        row.matched_incidents
    })
    .as_gauges(&[(Part::Value, gauge::MATCHED_INCIDENTS)]),
    Figure::count(
        "unmatched_incidents",
        "Unmatched",
        "incidents without a deployment to count against",
        |row| row.unmatched_incidents,
    )
    .in_counts("UNMATCHED", Some(3))
    .as_gauges(&[(Part::Value, gauge::UNMATCHED_INCIDENTS)]),
    Figure::count(
        "linked_incidents_named",
        "Linked by name",
        "incidents whose cause somebody named",
        |row| row.linked_incidents.named,
    ),
    Figure::count(
        "linked_incidents_automatic",
        "Linked by time",
        "incidents whose cause was found by time",
        |row| row.linked_incidents.automatic,
    ),
    Figure::count("linked_incidents_none", "Not linked", "incidents without a known cause", |row| {
        row.linked_incidents.none
    }),
    Figure::optional_count("deployments", "Deployments", "count", |row| row.deployments)
        .in_counts("DEPLOYS", None)
        .as_gauges(&[(Part::Value, gauge::DEPLOYMENTS)]),
    Figure::per_day("deployments_per_day", "Deployments per day", "deployments per 24 hours", |row| {
        row.deployments_per_day
    })
    .in_counts("A DAY", Some(1)),
    Figure::optional_count(
        "pending_deployments",
        "Pending deployments",
        "deployments that may still cause a failure",
        |row| row.pending_deployments,
    )
    .in_counts_where_any("PENDING", Some(5))
    .as_gauges(&[(Part::Value, gauge::DEPLOYMENTS_PENDING)]),
    Figure::optional_count("failed_deployments", "Failed", "deployments that caused a failure", |row| {
        row.failed_deployments
    })
    .in_counts("FAILED", Some(6))
    .as_gauges(&[(Part::Value, gauge::FAILED_DEPLOYMENTS)]),
    Figure::per_deployment("change_failure_rate", "Change failure rate", "incidents per deployment", |row| {
        row.change_failure_rate
    })
    .with_interval(|row| (row.change_failure_rate_low, row.change_failure_rate_high))
    .in_counts("CFR", None)
    .compared("change_failure_rate", |change| change.change_failure_rate)
    .in_trend()
    .as_gauges(&[
        (Part::Value, gauge::CHANGE_FAILURE_RATE),
        (Part::Low, gauge::CHANGE_FAILURE_RATE_BOUND.with(&[("bound", "low")])),
        (Part::High, gauge::CHANGE_FAILURE_RATE_BOUND.with(&[("bound", "high")])),
    ]),
    Figure::share_of_deployments(
        "change_fail_rate",
        "Change fail rate",
        "failed deployments per deployment",
        |row| row.change_fail_rate,
    )
    .with_interval(|row| (row.change_fail_rate_low, row.change_fail_rate_high))
    .in_counts("FAIL RATE", None)
    .compared("change_fail_rate", |change| change.change_fail_rate)
    .as_gauges(&[
        (Part::Value, gauge::CHANGE_FAIL_RATE),
        (Part::Low, gauge::CHANGE_FAIL_RATE_BOUND.with(&[("bound", "low")])),
        (Part::High, gauge::CHANGE_FAIL_RATE_BOUND.with(&[("bound", "high")])),
    ]),
    Figure::share_of_deployments(
        "change_fail_rate_settled",
        "Settled fail rate",
        "failed deployments per deployment, without pending ones",
        |row| row.change_fail_rate_settled,
    )
    .with_interval(|row| (row.change_fail_rate_settled_low, row.change_fail_rate_settled_high)),
    Figure::share_of_deployments(
        "deployment_rework_rate",
        "Rework rate",
        "deployments that fix a failure, per deployment",
        |row| row.deployment_rework_rate,
    )
    .with_interval(|row| (row.deployment_rework_rate_low, row.deployment_rework_rate_high))
    .in_counts("REWORK", Some(4))
    .compared("deployment_rework_rate", |change| change.deployment_rework_rate)
    .as_gauges(&[(Part::Value, gauge::REWORK_RATE)]),
    Figure::count("time_to_restore_seconds_n", "Restored", "times to restore", |row| {
        row.time_to_restore_seconds.n
    })
    .in_restore_times(Statistic::N)
    .as_gauges(&[(Part::Value, gauge::TIME_TO_RESTORE.with(&[("stat", "n")]))]),
    Figure::seconds("time_to_restore_seconds_mean", "Mean time to restore", "mean", |row| {
        row.time_to_restore_seconds.mean
    })
    .in_restore_times(Statistic::Mean)
    .as_gauges(&[(Part::Value, gauge::TIME_TO_RESTORE.with(&[("stat", "mean")]))]),
    Figure::seconds("time_to_restore_seconds_median", "Median time to restore", "median", |row| {
        row.time_to_restore_seconds.median
    })
    .with_interval(|row| {
        let RestoreTimes { median_low, median_high, .. } = row.time_to_restore_seconds;
        (median_low, median_high)
    })
    .in_restore_times(Statistic::Median)
    .in_trend()
    .as_gauges(&[
        (Part::Value, gauge::TIME_TO_RESTORE.with(&[("stat", "median")])),
        (Part::Low, gauge::TIME_TO_RESTORE.with(&[("stat", "median_low")])),
        (Part::High, gauge::TIME_TO_RESTORE.with(&[("stat", "median_high")])),
    ]),
    Figure::seconds("time_to_restore_seconds_p90", "p90", "90th percentile", |row| {
        row.time_to_restore_seconds.p90
    })
    .in_restore_times(Statistic::P90)
    .as_gauges(&[(Part::Value, gauge::TIME_TO_RESTORE.with(&[("stat", "p90")]))]),
    Figure::seconds("time_to_restore_seconds_max", "Max", "maximum", |row| row.time_to_restore_seconds.max)
        .in_restore_times(Statistic::Max),
    Figure::count("restored_n", "Followed", "failures that began in the period", |row| row.restored.n),
    Figure::count("restored_open", "Followed, open", "failures that have not ended", |row| row.restored.open),
    Figure::share(
        "restored_within_1h_value",
        "Restored within an hour",
        "share restored within an hour",
        |row| row.restored.within.hour.map(|share| share.value),
    )
    .with_bounds_named("restored_within_1h")
    .with_interval(|row| bounds(row.restored.within.hour))
    .in_counts("IN 1H", Some(7))
    .compared("restored", |change| change.restored)
    .as_gauges(&[
        (Part::Value, gauge::RESTORED_WITHIN.with(&[("within", "1h"), ("stat", "value")])),
        (Part::Low, gauge::RESTORED_WITHIN.with(&[("within", "1h"), ("stat", "low")])),
        (Part::High, gauge::RESTORED_WITHIN.with(&[("within", "1h"), ("stat", "high")])),
    ]),
    Figure::optional_count("restored_within_1h_known", "Known", "failures of which this is known", |row| {
        row.restored.within.hour.map(|share| share.known)
    }),
    Figure::share(
        "restored_within_1d_value",
        "Restored within a day",
        "share restored within 24 hours",
        |row| row.restored.within.day.map(|share| share.value),
    )
    .with_bounds_named("restored_within_1d")
    .with_interval(|row| bounds(row.restored.within.day))
    .as_gauges(&[
        (Part::Value, gauge::RESTORED_WITHIN.with(&[("within", "1d"), ("stat", "value")])),
        (Part::Low, gauge::RESTORED_WITHIN.with(&[("within", "1d"), ("stat", "low")])),
        (Part::High, gauge::RESTORED_WITHIN.with(&[("within", "1d"), ("stat", "high")])),
    ]),
    Figure::optional_count("restored_within_1d_known", "Known", "failures of which this is known", |row| {
        row.restored.within.day.map(|share| share.known)
    }),
    Figure::share(
        "restored_within_7d_value",
        "Restored within a week",
        "share restored within seven days",
        |row| row.restored.within.week.map(|share| share.value),
    )
    .with_bounds_named("restored_within_7d")
    .with_interval(|row| bounds(row.restored.within.week))
    .as_gauges(&[
        (Part::Value, gauge::RESTORED_WITHIN.with(&[("within", "7d"), ("stat", "value")])),
        (Part::Low, gauge::RESTORED_WITHIN.with(&[("within", "7d"), ("stat", "low")])),
        (Part::High, gauge::RESTORED_WITHIN.with(&[("within", "7d"), ("stat", "high")])),
    ]),
    Figure::optional_count("restored_within_7d_known", "Known", "failures of which this is known", |row| {
        row.restored.within.week.map(|share| share.known)
    }),
    Figure::seconds("restored_half_within_seconds", "Half restored within", "half of the failures", |row| {
        row.restored.half_within_seconds
    })
    .with_bounds_named("restored_half_within")
    .with_interval(|row| (row.restored.half_within_low, row.restored.half_within_high)),
    Figure::seconds(
        "restored_mean_within_7d_seconds",
        "Mean within 7 days",
        "mean, a failure of more than seven days counted as seven",
        |row| row.restored.mean_within_7d_seconds,
    ),
    Figure::seconds("restored_followed_seconds", "Followed for", "longest time", |row| {
        row.restored.followed_seconds
    }),
    Figure::count(
        "failed_deployment_recovery_time_seconds_n",
        "Recovered deployments",
        "recovery times",
        |row| row.failed_deployment_recovery_time_seconds.n,
    )
    .in_recovery_times(Statistic::N),
    Figure::count(
        "failed_deployment_recovery_time_seconds_open",
        "Not recovered",
        "failed deployments whose failures have not ended",
        |row| row.failed_deployment_recovery_time_seconds.open,
    )
    .in_recovery_times(Statistic::Open),
    Figure::seconds("failed_deployment_recovery_time_seconds_mean", "Mean recovery time", "mean", |row| {
        row.failed_deployment_recovery_time_seconds.mean
    })
    .in_recovery_times(Statistic::Mean)
    .as_gauges(&[(Part::Value, gauge::RECOVERY_TIME.with(&[("stat", "mean")]))]),
    Figure::seconds(
        "failed_deployment_recovery_time_seconds_median",
        "Median recovery time",
        "median",
        |row| row.failed_deployment_recovery_time_seconds.median,
    )
    .with_interval(|row| {
        let RecoveryTimes { median_low, median_high, .. } = row.failed_deployment_recovery_time_seconds;
        (median_low, median_high)
    })
    .in_recovery_times(Statistic::Median)
    .as_gauges(&[(Part::Value, gauge::RECOVERY_TIME.with(&[("stat", "median")]))]),
    Figure::seconds("failed_deployment_recovery_time_seconds_p90", "p90", "90th percentile", |row| {
        row.failed_deployment_recovery_time_seconds.p90
    })
    .in_recovery_times(Statistic::P90)
    .as_gauges(&[(Part::Value, gauge::RECOVERY_TIME.with(&[("stat", "p90")]))]),
    Figure::seconds("failed_deployment_recovery_time_seconds_max", "Max", "maximum", |row| {
        row.failed_deployment_recovery_time_seconds.max
    })
    .in_recovery_times(Statistic::Max),
];

/// The parts of figures that are gauges, in the order of `/metrics`.
pub fn gauges() -> Vec<(&'static Figure, Part, &'static Gauge)> {
    let of = |figure: &'static Figure| figure.gauges.iter().map(move |(part, gauge)| (figure, *part, gauge));
    let mut gauges: Vec<_> = FIGURES.iter().flat_map(of).collect();
    gauges.sort_by_key(|(.., gauge)| gauge.place);
    gauges
}

fn bounds(share: Option<RestoredShare>) -> MaybeBounds {
    (share.map(|share| share.low), share.map(|share| share.high))
}

#[cfg(test)]
mod tests;
