//! The definitions, written down as plainly as possible, compared with the program over random samples.

use std::collections::BTreeSet;

use super::super::constants::{Z, real};
use super::super::{LogRank, Proportion, RestoreCurve, Step, median_interval, poisson_mean};
use super::{Random, assert_near, assert_relative, curve};

const TOLERANCE: f64 = 1e-12;

/// Pairs of a duration and "has ended".
type Failures = [(i64, bool)];

fn at_risk(failures: &Failures, time: i64) -> usize {
    failures.iter().filter(|(duration, _)| *duration >= time).count()
}

fn ended_at(failures: &Failures, time: i64) -> usize {
    failures.iter().filter(|failure| **failure == (time, true)).count()
}

fn end_times(failures: &Failures) -> BTreeSet<i64> {
    failures.iter().filter(|(_, has_ended)| *has_ended).map(|(duration, _)| *duration).collect()
}

/// A fraction in lowest terms.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Fraction(u128, u128);

impl Fraction {
    fn times(self, part: usize, whole: usize) -> Self {
        let (part, whole) = (self.0 * part as u128, self.1 * whole as u128);
        let (mut divisor, mut rest) = (part, whole);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        Self(part / divisor, whole / divisor)
    }

    #[expect(clippy::cast_precision_loss, reason = "the test has a tolerance")]
    fn value(self) -> f64 {
        self.0 as f64 / self.1 as f64
    }
}

/// Open share right after a time, as an exact fraction.
fn still_open(failures: &Failures, time: i64) -> Fraction {
    end_times(failures).range(..=time).fold(Fraction(1, 1), |share, time| {
        let at_risk = at_risk(failures, *time);
        share.times(at_risk - ended_at(failures, *time), at_risk)
    })
}

/// Bounds of the open share after a time; 0 to 0 if nothing is open.
fn band(failures: &Failures, time: i64) -> (f64, f64) {
    let share = still_open(failures, time).value();
    if share <= 0.0 {
        return (0.0, 0.0);
    }
    let greenwood: f64 = end_times(failures)
        .range(..=time)
        .map(|time| {
            let (n, d) = (real(at_risk(failures, *time)), real(ended_at(failures, *time)));
            d / (n * (n - d))
        })
        .sum();
    let width = Z * greenwood.sqrt() / share.ln().abs();
    (share.powf(width.exp()), share.powf((-width).exp()))
}

fn assert_within(ours: &RestoreCurve, failures: &Failures, time: i64) {
    let share = still_open(failures, time);
    let is_followed = at_risk(failures, time) > 0;
    let Some(within) = ours.within(time) else {
        assert!(!is_followed && share.0 > 0, "{failures:?} at {time}");
        return;
    };
    assert!(is_followed || share.0 == 0, "{failures:?} at {time}");
    let ended_by = |time| failures.iter().filter(|(end, has_ended)| *has_ended && *end <= time).count();
    let known = ended_by(time) + at_risk(failures, time) - ended_at(failures, time);
    assert_eq!(within.known, known);
    assert_near(within.share.value(), 1.0 - share.value(), TOLERANCE, "restored");
    let (low, high) = match share.0 {
        0 => bounds(known, known),
        _ if share.0 == share.1 => bounds(0, known),
        _ => {
            let (low, high) = band(failures, time);
            (1.0 - high, 1.0 - low)
        }
    };
    assert_near(within.share.low(), low, TOLERANCE, "low");
    assert_near(within.share.high(), high, TOLERANCE, "high");
}

/// Wilson's interval as the books have it.
fn bounds(part: usize, whole: usize) -> (f64, f64) {
    let (n, p) = (real(whole), real(part) / real(whole));
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).clamp(0.0, 1.0), (centre + half).clamp(0.0, 1.0))
}

fn assert_half_within(ours: &RestoreCurve, failures: &Failures) {
    let first =
        |is_reached: &dyn Fn(i64) -> bool| end_times(failures).into_iter().find(|time| is_reached(*time));
    let half = ours.half_within();
    let exact = |time| {
        let Fraction(part, whole) = still_open(failures, time);
        2 * part <= whole
    };
    assert_eq!(half.value, first(&exact), "{failures:?}");
    if failures.len() < 6 {
        assert_eq!((half.low, half.high), (None, None));
        return;
    }
    assert_eq!(half.low, first(&|time| band(failures, time).0 <= 0.5), "{failures:?}");
    assert_eq!(half.high, first(&|time| band(failures, time).1 <= 0.5), "{failures:?}");
}

#[expect(clippy::cast_precision_loss, reason = "the test has a tolerance")]
fn assert_mean_within(ours: &RestoreCurve, failures: &Failures, horizon: i64) {
    let mut times: Vec<i64> = end_times(failures).range(..horizon).copied().collect();
    times.insert(0, 0);
    times.push(horizon);
    // Before an end at zero, everything is open for no time at all.
    let area =
        times.windows(2).map(|pair| still_open(failures, pair[0]).value() * (pair[1] - pair[0]) as f64);
    let mean = (horizon == 0 || ours.within(horizon).is_some()).then(|| area.sum::<f64>());
    match (ours.mean_within(horizon), mean) {
        (Some(ours), Some(mean)) => assert_near(ours as f64, mean, 1.0 + mean * TOLERANCE, "mean"),
        (ours, mean) => {
            let expected = mean.is_some() && !failures.is_empty();
            assert_eq!(ours.is_some(), expected, "{failures:?} at {horizon}");
        }
    }
}

#[test]
fn restored_shares_are_those_of_the_definition() {
    let mut random = Random(19);
    for round in 0..3_000 {
        let n = random.below(14);
        let failures = random.cohort(n);
        let ours = curve(&failures);
        assert_eq!(ours.steps().map(Step::time).collect::<BTreeSet<_>>(), end_times(&failures), "{round}");
        assert_half_within(&ours, &failures);
        let mut times: Vec<i64> = failures.iter().flat_map(|(end, _)| [end - 1, *end, end + 1]).collect();
        times.extend([0, 7, i64::MAX / 4]);
        for time in times.into_iter().filter(|time| *time >= 0) {
            assert_within(&ours, &failures, time);
            assert_mean_within(&ours, &failures, time);
        }
    }
}

#[test]
fn large_cohorts_follow_the_definition_too() {
    let mut random = Random(20);
    for _ in 0..20 {
        let failures = random.cohort(600);
        let ours = curve(&failures);
        let mut share = 1.0;
        let mut last: Option<Step> = None;
        for step in ours.steps() {
            assert_eq!(ours.steps().at(step.time() - 1), last);
            assert_eq!(ours.steps().at(step.time()), Some(step));
            last = Some(step);
            let (n, d) = (at_risk(&failures, step.time()), ended_at(&failures, step.time()));
            share *= 1.0 - real(d) / real(n);
            assert_eq!((step.at_risk(), step.ended()), (n, d));
            assert_near(step.still_open(), share, TOLERANCE, "still open");
            assert_near(step.restored() + step.still_open(), 1.0, 1e-14, "sum");
            assert_eq!(step.still_open() <= 0.0, step.restored().to_bits() == 1.0_f64.to_bits());
        }
    }
}

#[test]
fn without_open_failures_a_share_is_one_division() {
    for n in 1..300 {
        let failures: Vec<_> = (1..).map(|time| (time, true)).take(n).collect();
        for (step, ended) in curve(&failures).steps().zip(1..) {
            let share = |part: usize| (real(part) / real(n)).to_bits();
            assert_eq!(step.restored().to_bits(), share(ended), "{ended} of {n}");
            assert_eq!(step.still_open().to_bits(), share(n - ended), "{ended} of {n}");
        }
    }
}

#[test]
fn log_rank_is_the_sum_of_its_definition() {
    let mut random = Random(21);
    for _ in 0..2_000 {
        let (n, m) = (random.below(12), random.below(12));
        let (now, before) = (random.cohort(n), random.cohort(m));
        let (mut excess, mut variance) = (0.0, 0.0);
        for time in &end_times(&now) | &end_times(&before) {
            let [n1, n2] = [&now, &before].map(|failures| real(at_risk(failures, time)));
            let [d1, d2] = [&now, &before].map(|failures| real(ended_at(failures, time)));
            let (n, d) = (n1 + n2, d1 + d2);
            excess += d1 - n1 * d / n;
            variance += if n > 1.0 { n1 * n2 * d * (n - d) / (n * n * (n - 1.0)) } else { 0.0 };
        }
        match LogRank::between(&curve(&now), &curve(&before)) {
            Some(ours) => assert_near(ours.z(), excess / variance.sqrt(), TOLERANCE, "z"),
            None => assert_near(variance, 0.0, 0.0, "variance"),
        }
    }
}

#[test]
fn wilson_intervals_are_those_of_the_books() {
    for whole in 1..200 {
        for part in 0..=whole {
            let ours = Proportion::new(part, whole).unwrap().estimate();
            let (low, high) = bounds(part, whole);
            assert_near(ours.low(), low, TOLERANCE, "low");
            assert_near(ours.high(), high, TOLERANCE, "high");
        }
    }
}

#[test]
fn poisson_bounds_are_found_by_bisection_too() {
    let at_most = |x: usize, mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = if x == usize::MAX { 0.0 } else { term };
        for k in 1..=if x == usize::MAX { 0 } else { x } {
            term *= mean / real(k);
            sum += term;
        }
        sum
    };
    let root = |is_left: &dyn Fn(f64) -> bool| {
        let (mut left, mut right) = (0.0, 400.0);
        for _ in 0..200 {
            let middle = f64::midpoint(left, right);
            if is_left(middle) { left = middle } else { right = middle }
        }
        left
    };
    for x in 0..200 {
        let ours = poisson_mean(x);
        let low = root(&|mean| 1.0 - at_most(x.wrapping_sub(1), mean) < 0.025);
        let high = root(&|mean| at_most(x, mean) > 0.025);
        assert_relative(ours.low(), if x == 0 { 0.0 } else { low }, 1e-11, "low");
        assert_relative(ours.high(), high, 1e-11, "high");
    }
}

#[test]
fn a_median_interval_leaves_out_as_many_values_below_as_above() {
    let mut random = Random(22);
    for n in 0..300 {
        let mut values: Vec<i64> = random.cohort(n).into_iter().map(|(duration, _)| duration).collect();
        values.sort_unstable();
        let Some((low, high)) = median_interval(&values) else {
            assert!(n < 6);
            continue;
        };
        let below = values.iter().filter(|value| **value < low).count();
        let above = values.iter().filter(|value| **value > high).count();
        let rank = super::super::MedianRanks::of(n).unwrap().low();
        assert!(below < rank && above < rank, "{n}");
    }
}
