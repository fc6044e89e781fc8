//! Tests of all statistics together: values from other programs, a naive model, properties, coverage.

mod coverage;
mod golden;
mod model;
mod properties;
mod reference;

use serde_json::Value;

use super::{Cohort, RestoreCurve};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A small generator of pseudo-random numbers (Steele, Lea and Flood's `SplitMix64`), so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Whole number below a limit.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % limit
    }

    /// Number within (0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal number (Box and Muller).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// `true` with a probability.
    fn hits(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Cohort of n failures with many ties, or with hardly any.
    fn cohort(&mut self, n: usize) -> Vec<(i64, bool)> {
        let span = [3, 20, 1_000_000][self.below(3)];
        let share_open = [0.0, 0.1, 0.5, 1.0][self.below(4)];
        (0..n)
            .map(|_| (i64::try_from(self.below(span)).unwrap() * NANOS_PER_SECOND, !self.hits(share_open)))
            .collect()
    }
}

/// Curve of pairs of a duration and "has ended".
fn curve(failures: &[(i64, bool)]) -> RestoreCurve {
    let mut cohort = Cohort::default();
    for &(nanos, has_ended) in failures {
        if has_ended { cohort.push_ended(nanos) } else { cohort.push_open(nanos) }
    }
    RestoreCurve::of(&[&cohort])
}

/// Asserts that two numbers differ by at most an absolute tolerance.
#[track_caller]
fn assert_near(ours: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours} instead of {expected}");
}

/// Asserts that two numbers differ by at most a share of the expected one.
#[track_caller]
fn assert_relative(ours: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((ours - expected).abs() <= tolerance * expected.abs(), "{what}: {ours} instead of {expected}");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|count| count.try_into().ok()).unwrap_or_else(|| panic!("{value} is not a count"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}
