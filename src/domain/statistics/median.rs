//! The median, and its interval from the order of the values alone.

use super::constants::{MIN_FOR_MEDIAN, TAIL, real};

/// Weights below this do not change a sum of weights that begins with 1.
const NEGLIGIBLE: f64 = 1e-20;

/// The middle one of sorted values, or the mean of the two in the middle. `None` without a value.
pub fn median(sorted: &[i64]) -> Option<i64> {
    let n = sorted.len();
    let low = sorted.get(n.checked_sub(1)? / 2)?;
    let high = sorted.get(n / 2)?;
    i64::try_from(i128::midpoint((*low).into(), (*high).into())).ok()
}

/// The 95 % interval of the median of the distribution that sorted values come from: two of the values. `None` for
/// fewer than six.
pub fn median_interval(sorted: &[i64]) -> Option<(i64, i64)> {
    let ranks = MedianRanks::of(sorted.len())?;
    Some((*sorted.get(ranks.low - 1)?, *sorted.get(ranks.high - 1)?))
}

/// Places of the two sorted values that enclose the median with a probability of at least 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MedianRanks {
    low: usize,
    high: usize,
    coverage: f64,
}

impl MedianRanks {
    /// The ranks for a sample of n: the greatest `r` with `P(Bin(n, 1/2) <= r - 1) <= 0.025`, and `n + 1 - r`. `None`
    /// for n < 6: not even the lowest and the highest value are 95 % sure.
    ///
    /// Needs time in proportion to the square root of n.
    pub fn of(n: usize) -> Option<Self> {
        if n < MIN_FOR_MEDIAN {
            return None;
        }
        let middle = n / 2;
        // Two middle weights for odd n, one for even n.
        let first = if n.is_multiple_of(2) { 1.0 } else { 2.0 };
        let total = first + 2.0 * weights_below(n, middle).map(|(_, weight)| weight).sum::<f64>();
        let mut inside = first;
        for (rank, weight) in weights_below(n, middle) {
            inside += 2.0 * weight;
            let coverage = inside / total;
            if coverage >= 1.0 - 2.0 * TAIL {
                return (rank > 0).then(|| Self { low: rank, high: n + 1 - rank, coverage });
            }
        }
        None
    }

    /// Rank of the lower bound, counted from 1.
    pub const fn low(self) -> usize {
        self.low
    }

    /// Rank of the upper bound, counted from 1.
    pub const fn high(self) -> usize {
        self.high
    }

    /// Probability that the interval encloses the median: 0.95 or more, because ranks are whole.
    pub const fn coverage(self) -> f64 {
        self.coverage
    }
}

/// `C(n, k) / C(n, middle)` for each k below the middle, downwards, as far as the weights matter.
fn weights_below(n: usize, middle: usize) -> impl Iterator<Item = (usize, f64)> {
    let mut weight = 1.0;
    (0..middle).rev().map_while(move |k| {
        weight *= real(k + 1) / real(n - k);
        (weight > NEGLIGIBLE).then_some((k, weight))
    })
}
