//! Comparison of a figure with the same figure of the period before.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::estimate::Estimate;

/// Conclusion from two samples about the change between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The later period's value is higher.
    #[serde(rename = "higher")]
    Higher,
    /// The later period's value is lower.
    #[serde(rename = "lower")]
    Lower,
    /// The data agree with no change. They do not prove that there was none.
    #[serde(rename = "no change shown")]
    NoChangeShown,
}

impl Verdict {
    /// The word in reports: `higher`, `lower`, `no change shown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoChangeShown => "no change shown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A difference of two independent estimates, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference(Estimate);

impl Difference {
    /// `now` minus `before`. For two proportions this is Newcombe's hybrid score interval (Statistics in Medicine 17,
    /// 1998, method 10).
    ///
    /// The same rule, the distances to the bounds squared and added, serves other estimates with an interval of their
    /// own (Zou and Donner, Statistics in Medicine 27, 2008): event rates, shares of restored failures.
    pub fn between(now: Estimate, before: Estimate) -> Self {
        let difference = now.value() - before.value();
        let down = (now.value() - now.low()).hypot(before.high() - before.value());
        let up = (now.high() - now.value()).hypot(before.value() - before.low());
        Self(Estimate::new(difference, difference - down, difference + up))
    }

    /// The difference and its interval. Both bounds lie between -1 and 1 for shares.
    pub const fn estimate(self) -> Estimate {
        self.0
    }

    /// Higher or lower only if the interval does not contain zero.
    pub const fn verdict(self) -> Verdict {
        if self.0.low() > 0.0 {
            Verdict::Higher
        } else if self.0.high() < 0.0 {
            Verdict::Lower
        } else {
            Verdict::NoChangeShown
        }
    }
}
