//! Deployments, as they are sent to the event API.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::DeploymentId;
use super::timestamp::{Timestamp, nanos};

/// Number of digits of a short commit, as git shows it.
const SHORT_COMMIT: usize = 7;

/// Validated attributes of `POST /api/v2/dora/deployment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The id that was sent. If none was sent, an id made from the content.
    pub id: DeploymentId,
    /// Service that was deployed.
    pub service: String,
    /// Team that it belongs to: the team that was sent, else the service's team.
    pub team: Option<String>,
    /// Env that it was deployed to: the env that was sent, else `failure.default_env`.
    pub env: String,
    /// Start of the deployment.
    #[serde(with = "nanos")]
    pub started_at: Timestamp,
    /// End of the deployment: the end that was sent, else the start.
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
    /// Sort key: the start, then the id.
    pub const fn order(&self) -> (Timestamp, &DeploymentId) {
        (self.started_at, &self.id)
    }

    /// The first digits of its commit.
    pub fn short_commit(&self) -> Option<&str> {
        let commit_sha = self.commit_sha.as_deref()?;
        Some(commit_sha.get(..SHORT_COMMIT).unwrap_or(commit_sha))
    }

    /// Its version or, if it has none, its short commit.
    pub fn version_or_commit(&self) -> Option<&str> {
        self.version.as_deref().or_else(|| self.short_commit())
    }

    /// Name for people: the service, and the version or short commit.
    pub fn display_name(&self) -> String {
        match self.version_or_commit() {
            Some(deployed) => format!("{} {deployed}", self.service),
            None => self.service.clone(),
        }
    }
}

/// Deployments, indexed for searches.
#[derive(Debug, Default)]
pub struct Deployments {
    /// All deployments, sorted by start and id.
    pub(super) all: Vec<Deployment>,
    /// Positions in `all` by service, ascending.
    pub(super) by_service: BTreeMap<String, Vec<usize>>,
    /// Positions in `all` by team, ascending.
    pub(super) by_team: BTreeMap<String, Vec<usize>>,
}

impl Deployments {
    /// Sorts and indexes deployments.
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

    /// All deployments, sorted by start and id.
    pub fn as_slice(&self) -> &[Deployment] {
        &self.all
    }

    /// `true` if a deployment is a rollback: its version was deployed to the same service and env before, and differs
    /// from the version deployed just before it. Without a version, the commit is compared.
    pub fn is_rollback(&self, deployment: &Deployment) -> bool {
        let version_or_commit = |deployment: &Deployment| {
            let commit_sha = deployment.commit_sha.as_deref().map(str::to_ascii_lowercase);
            deployment.version.clone().or(commit_sha)
        };
        let Some(deployed) = version_or_commit(deployment) else { return false };
        let earlier =
            self.by_service.get(&deployment.service).into_iter().flatten().map(|index| &self.all[*index]);
        let is_earlier = |other: &&Deployment| other.order() < deployment.order();
        let mut earlier: Vec<_> =
            earlier.filter(|other| other.env == deployment.env && is_earlier(other)).collect();
        let previous = earlier.pop().and_then(version_or_commit);
        previous.is_some()
            && previous.as_ref() != Some(&deployed)
            && earlier.into_iter().any(|other| version_or_commit(other).as_ref() == Some(&deployed))
    }
}

#[cfg(test)]
pub(crate) mod tests;
