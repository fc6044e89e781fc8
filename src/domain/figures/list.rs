//! The list of all figures, with the places that show each of them: the terminal, CSV, Markdown, the dashboard and the
//! gauges of `/metrics` go through this list. A new figure is a field of [`Row`](super::Row) and an entry here.

mod figure;

use self::SamplePart::{Number, Seconds, Text, Things};
use super::durations::{RecoveryTimes, RestoreTimes};

pub use self::figure::{
    Bounds, Figure, Gauge, GaugeLabels, GroupColumn, SamplePart, ShortColumn, Statistic, Tile, Value,
};

const TIME_TO_RESTORE: Gauge = Gauge::new(
    3,
    GaugeLabels::Team,
    "dora_time_to_restore_seconds",
    "Time to restore of failures that ended in the window: from start to end, or the sum of the open \
     periods, as failure.reopened chooses",
);
const RECOVERY_TIME: Gauge = Gauge::new(
    10,
    GaugeLabels::Service,
    "dora_failed_deployment_recovery_seconds",
    "Time from the end of a failed deployment to the end of the first unbroken run of its failures",
);

/// All figures, in the order in which reports show them.
pub const FIGURES: [Figure; 21] = [
    Figure::count("incidents", "Incidents", "failures that began in the period", |row| row.incidents)
        .in_counts("INCIDENTS", None)
        .in_groups()
        .as_gauge(Gauge::new(
            1,
            GaugeLabels::Severity,
            "dora_incidents",
            "Incidents that started in the window",
        )),
    Figure::count("open", "Open", "incidents that have not ended", |row| row.open)
        .in_restore_times(Statistic::Open),
    Figure::count("ignored", "Ignored", "ignored failures", |row| row.ignored)
        .in_counts("IGNORED", Some(1))
        .in_groups(),
    Figure::count(
        "matched_incidents",
        "Matched",
        "incidents of services and teams with a deployment",
        |row| row.matched_incidents,
    )
    .as_gauge(Gauge::new(
        5,
        GaugeLabels::Service,
        "dora_matched_incidents",
        "Incidents that started in the window, if a deployment of their service or team ended in it",
    )),
    Figure::count(
        "unmatched_incidents",
        "Unmatched",
        "incidents of services and teams without a deployment",
        |row| row.unmatched_incidents,
    )
    .in_counts("UNMATCHED", Some(2))
    .as_gauge(Gauge::new(
        6,
        GaugeLabels::Service,
        "dora_unmatched_incidents",
        "Incidents that started in the window, if no deployment of their service or team ended in it",
    )),
    Figure::count("deployments", "Deployments", "count", |row| row.deployments)
        .of_deployments()
        .in_counts("DEPLOYS", None)
        .on_tile(1, |row| {
            vec![Things(row.incidents, "incident"), Text(", "), Number(row.ignored), Text(" ignored")]
        })
        .in_groups()
        .as_gauge(Gauge::new(
            2,
            GaugeLabels::Team,
            "dora_deployments",
            "Deployments that ended in the window",
        )),
    Figure::count("failed_deployments", "Failed", "deployments that caused a failure", |row| {
        row.failed_deployments
    })
    .of_deployments()
    .in_counts("FAILED", Some(4))
    .in_groups()
    .as_gauge(Gauge::new(
        4,
        GaugeLabels::Service,
        "dora_failed_deployments",
        "Deployments that ended in the window and caused a failure",
    )),
    Figure::per_deployment("change_failure_rate", "Change failure rate", "incidents per deployment", |row| {
        row.change_failure_rate
    })
    .with_interval(|row| row.change_failure_rate_low.zip(row.change_failure_rate_high))
    .in_counts("CFR", None)
    .in_trend()
    .on_tile(2, |row| {
        let mut sample = vec![
            Things(row.matched_incidents, "matched incident"),
            Text(", "),
            Things(row.deployments, "deployment"),
        ];
        if row.unmatched_incidents > 0 {
            sample.extend([Text("; "), Number(row.unmatched_incidents), Text(" unmatched")]);
        }
        sample
    })
    .in_groups()
    .as_gauge(Gauge::new(
        7,
        GaugeLabels::Service,
        "dora_change_failure_rate",
        "Matched incidents per deployment",
    )),
    Figure::ratio("change_fail_rate", "Change fail rate", "failed deployments per deployment", |row| {
        row.change_fail_rate
    })
    .with_interval(|row| row.change_fail_rate_low.zip(row.change_fail_rate_high))
    .in_counts("FAIL RATE", None)
    .on_tile(3, |row| vec![Number(row.failed_deployments), Text(" failed of n = "), Number(row.deployments)])
    .in_groups()
    .as_gauge(Gauge::new(
        8,
        GaugeLabels::Service,
        "dora_change_fail_rate",
        "Failed deployments per deployment",
    )),
    Figure::ratio(
        "deployment_rework_rate",
        "Rework rate",
        "deployments that fix a failure, per deployment",
        |row| row.deployment_rework_rate,
    )
    .with_interval(|row| row.deployment_rework_rate_low.zip(row.deployment_rework_rate_high))
    .in_counts("REWORK", Some(3))
    .on_tile(6, |row| vec![Text("n = "), Things(row.deployments, "deployment")])
    .as_gauge(Gauge::new(
        9,
        GaugeLabels::Service,
        "dora_rework_rate",
        "Deployments that fixed a failure, per deployment",
    )),
    Figure::count("time_to_restore_seconds_n", "Restored", "times to restore", |row| {
        row.time_to_restore_seconds.n
    })
    .in_restore_times(Statistic::N),
    Figure::seconds("time_to_restore_seconds_mean", "Mean time to restore", "mean", |row| {
        row.time_to_restore_seconds.mean
    })
    .in_restore_times(Statistic::Mean)
    .as_gauge(TIME_TO_RESTORE.stat("mean")),
    Figure::seconds("time_to_restore_seconds_median", "Median time to restore", "median", |row| {
        row.time_to_restore_seconds.median
    })
    .with_interval(|row| {
        let RestoreTimes { median_low, median_high, .. } = row.time_to_restore_seconds;
        median_low.zip(median_high)
    })
    .in_restore_times(Statistic::Median)
    .in_trend()
    .on_tile_with_title(4, "Time to restore", |row| {
        let RestoreTimes { n, mean, p90, .. } = row.time_to_restore_seconds;
        vec![Text("n = "), Number(n), Text(", mean "), Seconds(mean), Text(", p90 "), Seconds(p90)]
    })
    .in_groups_with_sample_size(|row| row.time_to_restore_seconds.n)
    .as_gauge(TIME_TO_RESTORE.stat("median")),
    Figure::seconds("time_to_restore_seconds_p90", "p90", "90th percentile", |row| {
        row.time_to_restore_seconds.p90
    })
    .in_restore_times(Statistic::P90)
    .as_gauge(TIME_TO_RESTORE.stat("p90")),
    Figure::seconds("time_to_restore_seconds_max", "Max", "maximum", |row| row.time_to_restore_seconds.max)
        .in_restore_times(Statistic::Max),
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
    .as_gauge(RECOVERY_TIME.stat("mean")),
    Figure::seconds(
        "failed_deployment_recovery_time_seconds_median",
        "Median recovery time",
        "median",
        |row| row.failed_deployment_recovery_time_seconds.median,
    )
    .with_interval(|row| {
        let RecoveryTimes { median_low, median_high, .. } = row.failed_deployment_recovery_time_seconds;
        median_low.zip(median_high)
    })
    .in_recovery_times(Statistic::Median)
    .on_tile_with_title(5, "Recovery time of failed deployments", |row| {
        let RecoveryTimes { n, open, .. } = row.failed_deployment_recovery_time_seconds;
        vec![Text("n = "), Number(n), Text(", "), Number(open), Text(" still open")]
    })
    .in_groups_with_sample_size(|row| row.failed_deployment_recovery_time_seconds.n)
    .as_gauge(RECOVERY_TIME.stat("median")),
    Figure::seconds("failed_deployment_recovery_time_seconds_p90", "p90", "90th percentile", |row| {
        row.failed_deployment_recovery_time_seconds.p90
    })
    .in_recovery_times(Statistic::P90)
    .as_gauge(RECOVERY_TIME.stat("p90")),
    Figure::seconds("failed_deployment_recovery_time_seconds_max", "Max", "maximum", |row| {
        row.failed_deployment_recovery_time_seconds.max
    })
    .in_recovery_times(Statistic::Max),
];

/// The figures with a tile on the dashboard, in the order of the tiles.
pub fn tiles() -> Vec<(&'static Figure, &'static Tile)> {
    let tiles = FIGURES.iter().filter_map(|figure| Some((figure, figure.tile.as_ref()?)));
    let mut tiles: Vec<_> = tiles.collect();
    tiles.sort_by_key(|(_, tile)| tile.place);
    tiles
}

/// The figures that are gauges, in the order of `/metrics`.
pub fn gauges() -> Vec<(&'static Figure, &'static Gauge)> {
    let gauges = FIGURES.iter().filter_map(|figure| Some((figure, figure.gauge.as_ref()?)));
    let mut gauges: Vec<_> = gauges.collect();
    gauges.sort_by_key(|(_, gauge)| gauge.place);
    gauges
}

#[cfg(test)]
mod tests;
