//! A naive model: which deployments count, from everything that was told, without order, indexes or rows.

use std::collections::{BTreeMap, BTreeSet};

use pagerduty_dora::domain::deployment::Deployment;
use pagerduty_dora::domain::deployment_event::DeploymentState;
use pagerduty_dora::domain::timestamp::Timestamp;

use super::world::{Month, Told, minute};

/// A deployment that counts, by the fields that matter.
pub(super) type Counting = (String, String, String, Timestamp, Timestamp, Option<String>);

pub(super) fn counting(deployment: &Deployment) -> Counting {
    let Deployment { id, service, env, started_at, finished_at, commit_sha, .. } = deployment;
    (id.to_string(), service.clone(), env.clone(), *started_at, *finished_at, commit_sha.clone())
}

/// The configuration of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rules {
    /// No table.
    Default,
    /// Staging counts, too, and each deployment is one of two services.
    StagingAndTwoServices,
    /// The repository `cart` is ignored.
    NoCart,
}

/// The deployments that count under these rules.
pub(super) fn expected(month: &Month, rules: Rules) -> BTreeSet<Counting> {
    let submitted: Vec<Counting> = month.submitted.iter().map(counting).collect();
    let mut of_deployments: BTreeMap<(String, u64), BTreeMap<String, &Told>> = BTreeMap::new();
    for event in &month.events {
        let key = (event.source.clone(), event.number);
        of_deployments.entry(key).or_default().insert(event.id(), event);
    }
    let mut told = Vec::new();
    for events in of_deployments.values() {
        told.extend(of_one(events.values().copied().collect(), rules));
    }
    told.retain(|made| submitted.iter().all(|one| one.0 != made.0));
    let mut counting: Vec<(u8, Counting)> = submitted.into_iter().map(|made| (0, made)).collect();
    for (rank, source) in [(1, "github:"), (2, "gitlab:")] {
        let of_source: Vec<Counting> =
            told.iter().filter(|made| made.0.starts_with(source)).cloned().collect();
        for made in of_source {
            if !counting.iter().any(|(other, one)| *other < rank && is_same(one, &made)) {
                counting.push((rank, made));
            }
        }
    }
    counting.into_iter().map(|(_, made)| made).collect()
}

fn is_same(one: &Counting, other: &Counting) -> bool {
    let apart = one.3.as_nanos().abs_diff(other.3.as_nanos());
    (&one.1, &one.2) == (&other.1, &other.2)
        && one.5.is_some()
        && one.5 == other.5
        && apart <= 10 * 60 * 1_000_000_000
}

/// What the events of one deployment make.
fn of_one(mut events: Vec<&Told>, rules: Rules) -> Vec<Counting> {
    events.sort_by_key(|event| (event.minute, event.state, event.id()));
    let first = |state| events.iter().find(|event| event.state == state).copied();
    let Some(success) = first(DeploymentState::Succeeded) else { return Vec::new() };
    // The success knows best, then the latest event.
    let knows: Vec<&Told> = std::iter::once(success).chain(events.iter().rev().copied()).collect();
    let commit_sha = knows.iter().find_map(|event| event.commit_sha.clone());
    let created = knows.iter().find_map(|event| event.created);
    let begun = first(DeploymentState::InProgress).map(|event| event.minute);
    let not_late = |at: &u64| *at <= success.minute;
    let start = begun.filter(not_late).or_else(|| created.filter(not_late)).unwrap_or(success.minute);
    let end = success.minute;
    let (id, repository) = (success.deployment_id(), success.repository.clone());
    let environment = success.environment.clone().unwrap_or_default();
    let is_production = environment.eq_ignore_ascii_case("production");
    let made = |id: String, service: String, env: &str| {
        (id, service, env.to_owned(), minute(start), minute(end), commit_sha.clone())
    };
    match rules {
        Rules::NoCart if repository == "cart" => Vec::new(),
        Rules::Default | Rules::NoCart if !is_production => Vec::new(),
        Rules::Default | Rules::NoCart => vec![made(id, repository, "production")],
        Rules::StagingAndTwoServices => ["web", "worker"]
            .map(|part| {
                let service = format!("{repository}-{part}");
                made(format!("{id}:{service}"), service, &environment)
            })
            .to_vec(),
    }
}
