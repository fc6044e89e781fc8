pub(crate) mod arbitrary;
mod counts;
mod intervals;
pub(crate) mod json;
pub(crate) mod model;
mod model_row;
mod worked;

use std::collections::HashMap;
use std::num::NonZeroI64;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::{Details, Evaluated, Failure, FailureState, Flag};
use crate::domain::id::FailureId;
use crate::domain::link::tests::model as links;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;

/// Dataset as the store builds it. The `deployment` of each failure is its cause.
pub(crate) fn dataset(failures: &[Failure], deployments: &Deployments) -> Dataset {
    let (mut deployed, mut keys) = (DeploymentIndex::default(), HashMap::new());
    for (key, deployment) in (1..).zip(deployments.as_slice()) {
        let Deployment { service, team, env, finished_at, .. } = deployment;
        deployed.add(key, (service, team.as_deref(), env), *finished_at);
        keys.insert(deployment.id.as_str(), key);
    }
    let mut builder = DatasetBuilder::default();
    for failure in failures {
        let kind = builder.add_kind(FailureTraits::from(failure));
        let key = |id: Option<&str>| keys.get(id?).copied().and_then(NonZeroI64::new);
        let cause = failure.deployment.as_deref();
        let evaluated = Evaluated { failure: failure.clone(), details: Details::default() };
        let remediation = links::remediation(&evaluated, cause, deployments.as_slice());
        let remediation = remediation.map(|deployment| deployment.id.as_str());
        builder.add(
            kind,
            FailureTimes::of(failure),
            LinkedKeys { cause: key(cause), is_named: is_named(failure), remediation: key(remediation) },
        );
    }
    builder.with(deployed)
}

/// `true` if the tests take the cause of a failure as named: every second deployment.
pub(super) fn is_named(failure: &Failure) -> bool {
    failure.deployment.as_deref().and_then(|id| id.chars().last()).is_some_and(|last| "02468".contains(last))
}

fn report(query: &ReportQuery, failures: &[Failure], deployments: &Deployments) -> Report {
    super::report(query, &dataset(failures, deployments))
}

/// A failure of `checkout` in production on the first of November. It is open if it has no end.
fn failure(id: &str, started: Timestamp, finished: Option<Timestamp>) -> Failure {
    let seconds = finished.map(|end| crate::domain::failure::seconds(end.nanos_since(started)));
    Failure {
        id: FailureId::parse(&format!("failure:{id:0>10}")).unwrap(),
        source: SourceName::API,
        incident: None,
        number: None,
        title: None,
        url: None,
        state: if finished.is_some() { FailureState::Completed } else { FailureState::Open },
        reason: None,
        started_at: started,
        finished_at: finished,
        time_to_restore_seconds: seconds,
        active_seconds: seconds,
        acknowledged_at: None,
        reopened: 0,
        merged: Vec::new(),
        merged_into: None,
        services: vec!["checkout".to_owned()],
        team: Some("payments".to_owned()),
        env: "production".to_owned(),
        severity: None,
        priority: None,
        urgency: None,
        attribution: "as sent".to_owned(),
        flags: Vec::new(),
        deployment: None,
        deployment_version: None,
    }
}

/// A failure from and to a time of that day.
fn lasting(id: &str, started: &str, finished: &str) -> Failure {
    failure(id, time(started), Some(time(finished)))
}

fn open(id: &str, started: &str) -> Failure {
    failure(id, time(started), None)
}

fn linked_to(deployment: &Deployment, failure: Failure) -> Failure {
    Failure { deployment: Some(deployment.id.to_string()), ..failure }
}

fn flagged(flag: Flag, failure: Failure) -> Failure {
    Failure { flags: vec![flag], ..failure }
}

fn of_services(services: &[&str], failure: Failure) -> Failure {
    Failure { services: services.iter().map(|service| (*service).to_owned()).collect(), ..failure }
}

/// The first of November, in production, without grouping and intervals.
fn query() -> ReportQuery {
    ReportQuery {
        since: time("00:00"),
        until: time("23:00"),
        as_of: time("23:00"),
        link_window: Duration::from_hours(1),
        by: Grouping::None,
        env: Env::One("production".to_owned()),
        service: None,
        team: None,
        interval: None,
        compare: false,
        timezone: TimeZone::UTC,
    }
}

fn rows(query: &ReportQuery, failures: &[Failure], deployments: &[Deployment]) -> Vec<Row> {
    report(query, failures, &Deployments::new(deployments.to_vec())).rows
}

fn row(failures: &[Failure], deployments: &[Deployment]) -> Row {
    let rows = rows(&query(), failures, deployments);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

/// By key: incidents, unmatched ones, deployments, and the change failure rate.
fn by(by: Grouping, failures: &[Failure], deployments: &[Deployment]) -> Vec<String> {
    let rows = rows(&ReportQuery { by, ..query() }, failures, deployments);
    let lines = rows.iter().map(|row| {
        let key = row.key.as_deref().unwrap_or("-");
        let rate = row.change_failure_rate.map_or("-".to_owned(), |rate| rate.to_string());
        let deployments = row.deployments.map_or("-".to_owned(), |count| count.to_string());
        format!("{key}: {} {} {deployments} {rate}", row.incidents, row.unmatched_incidents)
    });
    lines.collect()
}

#[test]
fn the_start_of_a_period_is_inside_and_its_end_outside() {
    let failures = [
        lasting("1", "00:00", "00:30"),
        failure("2", time("23:00"), None),
        failure("3", Timestamp::parse("2026-10-31T23:59:59.999999999Z").unwrap(), Some(time("00:00"))),
        failure("4", time("22:00"), Some(time("23:00"))),
    ];
    let deployments = [
        deployment("1", "checkout", "00:00", "00:00"),
        deployment("2", "checkout", "22:00", "23:00"),
        Deployment {
            started_at: Timestamp::parse("2026-10-31T20:00:00Z").unwrap(),
            ..deployment("3", "checkout", "00:00", "01:00")
        },
    ];
    let row = row(&failures, &deployments);
    assert_eq!((row.incidents, row.deployments), (2, Some(2)), "by start, by end");
    assert_eq!(row.time_to_restore_seconds.n, 2, "by end");
}

#[test]
fn without_data_there_are_no_rows() {
    assert_eq!(rows(&query(), &[], &[]), []);
    let backwards = ReportQuery { since: time("12:00"), until: time("10:00"), ..query() };
    assert_eq!(rows(&backwards, &[lasting("1", "11:00", "11:30")], &[]), []);
}

#[test]
fn a_figure_without_data_is_null() {
    let row = row(&[open("1", "10:00")], &[]);
    assert_eq!((row.incidents, row.open, row.unmatched_incidents, row.deployments), (1, 1, 1, Some(0)));
    assert_eq!(
        (row.change_failure_rate, row.change_fail_rate, row.deployment_rework_rate),
        (None, None, None)
    );
    assert_eq!((row.time_to_restore_seconds.n, row.time_to_restore_seconds.median), (0, None));
}

#[test]
fn without_incidents_the_rates_are_zero() {
    let row = row(&[], &[deployment("1", "checkout", "10:00", "10:10")]);
    assert_eq!(
        (row.change_failure_rate, row.change_fail_rate, row.deployment_rework_rate),
        (Some(0.0), Some(0.0), Some(0.0))
    );
}

#[test]
fn ignored_failures_are_counted_separately_and_merged_ones_never() {
    let deployments = [deployment("1", "checkout", "09:00", "09:10")];
    let with_state = |state| Failure { state, ..linked_to(&deployments[0], lasting("1", "10:00", "11:00")) };
    let row = row(&[with_state(FailureState::Ignored), with_state(FailureState::Merged)], &deployments);
    assert_eq!((row.incidents, row.ignored, row.failed_deployments), (0, 1, Some(0)));
    assert_eq!((row.time_to_restore_seconds.n, row.change_failure_rate), (0, Some(0.0)));
    assert_eq!(rows(&query(), &[with_state(FailureState::Merged)], &[]), []);
}

#[test]
fn doubtful_times_count_as_incidents_but_in_no_statistic_of_durations() {
    let deployments = [deployment("1", "checkout", "09:00", "09:10")];
    for (flag, n) in [(Flag::Approximate, 0), (Flag::EndBeforeStart, 0), (Flag::InTheFuture, 1)] {
        let failure = flagged(flag, linked_to(&deployments[0], lasting("1", "10:00", "11:00")));
        let row = row(&[failure], &deployments);
        assert_eq!((row.incidents, row.failed_deployments), (1, Some(1)));
        assert_eq!(row.time_to_restore_seconds.n, n, "{flag:?}");
        assert_eq!(row.failed_deployment_recovery_time_seconds.n, n, "{flag:?}");
        assert_eq!(row.failed_deployment_recovery_time_seconds.open, 0);
    }
}

#[test]
fn incidents_of_services_that_deployed_nothing_stay_out_of_the_change_failure_rate() {
    let failures = [
        of_services(&["checkout"], lasting("1", "10:00", "11:00")),
        of_services(&["search"], lasting("2", "10:00", "11:00")),
        of_services(&["search", "checkout"], lasting("3", "10:00", "11:00")),
    ];
    let deployments =
        [deployment("1", "checkout", "09:00", "09:10"), deployment("2", "ledger", "09:00", "09:10")];
    assert_eq!(by(Grouping::None, &failures, &deployments), ["-: 3 1 2 1"]);
    assert_eq!(
        by(Grouping::Service, &failures, &deployments),
        ["checkout: 2 0 1 2", "ledger: 0 0 1 0", "search: 2 1 0 -"],
        "a failure of two services counts in each, and is matched by a deployment of either"
    );
    assert_eq!(
        by(Grouping::Team, &failures, &deployments),
        ["payments: 3 1 2 1"],
        "by its service, not by its team"
    );
    assert_eq!(by(Grouping::Env, &failures, &deployments), ["production: 3 1 2 1"]);
}

#[test]
fn a_service_named_twice_counts_once() {
    let failures = [of_services(&["checkout", "checkout"], lasting("1", "10:00", "11:00"))];
    assert_eq!(by(Grouping::Service, &failures, &[]), ["checkout: 1 1 0 -"]);
}

#[test]
fn a_failure_with_only_a_team_appears_under_its_team_and_no_service() {
    let failures = [of_services(&[], lasting("1", "10:00", "11:00"))];
    let deployments = [deployment("1", "checkout", "09:00", "09:10")];
    assert_eq!(by(Grouping::Service, &failures, &deployments), ["checkout: 0 0 1 0"]);
    assert_eq!(by(Grouping::Team, &failures, &deployments), ["payments: 1 0 1 1"]);
    assert_eq!(by(Grouping::None, &failures, &deployments), ["-: 1 0 1 1"], "matched by its team");
    let without_team = Failure { team: None, ..failures[0].clone() };
    assert_eq!(by(Grouping::Team, std::slice::from_ref(&without_team), &[]), [""; 0]);
    assert_eq!(
        by(Grouping::None, &[without_team], &deployments),
        ["-: 1 1 1 -"],
        "0 would say that nothing failed"
    );
}

#[test]
fn severity_rows_have_no_deployments() {
    let severe = Failure { severity: Some("SEV-1".to_owned()), ..lasting("1", "10:00", "11:00") };
    let deployments = [deployment("1", "checkout", "09:00", "09:10")];
    assert_eq!(
        by(Grouping::Severity, &[severe, lasting("2", "10:00", "11:00")], &deployments),
        ["-: 1 0 - -", "SEV-1: 1 0 - -"]
    );
}

#[test]
fn a_failure_never_counts_against_a_deployment_to_another_env() {
    let staging = |failure| Failure { env: "staging".to_owned(), ..failure };
    let production = deployment("1", "checkout", "09:00", "09:10");
    let failures = [staging(linked_to(&production, lasting("1", "10:00", "11:00")))];
    let deployments = [production];
    assert_eq!(by(Grouping::None, &failures, &deployments), ["-: 0 0 1 0"]);
    let all = ReportQuery { env: Env::All, ..query() };
    let rows = rows(&all, &failures, &deployments);
    assert_eq!((rows[0].incidents, rows[0].unmatched_incidents), (1, 1));
    assert_eq!((rows[0].failed_deployments, rows[0].deployments), (Some(0), Some(1)));
}

#[test]
fn a_failed_deployment_counts_once_even_if_its_failure_began_later() {
    let deployments =
        [deployment("1", "checkout", "22:00", "22:10"), deployment("2", "checkout", "22:20", "22:30")];
    let failures = [
        linked_to(&deployments[0], open("1", "22:15")),
        linked_to(&deployments[0], open("2", "23:30")),
        linked_to(&deployments[1], open("3", "23:30")),
    ];
    let row = row(&failures, &deployments);
    assert_eq!((row.incidents, row.failed_deployments, row.change_fail_rate), (1, Some(2), Some(1.0)));
}

/// Recovery times: their number, the number of open ones, and the longest one in minutes.
fn recovery(failures: &[(&str, &str)]) -> (usize, usize, Option<f64>) {
    let deployments = [deployment("1", "checkout", "09:00", "10:00")];
    let failures = failures.iter().map(|&(started, finished)| {
        let finished = (!finished.is_empty()).then(|| time(finished));
        linked_to(&deployments[0], failure(started.trim_end_matches(":00"), time(started), finished))
    });
    let row = row(&failures.collect::<Vec<_>>(), &deployments);
    let RecoveryTimes { n, open, max, .. } = row.failed_deployment_recovery_time_seconds;
    (n, open, max.map(|seconds| seconds / 60.0))
}

#[test]
fn recovery_lasts_until_the_first_unbroken_run_of_failures_ends() {
    assert_eq!(recovery(&[("10:10", "10:30")]), (1, 0, Some(30.0)));
    assert_eq!(recovery(&[("10:10", "10:30"), ("10:40", "11:00")]), (1, 0, Some(30.0)), "a gap");
    assert_eq!(recovery(&[("10:10", "10:30"), ("10:30", "11:00")]), (1, 0, Some(60.0)), "no gap");
    assert_eq!(
        recovery(&[("10:50", "11:30"), ("10:10", "11:00"), ("10:20", "10:30")]),
        (1, 0, Some(90.0)),
        "failures may overlap the first one through others"
    );
    assert_eq!(
        recovery(&[("09:10", "09:30")]),
        (0, 0, None),
        "the failure ended before the deployment did: there is no recovery time"
    );
}

#[test]
fn an_open_run_of_failures_is_counted_separately() {
    assert_eq!(recovery(&[("10:10", "")]), (0, 1, None));
    assert_eq!(recovery(&[("10:10", "10:30"), ("10:20", "")]), (0, 1, None));
    assert_eq!(recovery(&[("10:10", "10:30"), ("10:40", "")]), (1, 0, Some(30.0)), "a later one is open");
}

/// The rework rate of three deployments of `checkout` and one of `search`, begun at 10, 11, 12 and 13.
fn rework(failures: &[Failure]) -> Option<f64> {
    let deployments = [
        deployment("1", "checkout", "10:00", "10:10"),
        deployment("2", "checkout", "11:00", "11:10"),
        deployment("3", "checkout", "12:00", "12:10"),
        deployment("4", "search", "13:00", "13:10"),
    ];
    row(failures, &deployments).deployment_rework_rate
}

#[test]
fn the_last_deployment_begun_while_a_failure_was_open_is_rework() {
    assert_eq!(rework(&[lasting("1", "10:30", "11:30")]), Some(0.25));
    assert_eq!(rework(&[lasting("1", "10:30", "14:00")]), Some(0.25), "at most one for a failure");
    assert_eq!(rework(&[lasting("1", "10:30", "14:00"), open("2", "09:00")]), Some(0.25), "each once");
    assert_eq!(rework(&[lasting("1", "10:30", "11:00")]), Some(0.0), "the failure had ended");
    assert_eq!(rework(&[lasting("1", "13:00", "14:00")]), Some(0.0), "of another service");
    assert_eq!(rework(&[of_services(&["checkout", "search"], lasting("1", "09:00", "14:00"))]), Some(0.25));
    assert_eq!(rework(&[open("1", "09:00")]), Some(0.0), "a later deployment may still fix it");
    assert_eq!(
        rework(&[lasting("1", "12:00", "12:30")]),
        Some(0.0),
        "it started with the failure, not after it"
    );
}

#[test]
fn the_cause_of_a_failure_does_not_fix_it() {
    let cause = deployment("2", "checkout", "11:00", "11:10");
    assert_eq!(rework(&[linked_to(&cause, lasting("1", "10:59", "11:30"))]), Some(0.0));
    assert_eq!(rework(&[linked_to(&cause, lasting("1", "11:00", "12:30"))]), Some(0.25));
}
