//! Statistics that say how sure a figure is: pure functions of counts and durations. They know no incident, no
//! period and no format.
//!
//! Every interval has a confidence of 95 %. Durations are whole nanoseconds, as everywhere in the domain; a negative
//! duration counts as zero. Ratios are `f64`, never NaN and never infinite. Where the data say nothing, the result is
//! `None`, not zero.

pub mod binomial;
mod cohort;
mod comparison;
mod constants;
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

#[cfg(test)]
mod tests;
