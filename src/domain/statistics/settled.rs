//! Fail rate of deployments that have had the time to fail.

use super::proportion::Proportion;

/// `true` while a failure that begins now could still be linked to the deployment. Arguments in nanoseconds.
///
/// Only the age decides, never the outcome. Failed deployments would leave the state early, and the rate over the
/// others would be too high.
pub const fn is_pending(finished_at: i64, link_window: i64, as_of: i64) -> bool {
    finished_at.saturating_add(link_window) > as_of
}

/// Counts of deployments, and of those that are settled: not pending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettledTally {
    deployments: usize,
    failed: usize,
    settled: usize,
    settled_failed: usize,
}

impl SettledTally {
    /// Counts a deployment.
    pub const fn count(&mut self, is_pending: bool, has_failed: bool) {
        let (settled, failed) = (!is_pending as usize, has_failed as usize);
        self.deployments += 1;
        self.failed += failed;
        self.settled += settled;
        self.settled_failed += settled * failed;
    }

    /// Adds the counts of another tally.
    pub const fn add(&mut self, other: Self) {
        self.deployments += other.deployments;
        self.failed += other.failed;
        self.settled += other.settled;
        self.settled_failed += other.settled_failed;
    }

    /// Number of deployments.
    pub const fn deployments(self) -> usize {
        self.deployments
    }

    /// Number of failed deployments.
    pub const fn failed(self) -> usize {
        self.failed
    }

    /// Number of pending deployments, failed or not.
    pub const fn pending(self) -> usize {
        self.deployments - self.settled
    }

    /// Failed deployments of all deployments. `None` without a deployment.
    pub const fn fail_rate(self) -> Option<Proportion> {
        Proportion::new(self.failed, self.deployments)
    }

    /// Failed deployments of the settled ones. `None` if no deployment is settled.
    pub const fn settled_fail_rate(self) -> Option<Proportion> {
        Proportion::new(self.settled_failed, self.settled)
    }
}
