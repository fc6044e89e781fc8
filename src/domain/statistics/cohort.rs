//! Failures that are followed from their start to their end, or to the moment up to which everything is known.

/// Durations of failures that began in one period, in nanoseconds: times to restore of those that ended, ages of
/// those that are open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohort {
    ended: Vec<i64>,
    open: Vec<i64>,
}

impl Cohort {
    /// Adds a failure that ended after `nanos`.
    pub fn push_ended(&mut self, nanos: i64) {
        self.ended.push(nanos.max(0));
    }

    /// Adds a failure that has been open for `nanos`.
    pub fn push_open(&mut self, nanos: i64) {
        self.open.push(nanos.max(0));
    }

    /// Times to restore of the failures that ended, in the order in which they were added.
    pub(super) fn ended(&self) -> &[i64] {
        &self.ended
    }

    /// Ages of the failures that are open, in the order in which they were added.
    pub(super) fn open(&self) -> &[i64] {
        &self.open
    }
}
