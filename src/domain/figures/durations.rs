//! Statistics of durations, computed in whole nanoseconds and converted to seconds in the last step.

use serde::{Deserialize, Serialize};

use crate::domain::failure::seconds;
use crate::domain::statistics::{median, median_interval};

/// Fewest durations with a 90th percentile.
const FEWEST_FOR_P90: usize = 10;

/// Times to restore of incidents, in seconds; null if there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RestoreTimes {
    /// Sample size. Incidents with doubtful times are left out.
    pub n: usize,
    /// The mean, known as MTTR.
    pub mean: Option<f64>,
    /// The middle one, or the mean of the two in the middle.
    pub median: Option<f64>,
    /// Lower bound of the median's 95 % interval. Null for fewer than six.
    pub median_low: Option<f64>,
    /// Upper bound of the median's 95 % interval.
    pub median_high: Option<f64>,
    /// The shortest that at least nine in ten do not exceed (nearest rank). Null for fewer than ten.
    pub p90: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// Times to recover from failed deployments, in seconds; null if there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecoveryTimes {
    /// Sample size. Recoveries that have not ended, and those with doubtful times, are left out.
    pub n: usize,
    /// Failed deployments that have not been recovered from.
    pub open: usize,
    /// The mean.
    pub mean: Option<f64>,
    /// The middle one, or the mean of the two in the middle.
    pub median: Option<f64>,
    /// Lower bound of the median's 95 % interval. Null for fewer than six.
    pub median_low: Option<f64>,
    /// Upper bound of the median's 95 % interval.
    pub median_high: Option<f64>,
    /// The shortest that at least nine in ten do not exceed (nearest rank). Null for fewer than ten.
    pub p90: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl RestoreTimes {
    /// Statistic of several lists together.
    pub(super) fn of(lists: &[&Durations]) -> Self {
        let Statistic { n, mean, median, median_low, median_high, p90, max } = Statistic::of(lists);
        Self { n, mean, median, median_low, median_high, p90, max }
    }
}

impl RecoveryTimes {
    /// Statistic of several lists together, and the number of failed deployments that have not been recovered from.
    pub(super) fn of(lists: &[&Durations], open: usize) -> Self {
        let Statistic { n, mean, median, median_low, median_high, p90, max } = Statistic::of(lists);
        Self { n, open, mean, median, median_low, median_high, p90, max }
    }
}

/// Durations in nanoseconds, none of them negative.
#[derive(Debug, Default)]
pub(super) struct Durations(Vec<i64>);

struct Statistic {
    n: usize,
    mean: Option<f64>,
    median: Option<f64>,
    median_low: Option<f64>,
    median_high: Option<f64>,
    p90: Option<f64>,
    max: Option<f64>,
}

impl Durations {
    pub(super) fn push(&mut self, nanos: i64) {
        self.0.push(nanos);
    }

    /// Number of durations.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Statistic {
    fn of(lists: &[&Durations]) -> Self {
        let lists: Vec<&[i64]> = lists.iter().map(|durations| durations.0.as_slice()).collect();
        let mut sorted = lists.concat();
        sorted.sort_unstable();
        let sorted = sorted.as_slice();
        let n = sorted.len();
        // Of fewer, the 90th percentile would be the longest.
        let p90 = if n < FEWEST_FOR_P90 { None } else { sorted.get((9 * n).div_ceil(10) - 1).copied() };
        let interval = median_interval(sorted);
        Self {
            n,
            mean: mean(sorted).map(seconds),
            median: median(sorted).map(seconds),
            median_low: interval.map(|(low, _)| seconds(low)),
            median_high: interval.map(|(_, high)| seconds(high)),
            p90: p90.map(seconds),
            max: sorted.last().copied().map(seconds),
        }
    }
}

/// Mean, computed in 128 bits. The sum of a hundred incidents of three years each exceeds 64 bits.
fn mean(nanos: &[i64]) -> Option<i64> {
    let sum: i128 = nanos.iter().copied().map(i128::from).sum();
    let mean = sum.checked_div(i128::try_from(nanos.len()).ok()?)?;
    i64::try_from(mean).ok()
}

/// Converts seconds to nanoseconds, in whole microseconds. This is the inverse of [`seconds`].
#[expect(clippy::cast_possible_truncation, reason = "values outside the range become its limits")]
pub(super) fn nanos(seconds: f64) -> i64 {
    ((seconds * 1e6).round() as i64).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: impl IntoIterator<Item = i64>) -> [Option<f64>; 4] {
        let durations = Durations(seconds.into_iter().map(|seconds| seconds * 1_000_000_000).collect());
        let Statistic { mean, median, p90, max, .. } = Statistic::of(&[&durations]);
        [mean, median, p90, max]
    }

    #[test]
    fn without_durations_there_is_no_statistic() {
        assert_eq!(of([]), [None; 4]);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_two_in_the_middle() {
        assert_eq!(of([7]), [Some(7.0), Some(7.0), None, Some(7.0)]);
        assert_eq!(of([9, 1, 2]), [Some(4.0), Some(2.0), None, Some(9.0)]);
        assert_eq!(of([9, 1, 2, 5])[1], Some(3.5));
    }

    #[test]
    fn p90_uses_the_nearest_rank() {
        assert_eq!(of(1..=10)[2], Some(9.0));
        assert_eq!(of(1..=11)[2], Some(10.0));
        assert_eq!(of(1..=9)[2], None, "of fewer than ten it would be the longest");
        assert_eq!(of(1..=100)[2], Some(90.0));
    }

    #[test]
    fn sums_may_exceed_64_bits() {
        let three_centuries = i64::MAX / 1_000_000_000;
        assert_eq!(of([three_centuries; 100])[0], of([three_centuries])[0]);
    }

    #[test]
    fn seconds_converted_to_nanoseconds_and_back_are_the_same() {
        for text in [0.0, 0.000_001, 2530.5, 4_102_444_800.123_456] {
            assert_eq!(seconds(nanos(text)).to_bits(), f64::to_bits(text), "{text}");
        }
    }
}
