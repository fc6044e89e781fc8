//! The interval of a share: so many of so many.

use super::constants::{Z, real};
use super::estimate::Estimate;

/// A part of a whole that is not empty: failed deployments of all deployments, for example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    part: usize,
    whole: usize,
}

impl Proportion {
    /// `part` of `whole`. `None` if the whole is empty, or if the part is greater than the whole.
    pub const fn new(part: usize, whole: usize) -> Option<Self> {
        if whole > 0 && part <= whole { Some(Self { part, whole }) } else { None }
    }

    /// The part.
    pub const fn part(self) -> usize {
        self.part
    }

    /// The whole, which is the sample size.
    pub const fn whole(self) -> usize {
        self.whole
    }

    /// The share and its Wilson score interval, all within 0 and 1. The lower bound of none is exactly 0, the upper
    /// bound of all is exactly 1.
    ///
    /// Source: Wilson 1927; recommended for small samples by Brown, Cai and `DasGupta`, Statistical Science 16 (2001).
    /// The usual interval (Wald) is not used: it says 0 to 0 for none of five.
    pub fn estimate(self) -> Estimate {
        let n = real(self.whole);
        let (p, q) = (real(self.part) / n, real(self.whole - self.part) / n);
        let z2_per_n = Z * Z / n;
        let centre = p + z2_per_n / 2.0;
        let half_width = Z * (p * q / n + z2_per_n / (4.0 * n)).sqrt();
        // Rounding may leave the bound of all a little beside 1, and another one above it.
        let high =
            if self.part == self.whole { 1.0 } else { ((centre + half_width) / (1.0 + z2_per_n)).min(1.0) };
        // Both bounds solve (1 + z²/n)·b² - (2p + z²/n)·b + p² = 0. The product of the solutions gives the lower one
        // without a difference of two nearly equal numbers.
        Estimate::new(p, p * p / ((1.0 + z2_per_n) * high), high)
    }
}
