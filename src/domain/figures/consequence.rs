//! Outcome of a deployment that failures are linked to, from the facts of these.

use crate::domain::timestamp::Timestamp;

/// Other facts of a failure that figures need.
#[derive(Debug)]
pub(super) struct FailureFacts {
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    /// Time to restore in nanoseconds; without meaning while the failure is open.
    pub(super) restored_ns: i64,
}

/// Time to recover from a failed deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nanoseconds from its end on: zero if the failures were over by then.
    After(i64),
    /// The first unbroken stretch of its failures is not over.
    Open,
    /// The times of a failure in the stretch are in doubt (rule 14).
    Unknown,
}

/// The first unbroken stretch of a deployment's failures, as far as they were met, by their start.
#[derive(Debug)]
pub(super) struct FailureRun {
    /// `None`: it is not over.
    end: Option<Timestamp>,
    has_good_times_only: bool,
    /// A later failure left a gap: what comes now is of no stretch.
    is_broken: bool,
}

impl FailureRun {
    /// Stretch that begins with the first failure.
    pub(super) fn of(first: &FailureFacts, has_good_times: bool) -> Self {
        Self { end: first.finished_at, has_good_times_only: has_good_times, is_broken: false }
    }

    /// Goes on with the next one.
    pub(super) fn extend(&mut self, next: &FailureFacts, has_good_times: bool) {
        // One that begins at the very end of another leaves no gap.
        self.is_broken |= self.end.is_some_and(|end| next.started_at > end);
        if !self.is_broken {
            self.end = self.end.and_then(|end| next.finished_at.map(|other| end.max(other)));
            self.has_good_times_only &= has_good_times;
        }
    }

    /// From a deployment's end to that of the stretch.
    pub(super) fn recovery(&self, finished_at: Timestamp) -> Recovery {
        match self.end {
            None => Recovery::Open,
            Some(end) if self.has_good_times_only => Recovery::After(end.nanos_since(finished_at).max(0)),
            Some(_) => Recovery::Unknown,
        }
    }
}
