//! Constants that all intervals share, and counts as numbers.

/// The 97.5 % quantile of the normal distribution: 95 % of the values lie between minus this and this.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The probability that each side of an interval leaves out.
pub(super) const TAIL: f64 = 0.025;

/// Fewest values with an interval of their median. With five, the lowest and the highest enclose the true median in
/// only 93.75 % of samples.
pub(super) const MIN_FOR_MEDIAN: usize = 6;

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53; a larger count loses less than 1 in 2^53")]
pub(super) const fn real(count: usize) -> f64 {
    count as f64
}
