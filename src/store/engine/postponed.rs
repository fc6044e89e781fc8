//! Jobs that a writer tries again, because another process held a lock, or their statement took too long.

use std::time::Instant;

use super::job::Job;

/// Jobs that are tried again, and the reason of the last one.
#[derive(Default)]
pub(super) struct Postponed {
    /// Each with the time at which it was held up first. `None` if it was not tried yet.
    pub(super) jobs: Vec<(Box<dyn Job>, Option<Instant>)>,
    pub(super) error: String,
}

impl Postponed {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}
