//! Every value of `fixtures/statistics_reference.json`: computed with mpmath to 40 digits, or in whole numbers.

use serde_json::{Map, Value};

use super::super::normal::two_sided_p;
use super::super::{MedianRanks, poisson_mean};
use super::{assert_near, assert_relative, count, list, number};

const FIXTURE: &str = include_str!("../../../../fixtures/statistics_reference.json");

fn fixture() -> Map<String, Value> {
    serde_json::from_str(FIXTURE).unwrap()
}

#[test]
fn poisson_bounds_of_counts_up_to_ten_millions() {
    for row in list(&fixture()["poisson_means"]) {
        let [x, low, high] = list(row) else { panic!("{row}") };
        let ours = poisson_mean(count(x));
        let what = format!("count {x}");
        assert_near(ours.value(), number(x), 0.0, &what);
        assert_relative(ours.low(), number(low), 1e-14, &what);
        assert_relative(ours.high(), number(high), 1e-14, &what);
    }
}

#[test]
fn ranks_of_every_small_sample() {
    for (n, rank) in list(&fixture()["median_rank_of_n"]).iter().enumerate() {
        assert_eq!(MedianRanks::of(n).map_or(0, MedianRanks::low), count(rank), "n = {n}");
    }
}

#[test]
fn ranks_of_large_samples() {
    for row in list(&fixture()["median_ranks"]) {
        let [n, rank, coverage] = list(row) else { panic!("{row}") };
        let ours = MedianRanks::of(count(n)).unwrap();
        assert_eq!((ours.low(), ours.high()), (count(rank), count(n) + 1 - count(rank)));
        assert_near(ours.coverage(), number(coverage), 1e-13, &row.to_string());
    }
}

#[test]
fn tails_of_the_normal_distribution() {
    for row in list(&fixture()["two_sided_p"]) {
        let [z, p] = list(row) else { panic!("{row}") };
        assert_relative(two_sided_p(number(z)), number(p), 1e-12, &format!("z = {z}"));
        assert_relative(two_sided_p(-number(z)), number(p), 1e-12, &format!("z = -{z}"));
    }
}
