//! Long mode: intervals hold the truth about as often as they say, also in small samples.
//!
//! `COVERAGE_RUNS=20000 cargo test --release coverage -- --ignored --nocapture`
//!
//! The truth differs from run to run. At a single truth, whole counts make the coverage jump: Wilson's interval of five
//! holds a share of 3.6 % in 83 % of samples.

#![expect(clippy::unnecessary_wraps, reason = "some kinds have no interval for some samples")]

use super::super::constants::real;
use super::super::normal::two_sided_p;
use super::super::{
    Cohort, Difference, Estimate, EventRate, LogRank, Proportion, RestoreCurve, Verdict, median_interval,
};
use super::{NANOS_PER_SECOND, Random};

const SIZES: [usize; 4] = [5, 10, 20, 50];

/// Share of runs in which an interval must hold the truth.
const ACCEPTED: std::ops::RangeInclusive<f64> = 0.93..=0.999;

/// Median of the simulated times to restore: five minutes to three hours.
const MEDIAN_SECONDS: std::ops::Range<f64> = 300.0..10_800.0;

/// Spread of their logarithms, as measured by Davidovic (Incident Metrics in SRE, 2021).
const SIGMA: f64 = 1.5;

/// Length of the simulated period: a failure is followed for at most six hours, so that many stay open.
const PERIOD_SECONDS: f64 = 21_600.0;

/// One simulated sample: `true` if its interval holds the truth, `None` if it has no interval.
type Trial = fn(&mut Random, usize) -> Option<bool>;

/// Kinds of intervals, and the smallest sample that has one.
const KINDS: [(&str, usize, Trial); 9] = [
    ("share (Wilson)", 1, share),
    ("events per unit (Poisson)", 1, event_rate),
    ("median (order statistics)", 6, median_of_durations),
    ("restored within 1 h", 1, restored_within),
    ("half restored within", 6, half_within),
    ("difference of shares", 1, difference_of_shares),
    ("difference of event rates", 1, difference_of_event_rates),
    ("difference of restored 1 h", 1, difference_of_restored),
    ("log-rank, nothing changed", 1, log_rank),
];

#[test]
#[ignore = "takes two seconds in a release build, and more in a debug build"]
fn intervals_hold_the_truth() {
    let runs = runs();
    let mut outside = Vec::new();
    println!("{runs} runs      {:>24}", SIZES.map(|n| format!("n = {n:<4}")).join(""));
    for (name, smallest, trial) in KINDS {
        let mut line = String::new();
        for n in SIZES {
            let coverage = coverage(runs, n, trial);
            assert_eq!(coverage.is_some(), n >= smallest, "{name}, n = {n}");
            line += &coverage.map_or("       -".to_owned(), |coverage| format!("{:8.2}", 100.0 * coverage));
            if coverage.is_some_and(|coverage| !ACCEPTED.contains(&coverage)) {
                outside.push(format!("{name}, n = {n}: {coverage:?}"));
            }
        }
        println!("{name:27}{line}");
    }
    assert!(outside.is_empty(), "{outside:#?}");
}

#[expect(clippy::disallowed_methods, reason = "the environment chooses the length of this test")]
fn runs() -> usize {
    std::env::var("COVERAGE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(20_000)
}

/// Share of the samples with an interval whose interval holds the truth.
fn coverage(runs: usize, n: usize, trial: Trial) -> Option<f64> {
    let mut random = Random(n as u64);
    let held: Vec<bool> = (0..runs).filter_map(|_| trial(&mut random, n)).collect();
    let hits = held.iter().filter(|holds| **holds).count();
    (!held.is_empty()).then(|| real(hits) / real(held.len()))
}

fn holds(estimate: Estimate, truth: f64) -> bool {
    (estimate.low()..=estimate.high()).contains(&truth)
}

/// A sample of n of which a share is hit, and the share: 5 to 50 %.
fn sample_of_share(random: &mut Random, n: usize) -> (Estimate, f64) {
    let truth = 0.05 + 0.45 * random.unit();
    let part = (0..n).filter(|_| random.hits(truth)).count();
    (Proportion::new(part, n).unwrap().estimate(), truth)
}

fn share(random: &mut Random, n: usize) -> Option<bool> {
    let (estimate, truth) = sample_of_share(random, n);
    Some(holds(estimate, truth))
}

fn difference_of_shares(random: &mut Random, n: usize) -> Option<bool> {
    let [(now, truth_now), (before, truth_before)] = [0; 2].map(|_| sample_of_share(random, n));
    Some(holds(Difference::between(now, before).estimate(), truth_now - truth_before))
}

/// Events of n units, and the true rate: 0.1 to 1 per unit.
fn sample_of_events(random: &mut Random, n: usize) -> (Estimate, f64) {
    let truth = 0.1 + 0.9 * random.unit();
    let mut left = truth * real(n);
    let mut events = 0;
    // Times between events are exponential.
    loop {
        left += random.unit().ln();
        if left < 0.0 {
            return (EventRate::new(events, n).unwrap().estimate(), truth);
        }
        events += 1;
    }
}

fn event_rate(random: &mut Random, n: usize) -> Option<bool> {
    let (estimate, truth) = sample_of_events(random, n);
    Some(holds(estimate, truth))
}

fn difference_of_event_rates(random: &mut Random, n: usize) -> Option<bool> {
    let [(now, truth_now), (before, truth_before)] = [0; 2].map(|_| sample_of_events(random, n));
    Some(holds(Difference::between(now, before).estimate(), truth_now - truth_before))
}

#[expect(clippy::cast_possible_truncation, reason = "short durations")]
fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

/// A median that is as likely below 30 minutes as above.
fn any_median(random: &mut Random) -> f64 {
    MEDIAN_SECONDS.start * (MEDIAN_SECONDS.end / MEDIAN_SECONDS.start).powf(random.unit())
}

fn duration(random: &mut Random, median_seconds: f64) -> i64 {
    nanos(median_seconds * (SIGMA * random.normal()).exp())
}

fn median_of_durations(random: &mut Random, n: usize) -> Option<bool> {
    let truth = any_median(random);
    let mut sample: Vec<i64> = (0..n).map(|_| duration(random, truth)).collect();
    sample.sort_unstable();
    let (low, high) = median_interval(&sample)?;
    Some((low..=high).contains(&nanos(truth)))
}

/// Failures that begin at any moment of the period. Those that have not ended at its end are open.
fn followed(random: &mut Random, n: usize, median_seconds: f64) -> RestoreCurve {
    let mut cohort = Cohort::default();
    for _ in 0..n {
        let duration = duration(random, median_seconds);
        let limit = nanos(PERIOD_SECONDS * random.unit());
        if duration <= limit { cohort.push_ended(duration) } else { cohort.push_open(limit) }
    }
    RestoreCurve::of(&[&cohort])
}

/// True share of failures that last at most an hour.
fn truth_within_an_hour(median_seconds: f64) -> f64 {
    let z = (3_600.0 / median_seconds).ln() / SIGMA;
    let longer = two_sided_p(z) / 2.0;
    if z > 0.0 { 1.0 - longer } else { longer }
}

fn sample_of_restored(random: &mut Random, n: usize) -> Option<(Estimate, f64)> {
    let median_seconds = any_median(random);
    let within = followed(random, n, median_seconds).within(3_600 * NANOS_PER_SECOND)?;
    Some((within.share, truth_within_an_hour(median_seconds)))
}

fn restored_within(random: &mut Random, n: usize) -> Option<bool> {
    let (share, truth) = sample_of_restored(random, n)?;
    Some(holds(share, truth))
}

fn difference_of_restored(random: &mut Random, n: usize) -> Option<bool> {
    let (now, truth_now) = sample_of_restored(random, n)?;
    let (before, truth_before) = sample_of_restored(random, n)?;
    Some(holds(Difference::between(now, before).estimate(), truth_now - truth_before))
}

fn half_within(random: &mut Random, n: usize) -> Option<bool> {
    let median_seconds = any_median(random);
    let half = followed(random, n, median_seconds).half_within();
    let truth = nanos(median_seconds);
    (n >= 6).then(|| half.low.is_none_or(|low| low <= truth) && half.high.is_none_or(|high| truth <= high))
}

fn log_rank(random: &mut Random, n: usize) -> Option<bool> {
    let median_seconds = any_median(random);
    let [now, before] = [0; 2].map(|_| followed(random, n, median_seconds));
    let test = LogRank::between(&now, &before);
    Some(test.is_none_or(|test| test.verdict() == Verdict::NoChangeShown))
}
