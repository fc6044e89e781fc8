//! Deployments, as they come by the event API.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::DeploymentId;
use super::timestamp::{Timestamp, nanos};

/// The attributes of `POST /api/v2/dora/deployment`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The id that was sent, or the one made from the content.
    pub id: DeploymentId,
    /// Service that was deployed.
    pub service: String,
    /// Team that it belongs to. If none was sent, the service's.
    pub team: Option<String>,
    /// Env that it was deployed to. If none was sent, the configured one.
    pub env: String,
    /// Start of the deployment.
    #[serde(with = "nanos")]
    pub started_at: Timestamp,
    /// End of the deployment. If none was sent, its start.
    #[serde(with = "nanos")]
    pub finished_at: Timestamp,
    /// Its version.
    pub version: Option<String>,
    /// Its commit, in full.
    pub commit_sha: Option<String>,
    /// The repository of that commit.
    pub repository_url: Option<String>,
    /// `key:value` tags.
    pub tags: BTreeSet<String>,
}

impl Deployment {
    /// By start; the id decides among equals.
    pub const fn order(&self) -> (Timestamp, &DeploymentId) {
        (self.started_at, &self.id)
    }
}

/// Deployments, to be searched.
#[derive(Debug, Default)]
pub struct Deployments {
    /// In their order.
    pub(super) all: Vec<Deployment>,
    /// In the order of `all`.
    pub(super) by_service: BTreeMap<String, Vec<usize>>,
    pub(super) by_team: BTreeMap<String, Vec<usize>>,
}

impl Deployments {
    /// Indexes them.
    pub fn new(mut all: Vec<Deployment>) -> Self {
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut deployments = Self::default();
        for (index, deployment) in all.iter().enumerate() {
            deployments.by_service.entry(deployment.service.clone()).or_default().push(index);
            if let Some(team) = &deployment.team {
                deployments.by_team.entry(team.clone()).or_default().push(index);
            }
        }
        Self { all, ..deployments }
    }

    /// All of them, by start and id.
    pub fn as_slice(&self) -> &[Deployment] {
        &self.all
    }

    /// `true` if a deployment is a rollback: its version (or commit) was deployed before to its service and env,
    /// and not just before it.
    pub fn is_rollback(&self, deployment: &Deployment) -> bool {
        let what = |deployment: &Deployment| {
            let commit_sha = deployment.commit_sha.as_deref().map(str::to_ascii_lowercase);
            deployment.version.clone().or(commit_sha)
        };
        let Some(deployed) = what(deployment) else { return false };
        let earlier =
            self.by_service.get(&deployment.service).into_iter().flatten().map(|index| &self.all[*index]);
        let is_earlier = |other: &&Deployment| other.order() < deployment.order();
        let mut earlier: Vec<_> =
            earlier.filter(|other| other.env == deployment.env && is_earlier(other)).collect();
        let before = earlier.pop().and_then(what);
        before.is_some()
            && before.as_ref() != Some(&deployed)
            && earlier.into_iter().any(|other| what(other).as_ref() == Some(&deployed))
    }
}

#[cfg(test)]
pub(crate) mod tests;
