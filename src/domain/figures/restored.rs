//! Share of failures that are restored within a time, as reports show it.

use serde::{Deserialize, Serialize};

use crate::domain::failure::seconds;
use crate::domain::statistics::{HalfWithin, RestoreCurve, RestoredWithin};

const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Speed at which the failures that **began** in a period were restored. Open ones count for as long as they were followed
/// (Kaplan and Meier's estimate). Failures with doubtful times are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// Sample size: ended and open failures.
    pub n: usize,
    /// Number of open failures.
    pub open: usize,
    /// Share restored within an hour, a day and a week.
    pub within: RestoredShares,
    /// Time within which half of the failures are restored.
    pub half_within_seconds: Option<f64>,
    /// Lower bound of its 95 % interval (Brookmeyer and Crowley). Null for fewer than six.
    pub half_within_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub half_within_high: Option<f64>,
    /// Mean time to restore if a failure that lasts longer than seven days counted as seven days.
    pub mean_within_7d_seconds: Option<f64>,
    /// The longest time for which a failure was followed.
    pub followed_seconds: Option<f64>,
}

/// Shares restored within three times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RestoredShares {
    /// Within an hour.
    #[serde(rename = "1h")]
    pub hour: Option<RestoredShare>,
    /// Within 24 hours.
    #[serde(rename = "1d")]
    pub day: Option<RestoredShare>,
    /// Within seven days.
    #[serde(rename = "7d")]
    pub week: Option<RestoredShare>,
}

/// Share of failures restored within a time. Null if no failure was followed for so long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RestoredShare {
    /// The share, 0 to 1.
    pub value: f64,
    /// Lower bound of its 95 % interval.
    pub low: f64,
    /// Upper bound of its 95 % interval.
    pub high: f64,
    /// Failures of which the answer is known: they ended within the time, or were followed for at least as long.
    pub known: usize,
}

impl From<RestoredWithin> for RestoredShare {
    fn from(RestoredWithin { share, known }: RestoredWithin) -> Self {
        Self { value: share.value(), low: share.low(), high: share.high(), known }
    }
}

impl Restored {
    /// The figures of a curve.
    pub(super) fn of(curve: &RestoreCurve) -> Self {
        let HalfWithin { value, low, high } = curve.half_within();
        let within = |nanos| curve.within(nanos).map(RestoredShare::from);
        Self {
            n: curve.n(),
            open: curve.open(),
            within: RestoredShares { hour: within(HOUR), day: within(DAY), week: within(WEEK) },
            half_within_seconds: value.map(seconds),
            half_within_low: low.map(seconds),
            half_within_high: high.map(seconds),
            mean_within_7d_seconds: curve.mean_within(WEEK).map(seconds),
            followed_seconds: curve.followed().map(seconds),
        }
    }
}

/// Share restored within an hour, with its interval.
pub(super) fn within_an_hour(curve: &RestoreCurve) -> Option<RestoredWithin> {
    curve.within(HOUR)
}
