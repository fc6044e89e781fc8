//! Statistics that say how sure a figure is: pure functions of counts and durations. They know no incident, no
//! period and no format.
//!
//! Every interval has a confidence of 95 %. Durations are whole nanoseconds, as everywhere in the domain; a negative
//! duration counts as zero. Ratios are `f64`, never NaN and never infinite. Where the data say nothing, the result is
//! `None`, not zero.

mod cohort;
mod comparison;
mod estimate;
mod event_rate;
mod log_rank;
mod median;
mod normal;
mod poisson;
mod proportion;
mod restore_curve;
mod settled;
mod steps;

pub use self::cohort::Cohort;
pub use self::comparison::{Difference, Verdict};
pub use self::estimate::Estimate;
pub use self::event_rate::EventRate;
pub use self::log_rank::LogRank;
pub use self::median::{MedianRanks, median, median_interval};
pub use self::poisson::poisson_mean;
pub use self::proportion::Proportion;
pub use self::restore_curve::{HalfWithin, RestoreCurve, RestoredWithin};
pub use self::settled::{SettledTally, is_pending};
pub use self::steps::{Step, Steps};

/// The 97.5 % quantile of the normal distribution: 95 % of the values lie between minus this and this.
const Z: f64 = 1.959_963_984_540_054;

/// The probability that each side of an interval leaves out.
const TAIL: f64 = 0.025;

/// Fewest values with an interval of their median. With five, the lowest and the highest enclose the true median in
/// only 93.75 % of samples.
const MIN_FOR_MEDIAN: usize = 6;

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53; a larger count loses less than 1 in 2^53")]
const fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
