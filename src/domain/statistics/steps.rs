//! Kaplan and Meier's product, one distinct end time after the other (JASA 53, 1958).

use super::constants::{Z, real};
use super::estimate::Estimate;

/// The share of failures that are restored by one end time, and what the share is computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    time: i64,
    at_risk: usize,
    ended: usize,
    restored: f64,
    still_open: f64,
    /// Greenwood's sum of d / (n · (n - d)). Without meaning once nothing is open.
    variance: f64,
}

impl Step {
    /// The end time, in nanoseconds after the start.
    pub const fn time(self) -> i64 {
        self.time
    }

    /// Failures that lasted at least as long, ended or open.
    pub const fn at_risk(self) -> usize {
        self.at_risk
    }

    /// Failures that ended at this time.
    pub const fn ended(self) -> usize {
        self.ended
    }

    /// Share of failures that are restored by this time. It is exactly 1 once nothing is left.
    pub const fn restored(self) -> f64 {
        self.restored
    }

    /// Share of failures that last longer. It is exactly 0 once nothing is left.
    pub const fn still_open(self) -> f64 {
        self.still_open
    }

    /// The restored share with its log-log Greenwood band, `S^exp(±z·√g / |ln S|)` of the share S that is still open.
    /// `None` once nothing is left: the band has no meaning there.
    pub fn estimate(self) -> Option<Estimate> {
        let [low, high] = self.logarithms_of_band()?;
        // -(e^a - 1) keeps the digits of a small share; 1 - e^a does not.
        Some(Estimate::new(self.restored, -high.exp_m1(), -low.exp_m1()))
    }

    /// The still open share with the same band.
    pub fn still_open_estimate(self) -> Option<Estimate> {
        let [low, high] = self.logarithms_of_band()?;
        Some(Estimate::new(self.still_open, low.exp(), high.exp()))
    }

    /// Logarithms of the bounds of the still open share: the lower one, the upper one. `None` once nothing is open.
    pub(super) fn logarithms_of_band(self) -> Option<[f64; 2]> {
        if self.still_open <= 0.0 {
            return None;
        }
        let logarithm = (-self.restored).ln_1p();
        let width = (Z * self.variance.sqrt() / -logarithm).exp();
        Some([logarithm * width, logarithm / width])
    }
}

/// Iterator over the [`Step`]s of a curve, in the order of time.
#[derive(Debug, Clone)]
pub struct Steps<'a> {
    cursor: Cursor<'a>,
    stretch: Stretch,
}

impl<'a> Steps<'a> {
    /// Steps of sorted durations.
    pub(super) fn of_sorted(ended: &'a [i64], open: &'a [i64]) -> Self {
        let cursor = Cursor { ended, open };
        Self { stretch: Stretch::new(1.0, 0.0, 0.0, cursor.left()), cursor }
    }

    /// The last step at `nanos` or before. Costs two searches for each open failure before it, and passes no other steps.
    pub(super) fn at(self, nanos: i64) -> Option<Step> {
        let Self { cursor: Cursor { ended, open }, mut stretch } = self;
        let passed = ended.partition_point(|end| *end <= nanos);
        let time = *ended[..passed].last()?;
        let (mut begun_with, mut left_open) = (0, 0);
        while let Some(age) = open.get(left_open).filter(|age| **age < time) {
            let ended_by_then = ended.partition_point(|end| end <= age);
            stretch.ended += ended_by_then - begun_with;
            begun_with = ended_by_then;
            left_open = open.partition_point(|age| *age < ended[ended_by_then]);
            stretch = stretch.next(ended.len() - ended_by_then + open.len() - left_open);
        }
        let ended_before = ended.partition_point(|end| *end < time);
        stretch.ended += ended_before - begun_with;
        let at_risk = ended.len() - ended_before + open.len() - left_open;
        Some(stretch.step(time, at_risk, passed - ended_before))
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let time = self.cursor.next_end()?;
        let Counts { at_risk, ended } = self.cursor.advance(time);
        Some(self.stretch.step(time, at_risk, ended))
    }
}

/// End times between which no failure left the cohort open.
///
/// Within a stretch the product telescopes: 5/6 · 4/5 · 3/4 is 3/6, one division, and exactly a half.
#[derive(Debug, Clone)]
struct Stretch {
    still_open_before: f64,
    restored_before: f64,
    variance_before: f64,
    /// Failures at risk at its start.
    at_risk: usize,
    ended: usize,
}

impl Stretch {
    const fn new(still_open: f64, restored: f64, variance: f64, at_risk: usize) -> Self {
        let (still_open_before, restored_before, variance_before) = (still_open, restored, variance);
        Self { still_open_before, restored_before, variance_before, at_risk, ended: 0 }
    }

    fn step(&mut self, time: i64, at_risk: usize, ended: usize) -> Step {
        if at_risk < self.at_risk - self.ended {
            *self = self.next(at_risk);
        }
        self.ended += ended;
        let left = self.at_risk - self.ended;
        let (restored, still_open, variance) =
            if left == 0 { (1.0, 0.0, 0.0) } else { (self.restored(), self.still_open(), self.variance()) };
        Step { time, at_risk, ended, restored, still_open, variance }
    }

    fn next(&self, at_risk: usize) -> Self {
        Self::new(self.still_open(), self.restored(), self.variance(), at_risk)
    }

    fn still_open(&self) -> f64 {
        self.still_open_before * (real(self.at_risk - self.ended) / real(self.at_risk))
    }

    fn restored(&self) -> f64 {
        self.restored_before + self.still_open_before * (real(self.ended) / real(self.at_risk))
    }

    /// The sum of d / (n · (n - d)) telescopes, too: to `1/left - 1/at_risk`.
    fn variance(&self) -> f64 {
        let left = real(self.at_risk - self.ended);
        self.variance_before + real(self.ended) / (real(self.at_risk) * left)
    }
}

/// Durations that have not been passed.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    ended: &'a [i64],
    open: &'a [i64],
}

/// Counts at one time.
pub(super) struct Counts {
    pub(super) at_risk: usize,
    pub(super) ended: usize,
}

impl<'a> Cursor<'a> {
    /// Cursor before sorted durations.
    pub(super) const fn of_sorted(ended: &'a [i64], open: &'a [i64]) -> Self {
        Self { ended, open }
    }

    /// The next end time.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.ended.first().copied()
    }

    /// Passes the ends at `time`, which is not later than the next end. Failures that are open at the same age are at
    /// risk: ends come before censorings.
    pub(super) fn advance(&mut self, time: i64) -> Counts {
        let left_open = self.open.iter().take_while(|age| **age < time).count();
        self.open = &self.open[left_open..];
        let at_risk = self.left();
        let ended = self.ended.iter().take_while(|end| **end == time).count();
        self.ended = &self.ended[ended..];
        Counts { at_risk, ended }
    }

    const fn left(&self) -> usize {
        self.ended.len() + self.open.len()
    }
}
