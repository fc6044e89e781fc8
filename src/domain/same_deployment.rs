//! Deployments that two sources tell of, such as the pipeline and a webhook: only one of them counts.
//!
//! Two deployments of different sources are the same if service, env and commit are equal and their starts are at most
//! [`LONGEST_APART`] apart. The one of the earlier source counts. The decision depends on the set of the deployments only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::deployment::Deployment;
use super::id::DeploymentId;

/// Longest time between the starts of a deployment as two sources tell of it.
///
/// A pipeline sends its own start. A webhook has the start of the job, before the runner has prepared the machine.
pub const LONGEST_APART: Duration = Duration::from_mins(10);

/// A deployment that counts unless an earlier source tells of the same one.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// Rank of its source ([`super::source::Sources::deployment_rank`]): the lowest one counts.
    pub rank: usize,
}

impl Candidate<'_> {
    /// `true` if both are the same deployment, told by different sources.
    pub fn is_same(&self, other: &Self) -> bool {
        let (one, two) = (self.deployment, other.deployment);
        let is_same_commit = match (&one.commit_sha, &two.commit_sha) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        };
        self.rank != other.rank
            && is_same_commit
            && one.service == two.service
            && one.env == two.env
            && self.nanos_apart(other) <= LONGEST_APART.as_nanos()
    }

    fn nanos_apart(&self, other: &Self) -> u128 {
        let nanos = self.deployment.started_at.nanos_since(other.deployment.started_at);
        u128::from(nanos.unsigned_abs())
    }
}

/// The deployments that do not count, each with the deployment that counts in its place.
///
/// A duplicate replaces no other deployment. So a decision depends only on deployments of earlier sources: among N
/// sources, on those that began at most (N − 1) × [`LONGEST_APART`] apart.
pub fn duplicates<'a>(candidates: &[Candidate<'a>]) -> BTreeMap<&'a DeploymentId, &'a DeploymentId> {
    let mut in_order: Vec<&Candidate<'a>> = candidates.iter().collect();
    in_order.sort_by_key(|candidate| (candidate.rank, candidate.deployment.order()));
    let (mut counting, mut duplicates) = (Vec::<&Candidate<'a>>::new(), BTreeMap::new());
    for candidate in in_order {
        let same = counting.iter().filter(|other| other.is_same(candidate));
        // The nearest one. The lowest rank and the earliest start decide between equals.
        match same.min_by_key(|other| other.nanos_apart(candidate)) {
            Some(first) => {
                duplicates.insert(&candidate.deployment.id, &first.deployment.id);
            }
            None => counting.push(candidate),
        }
    }
    duplicates
}

#[cfg(test)]
mod tests;
