//! A value and its interval.

/// A value with its 95 % confidence interval: `low <= value <= high`, all finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    value: f64,
    low: f64,
    high: f64,
}

impl Estimate {
    /// A value and the bounds that were computed for it. A bound that rounding put on the wrong side of the value, or
    /// that is not a number, becomes the value. The caller passes a finite value and no infinite bound.
    pub(super) const fn new(value: f64, low: f64, high: f64) -> Self {
        Self { value, low: low.min(value), high: high.max(value) }
    }

    /// The value.
    pub const fn value(self) -> f64 {
        self.value
    }

    /// Lower bound.
    pub const fn low(self) -> f64 {
        self.low
    }

    /// Upper bound.
    pub const fn high(self) -> f64 {
        self.high
    }

    /// The estimate per unit, for a positive number of units.
    pub(super) const fn per(self, units: f64) -> Self {
        Self::new(self.value / units, self.low / units, self.high / units)
    }
}
