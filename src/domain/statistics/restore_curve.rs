//! Figures read from the curve of restored failures, in which open failures count for as long as they were followed.

use super::cohort::Cohort;
use super::constants::MIN_FOR_MEDIAN;
use super::estimate::Estimate;
use super::proportion::Proportion;
use super::steps::{Cursor, Step, Steps};

/// A product of fractions that is a half on paper may be a little more as a double.
const SLACK: f64 = 1e-9;

/// Share of failures that are restored by each time after their start: Kaplan and Meier's estimate. Times in
/// nanoseconds.
///
/// Each figure takes one pass over the sorted durations. No step is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreCurve {
    ended: Vec<i64>,
    open: Vec<i64>,
}

/// Share of failures restored within a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestoredWithin {
    /// The share with its interval, all between 0 and 1.
    pub share: Estimate,
    /// Failures of which the answer is known: they ended within the time, or were followed for the time or longer.
    pub known: usize,
}

/// The time within which half of the failures are restored, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HalfWithin {
    /// The time. `None` if more than half of the failures outlast every observed end.
    pub value: Option<i64>,
    /// Lower bound. `None` for fewer than six failures, or if the curve never gets there.
    pub low: Option<i64>,
    /// Upper bound. `None` for fewer than six failures, or if the curve never gets there: no upper limit is known.
    pub high: Option<i64>,
}

impl RestoreCurve {
    /// The curve of the failures of several cohorts.
    pub fn of(cohorts: &[&Cohort]) -> Self {
        let sorted = |durations: fn(&Cohort) -> &[i64]| {
            let lists: Vec<&[i64]> = cohorts.iter().map(|cohort| durations(cohort)).collect();
            let mut sorted = lists.concat();
            sorted.sort_unstable();
            sorted
        };
        Self { ended: sorted(Cohort::ended), open: sorted(Cohort::open) }
    }

    /// Sample size: ended and open failures.
    pub const fn n(&self) -> usize {
        self.ended.len() + self.open.len()
    }

    /// Number of open failures.
    pub const fn open(&self) -> usize {
        self.open.len()
    }

    /// Times to restore of the failures that ended, sorted.
    pub fn ended(&self) -> &[i64] {
        &self.ended
    }

    /// The longest time for which a failure was followed. `None` without a failure.
    pub fn followed(&self) -> Option<i64> {
        self.ended.last().max(self.open.last()).copied()
    }

    /// Failures that lasted `nanos` or longer, ended or open.
    pub fn at_risk(&self, nanos: i64) -> usize {
        self.n() - before(&self.ended, nanos) - before(&self.open, nanos)
    }

    /// The curve's steps, one for each distinct end time.
    pub fn steps(&self) -> Steps<'_> {
        Steps::of_sorted(&self.ended, &self.open)
    }

    /// Durations to walk through.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor::of_sorted(&self.ended, &self.open)
    }

    /// Share of failures restored within `nanos`, inclusive. `None` if no failure was followed for so long, unless
    /// all were restored before: an hour-old period says nothing of "within a day".
    ///
    /// The interval is the log-log Greenwood band. Where no or every failure is restored, the band has no meaning, and
    /// Wilson's interval of none or all of the known failures takes its place.
    pub fn within(&self, nanos: i64) -> Option<RestoredWithin> {
        let last = self.steps().at(nanos);
        let is_decided = last.is_some_and(|step| step.still_open() <= 0.0);
        if !is_decided && self.followed()? < nanos {
            return None;
        }
        let known = before(&self.ended, nanos) + self.at_risk(nanos);
        let band = last.and_then(Step::estimate);
        let wilson = || Some(Proportion::new(if is_decided { known } else { 0 }, known)?.estimate());
        Some(RestoredWithin { share: band.or_else(wilson)?, known })
    }

    /// The least time at which at most half of the failures are still open, and its interval: the least times at which
    /// the lower and the upper bound of the still open share are at most a half.
    ///
    /// Source of the interval: Brookmeyer and Crowley, Biometrics 38 (1982).
    pub fn half_within(&self) -> HalfWithin {
        let half_or_less = 0.5 + SLACK;
        let is_half = |logarithm: f64| logarithm <= half_or_less.ln();
        let has_interval = self.n() >= MIN_FOR_MEDIAN;
        let mut half = HalfWithin::default();
        for step in self.steps() {
            let time = step.time();
            if half.value.is_none() && step.still_open() <= half_or_less {
                half.value = Some(time);
            }
            if has_interval {
                // Logarithms are compared: they cost a third of the bounds, and there may be a million of them.
                let [low, high] = step.logarithms_of_band().unwrap_or([f64::NEG_INFINITY; 2]);
                half.low = half.low.or(is_half(low).then_some(time));
                half.high = half.high.or(is_half(high).then_some(time));
            }
            if half.value.is_some() && (half.high.is_some() || !has_interval) {
                break;
            }
        }
        half
    }

    /// Mean time to restore if a failure that lasts longer than `nanos` counted as `nanos`: the area below the curve of
    /// open failures. `None` under the same condition as [`Self::within`].
    ///
    /// Source: restricted mean survival time (Royston and Parmar 2013).
    pub fn mean_within(&self, nanos: i64) -> Option<i64> {
        let horizon = nanos.max(0);
        let mut area = Sum::default();
        let (mut since, mut still_open) = (0, 1.0);
        for step in self.steps().take_while(|step| step.time() < horizon) {
            area.add(still_open * length(since, step.time()));
            (since, still_open) = (step.time(), step.still_open());
        }
        area.add(still_open * length(since, horizon));
        let is_decided = still_open <= 0.0 || self.followed()? >= horizon;
        // Beyond a hundred days, a double may round above the horizon.
        is_decided.then(|| area.whole().min(horizon))
    }
}

/// Number of sorted durations that are shorter.
fn before(sorted: &[i64], nanos: i64) -> usize {
    sorted.partition_point(|duration| *duration < nanos)
}

#[expect(clippy::cast_precision_loss, reason = "exact for a hundred days")]
const fn length(from: i64, to: i64) -> f64 {
    (to - from) as f64
}

/// A sum that is corrected for rounding (Neumaier 1974). A million terms are then as exact as ten.
#[derive(Debug, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost +=
            if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    #[expect(clippy::cast_possible_truncation, reason = "the area is not greater than the horizon, an i64")]
    fn whole(&self) -> i64 {
        (self.sum + self.lost).round() as i64
    }
}
