//! Reference model of links: slow, and written directly from the definitions.

use std::cmp::Reverse;
use std::time::Duration;

use crate::domain::deployment::Deployment;
use crate::domain::failure::{Details, Evaluated, FailureState};
use crate::domain::named::{begins_commit, is_none, readings, version_key};

/// The deployment that caused a failure.
pub(crate) fn cause<'a>(
    evaluated: &Evaluated,
    deployments: &'a [Deployment],
    link_window: Duration,
) -> Option<&'a Deployment> {
    let Evaluated { failure, details } = evaluated;
    let created_at = details.created_at.unwrap_or(failure.started_at);
    if names(details).iter().any(|name| is_none(name)) {
        return None;
    }
    named_cause(evaluated, deployments).or_else(|| {
        let before = deployments.iter().filter(|deployment| {
            is_own(evaluated, deployment)
                && deployment.env == failure.env
                && deployment.started_at <= created_at
                && created_at <= deployment.finished_at.saturating_add(link_window)
        });
        before.max_by_key(|deployment| (deployment.started_at, deployment.id.clone()))
    })
}

/// The deployment that fixed a failure with this cause.
fn names(details: &Details) -> Vec<&String> {
    details.named_deployments.iter().chain(&details.commit_sha).chain(&details.version).collect()
}

/// The cause that somebody named.
pub(crate) fn named_cause<'a>(
    evaluated: &Evaluated,
    deployments: &'a [Deployment],
) -> Option<&'a Deployment> {
    let names = names(&evaluated.details);
    let is_forbidden = names.iter().any(|name| is_none(name));
    names.iter().filter(|_| !is_forbidden).find_map(|name| named(evaluated, name, deployments))
}

pub(crate) fn remediation<'a>(
    evaluated: &Evaluated,
    cause: Option<&str>,
    deployments: &'a [Deployment],
) -> Option<&'a Deployment> {
    let Evaluated { failure, details } = evaluated;
    let end = failure.finished_at.filter(|_| failure.state == FailureState::Completed)?;
    let while_open = deployments.iter().filter(|deployment| {
        let at = deployment.started_at;
        let in_pause = |resolved, reopened| resolved <= at && at < reopened;
        is_own(evaluated, deployment)
            && deployment.env == failure.env
            && failure.started_at < at
            && at < end
            && details.pauses.iter().all(|pause| !in_pause(pause.resolved_at, pause.reopened_at))
            && cause != Some(deployment.id.as_str())
    });
    while_open.max_by_key(|deployment| (deployment.started_at, deployment.id.clone()))
}

fn is_own(Evaluated { failure, .. }: &Evaluated, deployment: &Deployment) -> bool {
    match (failure.services.as_slice(), &failure.team) {
        ([], Some(team)) => deployment.team.as_ref() == Some(team),
        ([], None) => false,
        (services, _) => services.contains(&deployment.service),
    }
}

/// The deployment that a name means: by id, then by commit, then by version. Each time, the name as it was written is
/// tried before its other readings.
fn named<'a>(evaluated: &Evaluated, name: &str, deployments: &'a [Deployment]) -> Option<&'a Deployment> {
    let all = || readings(name).into_iter();
    let by_id = || {
        all().find_map(|reading| {
            best(evaluated, deployments, |deployment| same(deployment.id.as_str(), reading))
        })
    };
    let by_commit = || all().find_map(|reading| commit(evaluated, reading, deployments));
    let by_version = || {
        all().find_map(|reading| {
            best(evaluated, deployments, |deployment| {
                let version = deployment.version.as_ref().filter(|_| is_own(evaluated, deployment))?;
                let loosely = (version_key(version) == version_key(reading)).then_some(2);
                same(version, reading).or(loosely)
            })
        })
    };
    by_id().or_else(by_commit).or_else(by_version)
}

fn same(known: &str, name: &str) -> Option<u8> {
    if known == name { Some(0) } else { (known.to_lowercase() == name.to_lowercase()).then_some(1) }
}

fn commit<'a>(evaluated: &Evaluated, name: &str, deployments: &'a [Deployment]) -> Option<&'a Deployment> {
    let lower = |deployment: &Deployment| deployment.commit_sha.as_ref().map(|sha| sha.to_lowercase());
    let distance = |deployment: &Deployment| {
        let sha = deployment.commit_sha.as_ref()?;
        let is_whole = sha.to_lowercase() == name.to_lowercase();
        if is_whole { Some(0) } else { begins_commit(sha, name).then_some(1) }
    };
    let found = best(evaluated, deployments, distance)?;
    let others = deployments.iter().filter(|deployment| {
        can_be_named(evaluated, deployment)
            && distance(deployment) == Some(1)
            && is_own(evaluated, deployment) == is_own(evaluated, found)
            && lower(deployment) != lower(found)
    });
    let is_ambiguous = distance(found) == Some(1) && others.count() > 0;
    (!is_ambiguous).then_some(found)
}

fn can_be_named(Evaluated { failure, .. }: &Evaluated, deployment: &Deployment) -> bool {
    deployment.env == failure.env && failure.finished_at.is_none_or(|end| deployment.started_at <= end)
}

/// The best of the deployments that fit. These criteria decide, in this order: the closest match, the failure's own
/// services (or team), a start before the creation, the latest start.
fn best<'a>(
    evaluated: &Evaluated,
    deployments: &'a [Deployment],
    distance: impl Fn(&Deployment) -> Option<u8>,
) -> Option<&'a Deployment> {
    let created_at = evaluated.details.created_at.unwrap_or(evaluated.failure.started_at);
    let fitting = deployments.iter().filter(|deployment| can_be_named(evaluated, deployment));
    let fitting = fitting.filter_map(|deployment| Some((distance(deployment)?, deployment)));
    let best = fitting.min_by_key(|(distance, deployment)| {
        let began_later = deployment.started_at > created_at;
        let latest = Reverse((deployment.started_at, deployment.id.clone()));
        (*distance, !is_own(evaluated, deployment), began_later, latest)
    });
    best.map(|(_, deployment)| deployment)
}
