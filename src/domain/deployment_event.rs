//! One event about a deployment, as GitHub or GitLab tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::SourceDeploymentId;
use super::timestamp::{Timestamp, nanos};

/// Content of an event about a deployment. The event's own time is the time at which the deployment came into this
/// state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutDeployment {
    /// The deployment, by the source's own id.
    pub deployment: SourceDeploymentId,
    /// State that the deployment came into.
    pub state: DeploymentState,
    /// Facts of the deployment in this event.
    pub facts: DeploymentFacts,
}

/// State of a deployment. Each source maps its own words to these.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentState {
    /// It waits for an approval, a timer, or a person.
    Waiting,
    /// It was accepted and has not begun.
    Queued,
    /// It runs.
    InProgress,
    /// A person did not approve it.
    Rejected,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed,
    /// It succeeded.
    Succeeded,
    /// It was replaced or taken down. Nearly always it had succeeded before.
    Inactive,
}

impl DeploymentState {
    /// Rank among events with the same time. States rank in the order in which a deployment passes through them.
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// Word in explanations.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// `true` if the deployment still waits or runs in this state.
    pub const fn is_unfinished(self) -> bool {
        matches!(self, Self::Waiting | Self::Queued | Self::InProgress)
    }

    /// The state in words, after "the deployment".
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Waiting => "waits",
            Self::Queued => "is queued",
            Self::InProgress => "is in progress",
            Self::Rejected => "was rejected",
            Self::Cancelled => "was cancelled",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
            Self::Inactive => "was replaced or taken down",
        }
    }
}

/// Facts of a deployment in an event. `None` means unknown. No text is blank, and no address has credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    /// Full name of the repository: `owner/name`, or GitLab's path with its groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Address of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<String>,
    /// Name of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Branch, tag or commit that was deployed, as it was named.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Path of the workflow's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Name of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Login of the person or program that deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// Task: `deploy`, or another word of the program that deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Tier of the environment: `production`, `staging`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Texts, numbers and booleans of the payload, by their keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<BTreeMap<String, String>>,
    /// `true` if the source says that the environment is production, `false` if it says that it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_production: Option<bool>,
    /// `true` if the source says that the environment will be removed, as that of a pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_transient: Option<bool>,
    /// The commit, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<String>,
    /// Creation time of the deployment, possibly long before it began.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nanos::option")]
    pub created_at: Option<Timestamp>,
}

impl DeploymentFacts {
    /// Fills in the facts that are unknown here and known there.
    pub fn fill_from(&mut self, other: &Self) {
        for_each_fact!(fill, self, other);
    }

    /// Forgets the facts that are known there.
    pub fn forget_known_in(&mut self, other: &Self) {
        for_each_fact!(forget, self, other);
    }
}

/// Applies a function to each fact of two sets of facts.
macro_rules! for_each_fact {
    ($function:ident, $these:expr, $others:expr) => {
        for_each_fact!(
            $function, $these, $others, repository, repository_url, environment, reference, workflow, job, creator, task,
            tier, payload, is_production, is_transient, commit_sha, created_at
        )
    };
    ($function:ident, $these:expr, $others:expr, $($fact:ident),+) => {{
        // A new fact does not compile until it is listed above.
        let DeploymentFacts { $($fact),+ } = $these;
        $($function($fact, $others.$fact.as_ref());)+
    }};
}
use for_each_fact;

fn fill<T: Clone>(fact: &mut Option<T>, other: Option<&T>) {
    if fact.is_none() {
        *fact = other.cloned();
    }
}

fn forget<T>(fact: &mut Option<T>, other: Option<&T>) {
    if other.is_some() {
        *fact = None;
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn states_of_the_same_second_are_ordered_as_they_follow_each_other() {
        let states = DeploymentState::VARIANTS;
        assert!(states.is_sorted_by(|a, b| a.rank() < b.rank()), "{states:?}");
    }

    #[test]
    fn known_facts_are_not_replaced() {
        let facts = |environment: Option<&str>, job: Option<&str>| DeploymentFacts {
            environment: environment.map(str::to_owned),
            job: job.map(str::to_owned),
            ..DeploymentFacts::default()
        };
        let mut filled = facts(Some("production"), None);
        filled.fill_from(&facts(Some("staging"), Some("deploy")));
        assert_eq!(filled, facts(Some("production"), Some("deploy")));
        let mut left = facts(Some("staging"), Some("deploy"));
        left.forget_known_in(&facts(Some("production"), None));
        assert_eq!(left, facts(None, Some("deploy")));
    }
}
