//! Recovery from a failed deployment, computed from the failures that it caused.

use super::dataset_failure::DatasetFailure;
use crate::domain::timestamp::Timestamp;

/// Time to recover from a failed deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nanoseconds from the deployment's end to the end of its failures.
    After(i64),
    /// The first unbroken run of its failures has not ended.
    Open,
    /// There is no recovery time: the run was over before the deployment had ended, or the times of a failure in it are
    /// in doubt (rule 14).
    Unknown,
}

/// The first unbroken run of a deployment's failures. The failures are added in the order of their starts.
#[derive(Debug)]
pub(super) struct FailureRun {
    /// End of the run; `None` while it is open.
    end: Option<Timestamp>,
    has_good_times_only: bool,
    /// `true` once there was a gap. Later failures are not in the run.
    is_broken: bool,
}

impl FailureRun {
    /// Run that begins with the first failure.
    pub(super) fn of(first: &DatasetFailure, has_good_times: bool) -> Self {
        Self { end: first.finished_at(), has_good_times_only: has_good_times, is_broken: false }
    }

    /// Adds the next failure.
    pub(super) fn extend(&mut self, next: &DatasetFailure, has_good_times: bool) {
        // A failure that begins exactly when another ends leaves no gap.
        self.is_broken |= self.end.is_some_and(|end| next.started_at > end);
        if !self.is_broken {
            self.end = self.end.and_then(|end| next.finished_at().map(|other| end.max(other)));
            self.has_good_times_only &= has_good_times;
        }
    }

    /// Time from a deployment's end to the end of the run.
    pub(super) fn recovery(&self, finished_at: Timestamp) -> Recovery {
        match self.end {
            None => Recovery::Open,
            Some(end) if self.has_good_times_only && end >= finished_at => {
                Recovery::After(end.nanos_since(finished_at))
            }
            Some(_) => Recovery::Unknown,
        }
    }
}
