//! Deployments as people see them: with the failures that they caused and fixed.

use std::time::Duration;

use super::deployment::Deployment;
use super::import::IMPORTED;
use super::source_name::SourceName;
use super::timestamp::Timestamp;

/// A deployment, and everything that follows from its links to failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// The deployment itself.
    pub deployment: Deployment,
    /// Source that told of it. [`SourceName::API`]: it was sent to the event API.
    pub source: SourceName,
    /// Ids of the failures that it caused and that count, in the order of their starts.
    pub failures: Vec<String>,
    /// The deployment that fixed its failures.
    pub remediation: Option<Deployment>,
    /// Ids of the failures that it fixed, in the order of their starts.
    pub remediates: Vec<String>,
    /// `true` if it brought back an earlier version.
    pub is_rollback: bool,
    /// `true` if a failure that begins later can still be linked to it automatically.
    pub is_pending: bool,
    /// Reason for ignoring it. `None` if it counts.
    pub ignored_because: Option<String>,
    /// `false` if it does not count and still waits or runs. Then its end is the time of its last event.
    pub has_ended: bool,
}

impl DeploymentView {
    /// `true` if it caused a failure that counts.
    pub const fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// `true` if it was imported from another system, and not sent here since.
    pub fn is_imported(&self) -> bool {
        self.source == SourceName::API && self.deployment.tags.contains(IMPORTED)
    }

    /// The end. `None` if it has not ended.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.has_ended.then_some(self.deployment.finished_at)
    }
}

/// Decides which deployments are pending.
#[derive(Debug, Clone, Copy)]
pub struct PendingRule {
    /// Longest time from the end of a deployment to a failure that it caused.
    pub link_window: Duration,
    /// The present time.
    pub now: Timestamp,
}

impl PendingRule {
    /// Time from which on a deployment with this end is not pending any more.
    pub fn settled_at(&self, finished_at: Timestamp) -> Timestamp {
        finished_at.saturating_add(self.link_window)
    }

    /// `true` if a deployment with this end is pending.
    pub fn is_pending(&self, finished_at: Timestamp) -> bool {
        self.settled_at(finished_at) > self.now
    }
}
