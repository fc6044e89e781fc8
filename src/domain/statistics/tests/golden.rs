//! Every value of `fixtures/statistics.json`: computed with scipy, statsmodels and lifelines, rounded to ten decimals.
//! A key without a check is an error.

use serde_json::{Map, Value};

use super::super::constants::Z;
use super::super::{
    Difference, Estimate, EventRate, HalfWithin, LogRank, MedianRanks, Proportion, RestoreCurve,
    SettledTally, Step, Verdict, is_pending, median, median_interval,
};
use super::{Cohort, NANOS_PER_SECOND, assert_near, count, list, number};

const FIXTURE: &str = include_str!("../../../../fixtures/statistics.json");

/// Rounding to ten decimals changes a value by at most half of the last one.
const RATIO_TOLERANCE: f64 = 5.000_1e-11;

/// One nanosecond.
const SECONDS_TOLERANCE: f64 = 1e-9;

/// Seven days, one day, one hour.
const SPANS: [(&str, i64); 3] = [("1h", 3_600), ("1d", 86_400), ("7d", 604_800)];

fn fixture() -> Map<String, Value> {
    serde_json::from_str(FIXTURE).unwrap()
}

/// Values of an object with exactly these keys; a key that ends in `?` may be missing.
#[track_caller]
fn fields<'a, const N: usize>(object: &'a Value, keys: [&str; N]) -> [&'a Value; N] {
    let object = object.as_object().unwrap_or_else(|| panic!("{object} is not an object"));
    let name = |key: &str| key.trim_end_matches('?').to_owned();
    let unknown: Vec<_> =
        object.keys().filter(|key| !keys.iter().any(|known| name(known) == **key)).collect();
    assert!(unknown.is_empty(), "without a check: {unknown:?}");
    keys.map(|key| match object.get(&name(key)) {
        Some(value) => value,
        None if key.ends_with('?') => &Value::Null,
        None => panic!("{key} is missing"),
    })
}

#[track_caller]
fn assert_estimate(ours: Option<Estimate>, [value, low, high]: [&Value; 3], what: &str) {
    let Some(ours) = ours else {
        assert!(value.is_null() && low.is_null() && high.is_null(), "{what}: nothing instead of {value}");
        return;
    };
    assert_near(ours.value(), number(value), RATIO_TOLERANCE, what);
    assert_near(ours.low(), number(low), RATIO_TOLERANCE, what);
    assert_near(ours.high(), number(high), RATIO_TOLERANCE, what);
}

/// A rate `{x, n, value, low, high}`, or null.
#[track_caller]
fn assert_rate(ours: Option<Estimate>, of: [usize; 2], expected: &Value, what: &str) {
    if expected.is_null() {
        assert_eq!(ours, None, "{what}");
        return;
    }
    let [x, n, value, low, high] = fields(expected, ["x", "n", "value", "low", "high"]);
    assert_eq!([count(x), count(n)], of, "{what}");
    assert_estimate(ours, [value, low, high], what);
}

fn proportion(of: [usize; 2]) -> Option<Estimate> {
    Proportion::new(of[0], of[1]).map(Proportion::estimate)
}

fn event_rate(of: [usize; 2]) -> Option<Estimate> {
    EventRate::new(of[0], of[1]).map(EventRate::estimate)
}

#[expect(clippy::cast_possible_truncation, reason = "durations of the fixture are whole seconds")]
fn nanos(seconds: &Value) -> i64 {
    number(seconds) as i64 * NANOS_PER_SECOND
}

#[expect(clippy::cast_precision_loss, reason = "durations of the fixture are short")]
#[track_caller]
fn assert_seconds(ours: Option<i64>, expected: &Value, what: &str) {
    match ours {
        None => assert!(expected.is_null(), "{what}: nothing instead of {expected}"),
        Some(ours) => assert_near(ours as f64 / 1e9, number(expected), SECONDS_TOLERANCE, what),
    }
}

fn cohort(input: &Value) -> RestoreCurve {
    let mut cohort = Cohort::default();
    for seconds in list(&input["ended_seconds"]) {
        cohort.push_ended(nanos(seconds));
    }
    for seconds in list(&input["open_seconds"]) {
        cohort.push_open(nanos(seconds));
    }
    RestoreCurve::of(&[&cohort])
}

/// Cohort of the case with a name.
fn cohort_of_case(fixture: &Map<String, Value>, name: &Value) -> RestoreCurve {
    let case = list(&fixture["cases"]).iter().find(|case| case["name"] == *name);
    cohort(&case.unwrap_or_else(|| panic!("no case {name}"))["input"])
}

fn assert_median(sorted: &[i64], expected: &Value, what: &str) {
    let keys = ["n", "median", "median_low", "median_high", "ranks?", "coverage", "open?"];
    let [n, middle, low, high, ranks, coverage, _open] = fields(expected, keys);
    assert_eq!(sorted.len(), count(n), "{what}");
    assert_seconds(median(sorted), middle, what);
    let interval = median_interval(sorted);
    assert_seconds(interval.map(|(low, _)| low), low, what);
    assert_seconds(interval.map(|(_, high)| high), high, what);
    assert_ranks(sorted.len(), ranks, coverage, what);
}

fn assert_ranks(n: usize, ranks: &Value, coverage: &Value, what: &str) {
    let Some(ours) = MedianRanks::of(n) else {
        assert!(ranks.is_null() && coverage.is_null(), "{what}: no ranks instead of {ranks}");
        return;
    };
    assert_eq!([ours.low(), ours.high()], [count(&ranks[0]), count(&ranks[1])], "{what}");
    assert_near(ours.coverage(), number(coverage), RATIO_TOLERANCE, what);
}

fn assert_restored(curve: &RestoreCurve, expected: &Value, what: &str) {
    let keys = [
        "n",
        "ended",
        "open",
        "within",
        "half_within_seconds",
        "half_within_low",
        "half_within_high",
        "mean_within_7d_seconds",
        "followed_seconds",
        "curve",
        "note?",
    ];
    let [n, ended, open, within, half, half_low, half_high, mean, followed, steps, _note] =
        fields(expected, keys);
    assert_eq!([curve.n(), curve.ended().len(), curve.open()], [n, ended, open].map(count), "{what}");
    for ((span, seconds), expected) in SPANS.into_iter().zip(fields(within, SPANS.map(|(span, _)| span))) {
        assert_within(curve, seconds * NANOS_PER_SECOND, expected, &format!("{what}, {span}"));
    }
    let HalfWithin { value, low, high } = curve.half_within();
    assert_seconds(value, half, what);
    assert_seconds(low, half_low, what);
    assert_seconds(high, half_high, what);
    assert_seconds(curve.mean_within(604_800 * NANOS_PER_SECOND), mean, what);
    assert_seconds(curve.followed(), followed, what);
    assert_eq!(curve.steps().count(), list(steps).len(), "{what}");
    for (step, expected) in curve.steps().zip(list(steps)) {
        assert_step(step, list(expected), what);
    }
}

fn assert_within(curve: &RestoreCurve, span: i64, expected: &Value, what: &str) {
    let ours = curve.within(span);
    if expected.is_null() {
        assert_eq!(ours, None, "{what}");
        return;
    }
    let [value, low, high, by, known, at_risk] =
        fields(expected, ["value", "low", "high", "by", "known", "at_risk"]);
    let ours = ours.unwrap_or_else(|| panic!("{what}: nothing instead of {value}"));
    assert_estimate(Some(ours.share), [value, low, high], what);
    assert_eq!([ours.known, curve.at_risk(span)], [known, at_risk].map(count), "{what}");
    let is_edge = [0.0, 1.0].map(f64::to_bits).contains(&ours.share.value().to_bits());
    assert_eq!(by, if is_edge { "wilson" } else { "log-log" }, "{what}");
    if is_edge {
        let part = if ours.share.value() > 0.0 { ours.known } else { 0 };
        assert_eq!(Some(ours.share), proportion([part, ours.known]), "{what}");
    }
}

/// A step `[t, at_risk, ended, still_open, low, high]`.
fn assert_step(step: Step, expected: &[Value], what: &str) {
    let [time, at_risk, ended, still_open, low, high] = expected else { panic!("{what}: {expected:?}") };
    assert_eq!(
        (step.time(), step.at_risk(), step.ended()),
        (nanos(time), count(at_risk), count(ended)),
        "{what}"
    );
    assert_near(step.still_open(), number(still_open), RATIO_TOLERANCE, what);
    assert_near(step.restored(), 1.0 - number(still_open), RATIO_TOLERANCE, what);
    match (step.still_open_estimate(), step.estimate()) {
        (Some(open), Some(restored)) => {
            assert_estimate(Some(open), [still_open, low, high], what);
            assert_near(restored.low(), 1.0 - number(high), RATIO_TOLERANCE, what);
            assert_near(restored.high(), 1.0 - number(low), RATIO_TOLERANCE, what);
        }
        _ => assert!(low.is_null() && high.is_null(), "{what}"),
    }
}

#[test]
fn the_fixture_has_no_part_without_a_test() {
    let parts = [
        "made_by",
        "confidence",
        "z",
        "tolerance",
        "wilson",
        "poisson",
        "median_ranks",
        "newcombe",
        "log_rank",
        "pending",
        "cases",
        "worked_example",
    ];
    fields(&Value::Object(fixture()), parts);
    assert_near(Z, number(&fixture()["z"]), 0.0, "z");
    assert_near(
        1.0 - 2.0 * super::super::constants::TAIL,
        number(&fixture()["confidence"]),
        1e-15,
        "confidence",
    );
}

#[test]
fn wilson_intervals() {
    for row in list(&fixture()["wilson"]) {
        let of = [count(&row["x"]), count(&row["n"])];
        assert_rate(proportion(of), of, row, "wilson");
    }
    assert_eq!(Proportion::new(0, 0), None);
}

#[test]
fn exact_poisson_intervals() {
    for row in list(&fixture()["poisson"]) {
        let of = [count(&row["x"]), count(&row["n"])];
        assert_rate(event_rate(of), of, row, "poisson");
    }
    assert_eq!(EventRate::new(0, 0), None);
}

#[test]
fn ranks_of_median_intervals() {
    for row in list(&fixture()["median_ranks"]) {
        let [n, ranks, coverage] = fields(row, ["n", "ranks?", "coverage"]);
        assert_ranks(count(n), ranks, coverage, &format!("n = {n}"));
    }
}

#[test]
fn differences_of_proportions() {
    for row in list(&fixture()["newcombe"]) {
        let keys = ["x1", "n1", "x2", "n2", "difference", "low", "high", "changed"];
        let [x1, n1, x2, n2, difference, low, high, changed] = fields(row, keys);
        let [now, before] = [[x1, n1], [x2, n2]].map(|of| proportion(of.map(count)).unwrap());
        let ours = Difference::between(now, before);
        assert_estimate(Some(ours.estimate()), [difference, low, high], "newcombe");
        assert_eq!(ours.verdict() != Verdict::NoChangeShown, changed.as_bool().unwrap(), "{row}");
        assert_ne!(ours.verdict(), Verdict::Lower, "{row}");
    }
}

#[test]
fn log_rank_tests() {
    let fixture = fixture();
    for row in list(&fixture["log_rank"]) {
        let [a, b, chi_squared, p, changed] = fields(row, ["a", "b", "chi2", "p", "changed"]);
        let [now, before] = [a, b].map(|name| cohort_of_case(&fixture, name));
        let ours = LogRank::between(&now, &before).unwrap();
        assert_near(ours.chi_squared(), number(chi_squared), RATIO_TOLERANCE, "chi-squared");
        assert_near(ours.p(), number(p), RATIO_TOLERANCE, "p");
        assert_eq!(ours.verdict() != Verdict::NoChangeShown, changed.as_bool().unwrap(), "{row}");
        assert_eq!(ours.p() <= 0.05, changed.as_bool().unwrap(), "{row}");
    }
}

#[test]
fn pending_deployments() {
    for row in list(&fixture()["pending"]) {
        let [as_of, link_window, deployments, expect] =
            fields(row, ["as_of", "link_window", "deployments", "expect"]);
        let mut tally = SettledTally::default();
        for deployment in list(deployments) {
            let [finished_at, failed] = fields(deployment, ["finished_at", "failed"]);
            let is_pending = is_pending(nanos(finished_at), nanos(link_window), nanos(as_of));
            tally.count(is_pending, failed.as_bool().unwrap());
        }
        let keys = [
            "deployments",
            "failed_deployments",
            "pending_deployments",
            "settled_failed_deployments",
            "change_fail_rate",
            "change_fail_rate_settled",
        ];
        let [made, failed, pending, settled_failed, rate, settled] = fields(expect, keys);
        let ours = tally.fail_rate().map(Proportion::estimate);
        assert_eq!(tally.pending(), count(pending));
        assert_eq!(
            tally.fail_rate().map_or([0, 0], |rate| [rate.part(), rate.whole()]),
            [failed, made].map(count)
        );
        let of = tally.settled_fail_rate().map_or([0, 0], |rate| [rate.part(), rate.whole()]);
        assert_eq!(of[0], count(settled_failed));
        assert_rate(tally.settled_fail_rate().map(Proportion::estimate), of, settled, "settled");
        match ours {
            Some(ours) => assert_near(ours.value(), number(rate), RATIO_TOLERANCE, "fail rate"),
            None => assert!(rate.is_null()),
        }
    }
}

#[test]
fn cases() {
    for case in list(&fixture()["cases"]) {
        let keys = [
            "name",
            "note",
            "input",
            "change_fail_rate",
            "deployment_rework_rate",
            "change_failure_rate",
            "time_to_restore_seconds",
            "restored",
        ];
        let [name, _note, input, fail_rate, rework_rate, failure_rate, time_to_restore, restored] =
            fields(case, keys);
        let keys = [
            "failed_deployments",
            "deployments",
            "matched_incidents",
            "rework",
            "ended_seconds",
            "open_seconds",
        ];
        let [failed, deployments, matched, rework, _, _] = fields(input, keys);
        let of = |part| [count(part), count(deployments)];
        let what = name.as_str().unwrap();
        assert_rate(proportion(of(failed)), of(failed), fail_rate, what);
        assert_rate(proportion(of(rework)), of(rework), rework_rate, what);
        assert_rate(event_rate(of(matched)), of(matched), failure_rate, what);
        let curve = cohort(input);
        assert_median(curve.ended(), time_to_restore, what);
        assert_restored(&curve, restored, what);
    }
}

#[test]
fn the_worked_example() {
    let fixture = fixture();
    let [input, expect] = fields(&fixture["worked_example"], ["input", "expect"]);
    let keys = [
        "deployments",
        "failed_deployments",
        "pending_deployments",
        "incidents",
        "unmatched_incidents",
        "open",
        "still_open",
        "change_failure_rate",
        "change_fail_rate",
        "change_fail_rate_settled",
        "deployment_rework_rate",
        "time_to_restore_seconds",
        "failed_deployment_recovery_time_seconds",
        "restored",
    ];
    let [
        deployments,
        failed,
        pending,
        incidents,
        unmatched,
        open,
        still_open,
        rates @ ..,
        times,
        recoveries,
        restored,
    ] = fields(expect, keys);
    let [deployments, failed, incidents, unmatched] = [deployments, failed, incidents, unmatched].map(count);
    let [failure_rate, fail_rate, settled, rework] = rates;
    let of = [incidents - unmatched, deployments];
    assert_rate(event_rate(of), of, failure_rate, "change failure rate");
    let of = [failed, deployments];
    assert_rate(proportion(of), of, fail_rate, "change fail rate");
    // The pending deployment has failed already.
    let of = [failed - count(pending), deployments - count(pending)];
    assert_rate(proportion(of), of, settled, "settled");
    let of = [count(&rework["x"]), deployments];
    assert_rate(proportion(of), of, rework, "rework");
    let curve = cohort(input);
    assert_eq!([curve.n(), curve.open(), curve.open()], [incidents, count(open), count(still_open)]);
    assert_median(curve.ended(), times, "time to restore");
    let recovered: Vec<i64> = list(&input["recovered_seconds"]).iter().map(nanos).collect();
    assert_median(&recovered, recoveries, "recovery");
    assert_eq!(count(&recoveries["open"]), failed - recovered.len());
    assert_restored(&curve, restored, "worked example");
}
