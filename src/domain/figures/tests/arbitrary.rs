//! Random parameters, failures and deployments, so few and so close that they affect each other.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use super::failure;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Failure, FailureState, Flag};
use crate::domain::id::DeploymentId;
use crate::domain::timestamp::Timestamp;

/// A Thursday. Clocks go back on the Sunday after it.
const FIRST: &str = "2026-10-22T00:00:00Z";
/// Twelve hours, in minutes.
const GRID: u64 = 12 * 60;
pub(super) const MINUTES: u64 = 21 * 24 * 60;
pub(super) const SERVICES: [&str; 3] = ["checkout", "ledger", "search"];
const TEAMS: [&str; 2] = ["payments", "discovery"];
pub(super) const ENVS: [&str; 2] = ["production", "staging"];
pub(super) const SEVERITIES: [&str; 2] = ["SEV-1", "SEV-2"];
const ZONES: [&str; 3] = ["UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "XST-13"];

pub(super) fn minute(minute: u64) -> Timestamp {
    Timestamp::parse(FIRST).unwrap().saturating_add(Duration::from_mins(minute))
}

/// A random time, often on a grid, so that some times are equal, and some are at the start of a day.
fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..MINUTES, (0..MINUTES / 60).prop_map(|hour| hour * 60), on_grid(MINUTES / GRID)]
        .prop_map(minute)
}

/// A random duration, often on the same grid, so that some failures begin when others end.
fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![0..300_u64, 0..6_000_u64, on_grid(4), on_grid(12)].prop_map(Duration::from_mins)
}

fn on_grid(end: u64) -> impl Strategy<Value = u64> {
    (0..end).prop_map(|n| n * GRID)
}

fn deployment_id(number: usize) -> DeploymentId {
    DeploymentId::parse(&format!("deployment:{number:0>5}")).unwrap()
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

prop_compose! {
    pub(crate) fn deployments()(sent in vec((moment(), span(), word(&SERVICES), option::of(word(&TEAMS)), word(&ENVS)), 0..10))
        -> Vec<Deployment> {
        let numbered = sent.into_iter().enumerate();
        numbered.map(|(number, (started_at, span, service, team, env))| Deployment {
            id: deployment_id(number), service, team, env, started_at, finished_at: started_at.saturating_add(span),
            version: None, commit_sha: None, repository_url: None, tags: BTreeSet::new(),
        }).collect()
    }
}

prop_compose! {
    pub(crate) fn one_failure()(
        started in moment(),
        span in option::weighted(0.8, span()),
        services in vec(word(&SERVICES), 0..3),
        (team, env, severity) in (option::of(word(&TEAMS)), word(&ENVS), option::of(word(&SEVERITIES))),
        (pick, flag) in (0..10_u8, 0..10_u8),
        deployment in option::weighted(0.8, 0..11_usize),
    ) -> Failure {
        let failure = failure("1", started, span.map(|span| started.saturating_add(span)));
        let state = match pick { 0 => FailureState::Ignored, 1 => FailureState::Merged, _ => failure.state };
        let flags = match flag {
            0 => vec![Flag::Approximate],
            1 => vec![Flag::InTheFuture, Flag::EndBeforeStart],
            2 => vec![Flag::MergeCycle],
            _ => Vec::new(),
        };
        let deployment = deployment.map(|number| deployment_id(number).to_string());
        Failure { state, services, team, env, severity, flags, deployment, ..failure }
    }
}

prop_compose! {
    pub(crate) fn query()(
        (since, until) in prop_oneof![Just((minute(0), minute(MINUTES))), (moment(), moment())],
        by in select(Grouping::ALL),
        env in option::weighted(0.7, word(&ENVS)),
        interval in option::weighted(0.7, select(Interval::ALL)),
        zone in select(&ZONES[..]),
        (service, team) in (option::weighted(0.2, word(&SERVICES)), option::weighted(0.2, word(&TEAMS))),
        (compare, is_current) in (any::<bool>(), any::<bool>()),
        link_window in select(&[0_u64, 24, 72][..]),
    ) -> ReportQuery {
        let env = env.map_or(Env::All, Env::One);
        let timezone = TimeZone::posix(zone).unwrap();
        let (since, until) = (since.min(until), since.max(until));
        let as_of = if is_current { until } else { minute(2 * MINUTES) };
        let link_window = Duration::from_hours(link_window);
        ReportQuery { since, until, as_of, link_window, by, env, service, team, interval, compare, timezone }
    }
}
