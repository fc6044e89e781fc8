//! Properties that hold for every input, also for absurd ones.

use super::super::{
    Difference, Estimate, EventRate, LogRank, Proportion, RestoreCurve, SettledTally, Verdict, is_pending,
    median, median_interval, poisson_mean,
};
use super::{Cohort, Random, assert_near, assert_relative, curve};

/// Counts from none to the greatest.
const COUNTS: [usize; 12] =
    [0, 1, 2, 5, 20, 21, 9_999, 10_000, 1_000_000, 1 << 53, usize::MAX - 1, usize::MAX];

#[track_caller]
fn assert_sound(estimate: Estimate, limit: f64) {
    let (low, value, high) = (estimate.low(), estimate.value(), estimate.high());
    assert!(-limit <= low && low <= value && value <= high && high <= limit, "{estimate:?}");
}

#[track_caller]
fn assert_share(estimate: Estimate) {
    assert_sound(estimate, 1.0);
    assert!(estimate.low() >= 0.0, "{estimate:?}");
}

#[test]
fn shares_lie_within_zero_and_one() {
    for whole in COUNTS.into_iter().chain(1..10_000) {
        for part in COUNTS.into_iter().chain([whole.saturating_sub(1), whole]) {
            let Some(proportion) = Proportion::new(part, whole) else {
                assert!(whole == 0 || part > whole);
                continue;
            };
            let estimate = proportion.estimate();
            assert_share(estimate);
            assert_eq!(part == 0, estimate.low() <= 0.0, "{part} of {whole}");
            assert!(part < whole || estimate.high() >= 1.0, "{part} of {whole}");
        }
    }
}

#[test]
fn the_bounds_of_all_but_one_are_below_those_of_all() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        let bits = 1 + random.below(62);
        let whole = 2 + random.below(1 << bits);
        let of = |part| Proportion::new(part, whole).unwrap().estimate();
        assert_share(of(whole - 1));
        assert!(of(whole - 1).low() <= of(whole).low() + 1e-15 && of(whole).high() >= 1.0, "{whole}");
    }
}

#[test]
fn an_estimate_orders_its_bounds_and_holds_no_nan() {
    let of = |value, low, high| {
        let estimate = Estimate::new(value, low, high);
        [estimate.low(), estimate.value(), estimate.high()].map(f64::to_bits)
    };
    assert_eq!(of(0.5, 0.6, 0.4), [0.5; 3].map(f64::to_bits));
    assert_eq!(of(0.5, f64::NAN, f64::NAN), [0.5; 3].map(f64::to_bits));
    assert_eq!(of(0.5, 0.25, 0.75), [0.25, 0.5, 0.75].map(f64::to_bits));
}

#[test]
fn shares_grow_with_the_part_and_mirror_it() {
    for whole in 1..300 {
        let of = |part| Proportion::new(part, whole).unwrap().estimate();
        for part in 0..whole {
            let (less, more, mirrored) = (of(part), of(part + 1), of(whole - part));
            assert!(less.low() < more.low() && less.high() < more.high(), "{part} of {whole}");
            assert_near(less.low(), 1.0 - mirrored.high(), 1e-15, "mirror");
        }
    }
}

#[test]
fn intervals_shrink_as_samples_grow() {
    let widths = |estimate: Estimate| estimate.high() - estimate.low();
    for size in 1..500 {
        let proportion = |size| widths(Proportion::new(size, 4 * size).unwrap().estimate());
        let rate = |size| widths(EventRate::new(size, 4 * size).unwrap().estimate());
        assert!(proportion(size + 1) < proportion(size), "{size}");
        assert!(rate(size + 1) < rate(size), "{size}");
    }
}

#[test]
fn poisson_bounds_grow_with_the_count() {
    // The expansion takes over at 9,999 and at 10,000.
    let mut next = poisson_mean(0);
    for count in (0..10_100).chain(999_900..1_000_100) {
        let this = if count == 999_900 { poisson_mean(count) } else { next };
        next = poisson_mean(count + 1);
        assert_sound(this, f64::MAX);
        assert!(this.low() < next.low() && this.high() < next.high(), "{count}");
        assert!(this.low() <= this.value() && (count == 0 || this.low() > 0.0), "{count}");
    }
}

#[test]
fn event_rates_of_any_count_are_finite() {
    for events in COUNTS {
        for exposure in COUNTS {
            let Some(rate) = EventRate::new(events, exposure) else {
                assert_eq!(exposure, 0);
                continue;
            };
            assert_sound(rate.estimate(), f64::MAX);
            assert!(rate.estimate().low() >= 0.0);
        }
    }
}

#[test]
fn a_median_lies_within_its_interval() {
    let mut random = Random(1);
    for n in 0..400 {
        let mut values: Vec<i64> = random.cohort(n).into_iter().map(|(duration, _)| duration).collect();
        values.sort_unstable();
        assert_eq!(median(&values).is_some(), n > 0);
        assert_eq!(median_interval(&values).is_some(), n >= 6);
        if let (Some(middle), Some((low, high))) = (median(&values), median_interval(&values)) {
            assert!(low <= middle && middle <= high, "{values:?}");
        }
    }
    assert_eq!(median(&[i64::MIN, i64::MAX]), Some(0));
    assert_eq!(median(&[i64::MAX; 2]), Some(i64::MAX));
}

#[test]
fn restored_shares_are_sound_for_every_cohort() {
    let mut random = Random(2);
    for _ in 0..2_000 {
        let n = random.below(40);
        let failures = random.cohort(n);
        let curve = curve(&failures);
        let (mut last_share, mut last_mean) = (0.0, 0);
        for exponent in 0..63 {
            let time = 1_i64 << exponent;
            if let Some(within) = curve.within(time) {
                assert_share(within.share);
                assert!((1..=n).contains(&within.known));
                assert!(within.share.value() >= last_share, "{failures:?}");
                last_share = within.share.value();
            }
            if let Some(mean) = curve.mean_within(time) {
                assert!((last_mean..=time).contains(&mean), "{failures:?}");
                last_mean = mean;
            }
            assert_eq!(curve.within(time).is_some(), curve.mean_within(time).is_some());
        }
        let half = curve.half_within();
        assert!(half.low.is_none_or(|low| half.value.is_none_or(|value| low <= value)), "{failures:?}");
        assert!(half.high.is_none_or(|high| half.value.is_some_and(|value| value <= high)), "{failures:?}");
    }
}

#[test]
fn absurd_durations_do_no_harm() {
    let durations = [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let mut random = Random(3);
    for _ in 0..2_000 {
        let n = random.below(12);
        let failures: Vec<_> = (0..n).map(|_| (durations[random.below(6)], random.hits(0.5))).collect();
        let curve = curve(&failures);
        for time in durations {
            if let Some(within) = curve.within(time) {
                assert_share(within.share);
            }
            assert!(
                curve.mean_within(time).is_none_or(|mean| (0..=time.max(0)).contains(&mean)),
                "{failures:?}"
            );
        }
        assert!(curve.followed().is_none_or(|longest| longest >= 0));
        curve.half_within();
        if let Some(test) = LogRank::between(&curve, &curve) {
            assert_near(test.z(), 0.0, 1e-12, "the same cohort twice");
        }
    }
}

#[test]
fn the_order_and_the_parts_of_a_cohort_do_not_matter() {
    let mut random = Random(4);
    for _ in 0..300 {
        let failures = random.cohort(25);
        let [mut whole, mut one, mut other] = [Cohort::default(), Cohort::default(), Cohort::default()];
        for (index, &(duration, has_ended)) in failures.iter().rev().enumerate() {
            let part = if index % 3 == 0 { &mut one } else { &mut other };
            for cohort in [&mut whole, part] {
                if has_ended { cohort.push_ended(duration) } else { cohort.push_open(duration) }
            }
        }
        assert_eq!(RestoreCurve::of(&[&one, &other]), curve(&failures));
        assert_eq!(RestoreCurve::of(&[&whole]), curve(&failures));
    }
}

#[test]
fn a_comparison_changes_its_sign_with_its_direction() {
    let mut random = Random(5);
    for _ in 0..5_000 {
        let [one, other] = [0; 2].map(|_| {
            let whole = 1 + random.below(60);
            Proportion::new(random.below(whole + 1), whole).unwrap().estimate()
        });
        let (there, back) = (Difference::between(one, other), Difference::between(other, one));
        assert_sound(there.estimate(), 1.0);
        assert_near(there.estimate().low(), -back.estimate().high(), 1e-15, "low");
        assert_eq!(there.verdict(), reverse(back.verdict()));
        assert_eq!(Difference::between(one, one).verdict(), Verdict::NoChangeShown);
    }
    for _ in 0..2_000 {
        let (n, m) = (random.below(30), random.below(30));
        let (one, other) = (curve(&random.cohort(n)), curve(&random.cohort(m)));
        let (there, back) = (LogRank::between(&one, &other), LogRank::between(&other, &one));
        let (Some(there), Some(back)) = (there, back) else {
            assert_eq!(there, back);
            continue;
        };
        assert_near(there.z(), -back.z(), 1e-12, "z");
        assert_eq!(there.verdict(), reverse(back.verdict()));
        assert!((0.0..=1.0).contains(&there.p()) && there.chi_squared() >= 0.0);
        assert_relative(there.chi_squared(), there.z() * there.z(), 0.0, "chi-squared");
    }
}

fn reverse(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Higher => Verdict::Lower,
        Verdict::Lower => Verdict::Higher,
        Verdict::NoChangeShown => Verdict::NoChangeShown,
    }
}

#[test]
fn faster_restores_are_a_higher_share() {
    let slow: Vec<_> = (1..=30).map(|hours| (hours * 1_000, true)).collect();
    let fast: Vec<_> = (1..=30).map(|minutes| (minutes * 10, true)).collect();
    let test = LogRank::between(&curve(&fast), &curve(&slow)).unwrap();
    assert_eq!(test.verdict().to_string(), "higher");
    let difference =
        Difference::between(curve(&fast).within(600).unwrap().share, curve(&slow).within(600).unwrap().share);
    assert_eq!(difference.verdict(), Verdict::Higher);
}

#[test]
fn a_tally_is_the_sum_of_its_parts() {
    let (mut whole, mut one, mut other) = <(SettledTally, SettledTally, SettledTally)>::default();
    for case in 0..8_u8 {
        let (is_pending, has_failed) = (case & 1 > 0, case & 2 > 0);
        whole.count(is_pending, has_failed);
        if case & 4 > 0 { one.count(is_pending, has_failed) } else { other.count(is_pending, has_failed) }
    }
    one.add(other);
    assert_eq!(one, whole);
    assert_eq!(whole.pending(), 4);
    assert_eq!(whole.settled_fail_rate(), Proportion::new(2, 4));
    assert!(is_pending(i64::MAX, 1, 0) && !is_pending(0, 0, 0));
}

#[test]
fn a_million_failures_take_one_sort_and_a_few_passes() {
    let mut random = Random(6);
    let failures: Vec<_> =
        (0..1_000_000).map(|_| (i64::try_from(random.next() >> 20).unwrap(), random.hits(0.9))).collect();
    let curve = curve(&failures);
    let half = curve.half_within();
    let (low, middle, high) = (half.low.unwrap(), half.value.unwrap(), half.high.unwrap());
    assert!(low < middle && middle < high);
    let share = curve.within(middle).unwrap().share;
    assert_near(share.value(), 0.5, 1e-6, "half");
    assert!(share.high() - share.low() < 0.003);
    assert!(curve.mean_within(middle).unwrap() < middle);
    assert_near(LogRank::between(&curve, &curve).unwrap().z(), 0.0, 1e-9, "the same cohort twice");
}
