//! Tests of the starts and ends of intervals.

use jiff::tz::TimeZone;

use super::super::{Interval, ReportQuery};
use super::{failure, lasting, query, rows};
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::failure::Failure;
use crate::domain::timestamp::Timestamp;

fn periods(since: &str, until: &str, interval: Interval, zone: &str) -> Vec<String> {
    let parse = |text| Timestamp::parse(text).unwrap();
    let query = ReportQuery {
        since: parse(since),
        until: parse(until),
        interval: Some(interval),
        timezone: TimeZone::posix(zone).unwrap(),
        ..query()
    };
    // An incident every half hour: no interval is empty.
    let times = std::iter::successors(Some(query.since), |at| {
        Some(at.saturating_add(std::time::Duration::from_mins(30)))
    });
    let failures: Vec<Failure> =
        times.take_while(|at| *at < query.until).map(|at| failure("1", at, None)).collect();
    rows(&query, &failures, &[])
        .iter()
        .map(|row| {
            format!(
                "{} {} {}{}",
                row.period.unwrap(),
                row.incidents,
                row.label.clone().unwrap(),
                if row.partial { " cut" } else { "" }
            )
        })
        .collect()
}

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

#[test]
fn days_begin_and_end_in_the_time_zone() {
    assert_eq!(
        periods("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", Interval::Day, BERLIN),
        [
            "2026-10-24T14:00:00+02:00 20 2026-10-24 cut",
            "2026-10-25T00:00:00+02:00 50 2026-10-25",
            "2026-10-26T00:00:00+01:00 26 2026-10-26 cut"
        ],
        "clocks went back on the 25th"
    );
    assert_eq!(
        periods("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", Interval::Day, BERLIN),
        ["2026-03-29T00:00:00+01:00 46 2026-03-29", "2026-03-30T00:00:00+02:00 48 2026-03-30"],
        "clocks went forward on the 29th"
    );
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    assert_eq!(
        periods("2026-10-24T12:00:00Z", "2026-11-03T00:00:00Z", Interval::Week, BERLIN),
        [
            "2026-10-24T14:00:00+02:00 70 2026-W43 cut",
            "2026-10-26T00:00:00+01:00 336 2026-W44",
            "2026-11-02T00:00:00+01:00 50 2026-W45 cut"
        ]
    );
    assert_eq!(
        periods("2026-10-31T00:00:00Z", "2026-12-02T00:00:00Z", Interval::Month, BERLIN),
        [
            "2026-10-31T01:00:00+01:00 46 2026-10 cut",
            "2026-11-01T00:00:00+01:00 1440 2026-11",
            "2026-12-01T00:00:00+01:00 50 2026-12 cut"
        ]
    );
}

#[test]
fn midnight_may_be_skipped_or_come_twice() {
    // Clocks go forward at midnight. They go back at one minute past midnight, to the evening before.
    let zone = "XST3:30XDT,M3.2.0/0:00,M11.1.0/0:01";
    assert_eq!(
        periods("2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", Interval::Day, zone),
        [
            "2026-03-07T08:30:00-03:30 31 2026-03-07 cut",
            "2026-03-08T01:00:00-02:30 46 2026-03-08",
            "2026-03-09T00:00:00-02:30 19 2026-03-09 cut"
        ]
    );
    assert_eq!(
        periods("2026-11-01T03:00:00Z", "2026-11-03T03:30:00Z", Interval::Day, zone),
        ["2026-10-31T23:30:00-03:30 49 2026-11-01 cut", "2026-11-02T00:00:00-03:30 48 2026-11-02"]
    );
}

#[test]
fn incidents_are_matched_with_deployments_of_the_whole_period() {
    let failures = [lasting("1", "10:00", "10:30"), lasting("2", "12:00", "12:30")];
    let deployments = [deployment("1", "checkout", "09:00", "09:10")];
    let days = ReportQuery {
        interval: Some(Interval::Day),
        timezone: TimeZone::fixed(jiff::tz::offset(13)),
        ..query()
    };
    let rows = rows(&days, &failures, &deployments);
    assert_eq!(rows.len(), 2, "a new day begins at 11:00Z");
    assert_eq!((rows[0].period.unwrap().at(), rows[0].unmatched_incidents), (time("00:00"), 0));
    assert_eq!((rows[1].period.unwrap().at(), rows[1].unmatched_incidents), (time("11:00"), 0));
    assert_eq!(rows[1].change_failure_rate, None, "nothing was deployed on this day");
}

#[test]
fn an_interval_starts_at_a_midnight_of_the_zone() {
    let parse = |text| Timestamp::parse(text).unwrap();
    for (at, interval, start) in [
        ("2026-10-25T12:00:00Z", Interval::Day, "2026-10-24T22:00:00Z"),
        ("2026-10-25T23:00:00Z", Interval::Day, "2026-10-25T23:00:00Z"),
        ("2026-11-01T22:59:59Z", Interval::Week, "2026-10-25T23:00:00Z"),
        ("2026-11-30T10:00:00Z", Interval::Month, "2026-10-31T23:00:00Z"),
    ] {
        let query =
            ReportQuery { interval: Some(interval), timezone: TimeZone::posix(BERLIN).unwrap(), ..query() };
        assert_eq!(query.interval_start(parse(at)), Some(parse(start)), "{at}");
    }
    assert_eq!(query().interval_start(parse("2026-11-30T10:00:00Z")), None);
}
