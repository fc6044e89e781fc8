//! Failures that are followed from their start to their end, or to the moment up to which everything is known.

use super::restore_curve::RestoreCurve;

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

    /// Adds the failures of another cohort.
    pub fn extend(&mut self, other: &Self) {
        self.ended.extend_from_slice(&other.ended);
        self.open.extend_from_slice(&other.open);
    }

    /// Number of failures.
    pub fn len(&self) -> usize {
        self.ended.len() + self.open.len()
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sorts the durations. The curve reads them in this order.
    pub fn into_curve(mut self) -> RestoreCurve {
        self.ended.sort_unstable();
        self.open.sort_unstable();
        RestoreCurve::of_sorted(self.ended, self.open)
    }
}
