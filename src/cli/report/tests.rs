//! Reports that the tests share.

mod compared;
mod exports;
mod same_numbers;
mod tables;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::figures::{
    CONFIDENCE, CalendarInterval, FigureChange, RecoveryTimes, Report, RestoreTimes, Restored, RestoredShare,
    RestoredShares, Row, RowChange, RowHead, RowSums,
};
use crate::domain::statistics::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::domain::zoned_time::ZonedTime;

/// Table of a report that has a row for each of its periods.
fn table(report: &Report, width: usize) -> String {
    super::table(report, &intervals(report), width)
}

/// The intervals of a report that has a row for each of them.
pub(super) fn intervals(report: &Report) -> Vec<CalendarInterval> {
    let name = |row: &Row| {
        Some(CalendarInterval { start: row.period?, label: row.label.clone()?, is_partial: row.partial })
    };
    let mut intervals: Vec<CalendarInterval> = report.rows.iter().filter_map(name).collect();
    intervals.sort_unstable_by_key(|interval| interval.start);
    intervals.dedup();
    intervals
}

/// Row that counts nothing. Rows that begin with it need no change when a figure is added.
fn idle(key: Option<&str>) -> Row {
    let day = RowHead::whole(Timestamp::from_nanos(0), Timestamp::from_nanos(86_400_000_000_000));
    RowSums::default().row(&RowHead { key, ..day })
}

/// Row with failures and deployments.
fn busy(key: &str) -> Row {
    Row {
        incidents: 4,
        open: 1,
        ignored: 2,
        still_open: 2,
        deployments: Some(40),
        deployments_per_day: Some(40.0 / 28.5),
        failed_deployments: Some(2),
        matched_incidents: 4,
        change_failure_rate: Some(0.1),
        change_failure_rate_low: Some(0.027),
        change_failure_rate_high: Some(0.256),
        change_fail_rate: Some(0.05),
        change_fail_rate_low: Some(0.014),
        change_fail_rate_high: Some(0.165),
        deployment_rework_rate: Some(1.0 / 40.0),
        deployment_rework_rate_low: Some(0.004),
        deployment_rework_rate_high: Some(0.129),
        time_to_restore_seconds: RestoreTimes {
            n: 3,
            mean: Some(1200.0),
            median: Some(900.0),
            max: Some(2400.5),
            ..RestoreTimes::default()
        },
        restored: Restored {
            n: 4,
            open: 1,
            within: RestoredShares {
                hour: Some(RestoredShare { value: 0.75, low: 0.301, high: 0.954, known: 4 }),
                ..RestoredShares::default()
            },
            ..Restored::default()
        },
        failed_deployment_recovery_time_seconds: RecoveryTimes {
            n: 1,
            open: 1,
            mean: Some(93_600.0),
            median: Some(93_600.0),
            max: Some(93_600.0),
            ..RecoveryTimes::default()
        },
        ..idle(Some(key))
    }
}

/// Row with one unmatched incident.
pub(super) fn unmatched(key: Option<&str>) -> Row {
    Row { incidents: 1, unmatched_incidents: 1, ..idle(key) }
}

pub(super) fn report(by: Grouping, interval: Option<Interval>, rows: Vec<Row>) -> Report {
    let time = |text| Timestamp::parse(text).unwrap();
    Report {
        since: time("2026-11-01T12:30:00Z"),
        until: time("2026-11-30T00:00:00Z"),
        as_of: time("2026-11-30T00:00:00Z"),
        confidence: CONFIDENCE,
        by,
        interval,
        env: "production".to_owned(),
        service: None,
        team: None,
        timezone: "UTC".to_owned(),
        total: Row {
            key: None,
            period: None,
            label: None,
            partial: false,
            ..rows.first().cloned().unwrap_or_else(|| idle(None))
        },
        rows,
        other_envs: Vec::new(),
        deployed_elsewhere: Vec::new(),
    }
}

fn zoned(time: &str) -> ZonedTime {
    ZonedTime::new(Timestamp::parse(time).unwrap(), &TimeZone::UTC)
}

fn undivided() -> Report {
    report(Grouping::Service, None, vec![busy("checkout"), unmatched(Some("search"))])
}

/// Three weeks: a bad one, one without deployments, and a good one.
pub(super) fn weekly() -> Report {
    let on = |period: &str, label: &str, row| Row {
        period: Some(zoned(period)),
        label: Some(label.to_owned()),
        partial: label == "2026-W44",
        ..row
    };
    let good = Row {
        change_failure_rate: Some(0.025),
        time_to_restore_seconds: RestoreTimes {
            median: Some(300.0),
            ..busy("checkout").time_to_restore_seconds
        },
        ..busy("checkout")
    };
    let rows = vec![
        on("2026-11-01T12:30:00Z", "2026-W44", busy("checkout")),
        on("2026-11-02T00:00:00Z", "2026-W45", unmatched(Some("checkout"))),
        on("2026-11-02T00:00:00Z", "2026-W45", unmatched(Some("search"))),
        on("2026-11-09T00:00:00Z", "2026-W46", good),
    ];
    report(Grouping::Service, Some(Interval::Week), rows)
}

pub(super) fn hostile() -> Report {
    let keys = [
        "=HYPERLINK(\"http://evil\",\"x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "a|b\\|c",
        "a,b;c",
        "two\r\nlines",
        "<img src=x> [x](http://evil) `*_",
        "\u{1b}[31mred\u{202e}",
        "",
    ];
    report(Grouping::Team, None, keys.into_iter().map(|key| unmatched(Some(key))).collect())
}
