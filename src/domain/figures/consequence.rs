//! What deployments have to do with failures: which failed, when they were recovered from, which mended something.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::deployment::Deployment;
use crate::domain::failure::Failure;
use crate::domain::timestamp::Timestamp;

/// How long it took to recover from a failed deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// That many nanoseconds from its end on: zero where the failures were over by then.
    After(i64),
    /// The first unbroken stretch of its failures is not over.
    Open,
    /// The times of a failure in the stretch are in doubt (rule 14).
    Unknown,
}

/// What became of deployments.
#[derive(Debug)]
pub(super) struct Consequences<'a> {
    /// The failures linked to each deployment that has some, by its id.
    linked: HashMap<&'a str, Vec<&'a Failure>>,
    /// The ids of those that mended a failure.
    remediations: HashSet<&'a str>,
}

impl<'a> Consequences<'a> {
    /// Of deployments by `(started_at, id)`, and failures that count.
    pub(super) fn of(incidents: &[&'a Failure], deployments: &[&'a Deployment]) -> Self {
        let mut envs = HashMap::new();
        let mut by_service: BTreeMap<(&str, &str), Vec<&Deployment>> = BTreeMap::new();
        for deployment in deployments {
            envs.insert(deployment.id.as_str(), deployment.env.as_str());
            by_service.entry((&deployment.service, &deployment.env)).or_default().push(deployment);
        }
        let mut linked: HashMap<&str, Vec<&Failure>> = HashMap::new();
        for failure in incidents {
            // Somebody may name a deployment to another env. Each env is compared with itself.
            if let Some(id) = failure.deployment.as_deref()
                && envs.get(id) == Some(&failure.env.as_str())
            {
                linked.entry(id).or_default().push(failure);
            }
        }
        let remediations = incidents
            .iter()
            .filter_map(|failure| remediation(failure, &by_service))
            .map(|deployment| deployment.id.as_str())
            .collect();
        Self { linked, remediations }
    }

    /// How a deployment was recovered from. `None` where it did not fail.
    pub(super) fn recovery(&self, deployment: &Deployment) -> Option<Recovery> {
        let failures = self.linked.get(deployment.id.as_str())?;
        Some(recovery(deployment.finished_at, failures.clone()))
    }

    /// Whether it mended a failure.
    pub(super) fn is_remediation(&self, deployment: &Deployment) -> bool {
        self.remediations.contains(deployment.id.as_str())
    }
}

/// The last deployment of a failure's services and env that started while it was open. What caused it is none.
fn remediation<'a>(
    failure: &Failure,
    by_service: &BTreeMap<(&str, &str), Vec<&'a Deployment>>,
) -> Option<&'a Deployment> {
    let last = |service: &String| {
        let own = by_service.get(&(service.as_str(), failure.env.as_str()))?;
        let begun_by_the_end = failure
            .finished_at
            .map_or(own.len(), |end| own.partition_point(|deployment| deployment.started_at < end));
        let latest_first = own[..begun_by_the_end].iter().rev();
        latest_first
            .take_while(|deployment| deployment.started_at >= failure.started_at)
            .find(|deployment| failure.deployment.as_deref() != Some(deployment.id.as_str()))
            .copied()
    };
    failure.services.iter().filter_map(last).max_by_key(|deployment| (deployment.started_at, &deployment.id))
}

/// From a deployment's end to the end of the first unbroken stretch of its failures.
fn recovery(finished_at: Timestamp, mut failures: Vec<&Failure>) -> Recovery {
    failures.sort_by_key(|failure| failure.started_at);
    let mut end: Option<Timestamp> = None;
    let mut has_good_times_only = true;
    for failure in failures {
        // One that begins at the very end of another leaves no gap.
        if end.is_some_and(|end| failure.started_at > end) {
            break;
        }
        let Some(failure_end) = failure.finished_at else { return Recovery::Open };
        end = end.max(Some(failure_end));
        has_good_times_only &= failure.has_good_times();
    }
    match end {
        Some(end) if has_good_times_only => Recovery::After(end.nanos_since(finished_at).max(0)),
        _ => Recovery::Unknown,
    }
}
