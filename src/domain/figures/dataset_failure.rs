//! A failure as the figures see it. A report may hold a million of them.

use super::deployment_ref::DeploymentRef;
use crate::domain::timestamp::Timestamp;

/// Way in which the cause of a failure was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CauseFound {
    /// Somebody named it.
    ByName,
    /// By time: the latest deployment before the failure.
    ByTime,
    /// There is no cause, or none is known.
    Not,
}

/// Times of a failure, and its cause.
#[derive(Debug)]
pub(super) struct DatasetFailure {
    pub(super) started_at: Timestamp,
    /// [`OPEN`] while it is open. An `Option` would take eight bytes more.
    finished_at: Timestamp,
    /// Time to restore in nanoseconds. It has no meaning while the failure is open.
    pub(super) restored_ns: i64,
    /// [`DeploymentRef::NONE`] if no deployment of the dataset is its cause.
    cause: DeploymentRef,
    pub(super) cause_found: CauseFound,
}

/// End of an open failure. No failure ends at this time: it is after the accepted range of times.
const OPEN: Timestamp = Timestamp::from_nanos(i64::MAX);

impl DatasetFailure {
    /// A failure without a cause in the dataset.
    pub(super) fn new(
        started_at: Timestamp,
        finished_at: Option<Timestamp>,
        restored_ns: i64,
        cause_found: CauseFound,
    ) -> Self {
        let finished_at = finished_at.unwrap_or(OPEN);
        Self { started_at, finished_at, restored_ns, cause: DeploymentRef::NONE, cause_found }
    }

    /// Its end. `None` while it is open.
    pub(super) fn finished_at(&self) -> Option<Timestamp> {
        (self.finished_at != OPEN).then_some(self.finished_at)
    }

    /// Records the deployment that caused it.
    pub(super) fn set_cause(&mut self, cause: DeploymentRef) {
        self.cause = cause;
    }

    /// The deployment that caused it. `None` if it is not in the dataset.
    pub(super) fn cause(&self) -> Option<DeploymentRef> {
        (self.cause != DeploymentRef::NONE).then_some(self.cause)
    }
}
