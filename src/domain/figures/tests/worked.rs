//! A day and the end of a month, computed by hand.

use jiff::tz::TimeZone;

use super::super::*;
use super::{
    Deployment, Failure, FailureState, deployment, failure, lasting, linked_to, of_services, open, query,
    rows, time,
};
use crate::domain::timestamp::Timestamp;

/// Deployments: 1, 2 and 3 of checkout, 4 of checkout to staging, 5 and 6 of search.
fn deployments() -> [Deployment; 6] {
    [
        deployment("1", "checkout", "08:00", "08:10"),
        deployment("2", "checkout", "10:00", "10:20"),
        deployment("3", "checkout", "10:40", "10:50"),
        Deployment { env: "staging".to_owned(), ..deployment("4", "checkout", "11:00", "11:10") },
        deployment("5", "search", "12:00", "12:10"),
        deployment("6", "search", "13:40", "13:45"),
    ]
}

/// Failures, each after a deployment.
fn failures() -> [Failure; 8] {
    let [_, second, _, of_staging, fifth, sixth] = deployments();
    let of_search = |failure| of_services(&["search"], failure);
    [
        // Began while the second deployment was still running: 48 minutes.
        linked_to(&second, lasting("1", "10:12", "11:00")),
        // Two failures of one deployment, an hour each, which overlap.
        linked_to(&fifth, of_search(lasting("2", "12:30", "13:30"))),
        linked_to(&fifth, of_search(lasting("3", "13:00", "14:00"))),
        linked_to(&sixth, of_search(open("4", "15:00"))),
        // It has only a team: 10 minutes.
        of_services(&[], lasting("5", "16:00", "16:10")),
        // Its service has no deployment: 30 minutes.
        of_services(&["mail"], lasting("6", "17:00", "17:30")),
        Failure { state: FailureState::Ignored, ..lasting("7", "18:00", "18:05") },
        linked_to(&of_staging, Failure { env: "staging".to_owned(), ..lasting("8", "11:30", "12:30") }),
    ]
}

fn day(by: Grouping, env: Env) -> Vec<Row> {
    rows(&ReportQuery { by, env, ..query() }, &failures(), &deployments())
}

fn production() -> Env {
    Env::One("production".to_owned())
}

#[test]
fn every_figure_of_a_day() {
    let rows = day(Grouping::None, production());
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.incidents, row.open, row.ignored, row.unmatched_incidents), (6, 1, 1, 1));
    assert_eq!((row.deployments, row.failed_deployments), (Some(5), Some(3)));
    // Five matched incidents, and three failed deployments, of five.
    assert_eq!((row.change_failure_rate, row.change_fail_rate), (Some(1.0), Some(0.6)));
    // Deployment 3 fixed failure 1, and deployment 6 fixed failure 3.
    assert_eq!(row.deployment_rework_rate, Some(0.4));
    // Times to restore of 10, 30, 48, 60 and 60 minutes.
    let minutes = |minutes: f64| Some(minutes * 60.0);
    let RestoreTimes { n, mean, median, p90, max, .. } = row.time_to_restore_seconds;
    assert_eq!((n, mean, median, p90, max), (5, minutes(41.6), minutes(48.0), None, minutes(60.0)));
    // From 10:20 to 11:00 and from 12:10 to 14:00. The recovery from deployment 6 is open.
    let RecoveryTimes { n, open, mean, median, p90, max, .. } = row.failed_deployment_recovery_time_seconds;
    assert_eq!((n, open, mean, median, p90, max), (2, 1, minutes(75.0), minutes(75.0), None, minutes(110.0)));
}

/// By key: incidents, deployments, failed deployments, and both rates.
fn summary(rows: &[Row]) -> Vec<String> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}"));
    let summary = rows.iter().map(|row| {
        let (key, failure, fail) =
            (row.key.as_deref(), rate(row.change_failure_rate), rate(row.change_fail_rate));
        let [made, failed] = [row.deployments, row.failed_deployments]
            .map(|count| count.map_or_else(|| "-".to_owned(), |count| count.to_string()));
        let counts = format!("{} {made} {failed}", row.incidents);
        format!("{}: {counts} {failure} {fail}", key.unwrap_or("-"))
    });
    summary.collect()
}

#[test]
fn the_same_day_in_each_grouping() {
    assert_eq!(
        summary(&day(Grouping::Service, production())),
        ["checkout: 1 3 1 0.33 0.33", "mail: 1 0 0 - -", "search: 3 2 2 1.50 1.00"],
        "the failure with only a team is in no row"
    );
    assert_eq!(
        summary(&day(Grouping::Team, production())),
        ["payments: 6 5 3 1.00 0.60"],
        "mail itself has no deployment"
    );
    assert_eq!(summary(&day(Grouping::Severity, production())), ["-: 6 - - - -"]);
    assert_eq!(
        summary(&day(Grouping::Env, Env::All)),
        ["production: 6 5 3 1.00 0.60", "staging: 1 1 1 1.00 1.00"]
    );
    assert_eq!(summary(&day(Grouping::None, Env::All)), ["-: 7 6 4 1.00 0.67"], "both envs added up");
}

#[test]
fn a_month_ends_in_its_time_zone() {
    let at = |text| Timestamp::parse(text).unwrap();
    // In Berlin it is an hour later: the failure begins in October, and ends in November.
    let across = failure("1", at("2026-10-31T22:30:00Z"), Some(at("2026-10-31T23:10:00Z")));
    let deployed = Deployment {
        started_at: at("2026-10-31T22:50:00Z"),
        finished_at: at("2026-10-31T23:00:00Z"),
        ..deployment("1", "checkout", "00:00", "00:00")
    };
    let query = ReportQuery {
        since: at("2026-09-30T22:00:00Z"),
        until: at("2026-11-30T23:00:00Z"),
        interval: Some(Interval::Month),
        timezone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
        ..query()
    };
    let [october, november] = rows(&query, &[across], &[deployed]).try_into().unwrap();
    let starts = [&october, &november].map(|row| row.period.unwrap().to_string());
    assert_eq!(starts, ["2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"]);
    // Matched with the deployment of November: matching is decided over the whole period.
    assert_eq!((october.incidents, october.unmatched_incidents, october.deployments), (1, 0, Some(0)));
    assert_eq!((october.change_failure_rate, october.time_to_restore_seconds.n), (None, 0));
    assert_eq!(
        (november.incidents, november.deployments),
        (0, Some(1)),
        "its end is the month's first moment"
    );
    assert_eq!(november.change_failure_rate, Some(0.0));
    assert_eq!((november.time_to_restore_seconds.n, november.time_to_restore_seconds.max), (1, Some(2400.0)));
    // The deployment started while the failure was open.
    assert_eq!(november.deployment_rework_rate, Some(1.0));
    let labels = |query: &ReportQuery| {
        let names = query.intervals().into_iter().map(|month| (month.label, month.is_partial));
        names.collect::<Vec<_>>()
    };
    assert_eq!(labels(&query), [("2026-10".to_owned(), false), ("2026-11".to_owned(), false)]);
    let hour = ReportQuery { until: time("01:00"), since: time("00:00"), ..query };
    assert_eq!(labels(&hour), [("2026-11".to_owned(), true)]);
}
