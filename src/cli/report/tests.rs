use super::format::heading;
use super::*;
use jiff::tz::TimeZone;

use crate::domain::figures::{
    CONFIDENCE, FigureChange, IntervalName, RecoveryTimes, Report, RestoreTimes, Restored, RestoredShare,
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
pub(super) fn intervals(report: &Report) -> Vec<IntervalName> {
    let name = |row: &Row| {
        Some(IntervalName { start: row.period?, label: row.label.clone()?, is_partial: row.partial })
    };
    let mut intervals: Vec<IntervalName> = report.rows.iter().filter_map(name).collect();
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

/// Makes line ends visible.
fn shown(csv: &str) -> String {
    csv.replace("\r\n", "⏎\n")
}

#[test]
fn a_report_is_shown_as_tables() {
    insta::assert_snapshot!(table(&undivided(), 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    SERVICE   INCIDENTS  DEPLOYS  FAILED               CFR    FAIL RATE       REWORK          IN 1H
    checkout          4       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)  75.0% (30-95)
    search            1        0       0                 -            -            -              -
    total             4       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)  75.0% (30-95)

    Time to restore
    SERVICE   N  OPEN  STILL OPEN     MEAN     MEDIAN  P90      MAX
    checkout  3     1           2  20m 00s  15m 00s ~    -  40m 01s
    total     3     1           2  20m 00s  15m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    SERVICE   N  OPEN    MEAN    MEDIAN  P90     MAX
    checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    total     1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval
    ");
}

#[test]
fn a_divided_period_has_a_trend() {
    insta::assert_snapshot!(table(&weekly(), 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    PERIOD     SERVICE   INCIDENTS  DEPLOYS  A DAY  FAILED               CFR    FAIL RATE          IN 1H
    2026-W44*  checkout          4       40   1.40       2  0.10 (0.03-0.26)  5.0% (1-16)  75.0% (30-95)
    2026-W45   checkout          1        0   0.00       0                 -            -              -
    2026-W45   search            1        0   0.00       0                 -            -              -
    2026-W46   checkout          4       40   1.40       2  0.03 (0.03-0.26)  5.0% (1-16)  75.0% (30-95)
    total                        4       40   1.40       2  0.10 (0.03-0.26)  5.0% (1-16)  75.0% (30-95)
    * cut by the start or the end of the period

    Time to restore
    PERIOD     SERVICE   N  OPEN  STILL OPEN     MEAN     MEDIAN  P90      MAX
    2026-W44*  checkout  3     1           2  20m 00s  15m 00s ~    -  40m 01s
    2026-W46   checkout  3     1           2  20m 00s   5m 00s ~    -  40m 01s
    total                3     1           2  20m 00s  15m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    PERIOD     SERVICE   N  OPEN    MEAN    MEDIAN  P90     MAX
    2026-W44*  checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    2026-W46   checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    total                1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval

    Trend
    SERVICE   FIGURE                  HIGHEST  OVER TIME
    checkout  change failure rate        0.10  █·▂
    checkout  median time to restore  15m 00s  █·▃
    A bar for each week from 2026-W44 to 2026-W46; ·: nothing to count in that week.
    ");
}

#[test]
fn a_week_without_data_has_a_place_in_the_trend() {
    let report = weekly();
    let last = IntervalName {
        start: zoned("2026-11-16T00:00:00Z"),
        label: "2026-W47".to_owned(),
        is_partial: false,
    };
    let weeks: Vec<IntervalName> = intervals(&report).into_iter().chain([last]).collect();
    let text = super::table(&report, &weeks, 100);
    assert!(text.contains("checkout  change failure rate        0.10  █·▂·\n"), "{text}");
}

#[test]
fn a_report_without_groups_has_no_key() {
    let all = report(Grouping::None, None, vec![Row { key: None, ..busy("") }]);
    insta::assert_snapshot!(table(&all, 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  FAILED               CFR    FAIL RATE       REWORK
            4        2          0       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)

    Time to restore
    N  OPEN     MEAN     MEDIAN  P90      MAX
    3     1  20m 00s  15m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    N  OPEN    MEAN    MEDIAN  P90     MAX
    1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval
    ");
    insta::assert_snapshot!(markdown(&all), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Incidents | Open | Ignored | Matched | Unmatched | Deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | 4 | 1 | 2 | 4 | 0 | 40 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    ");
    let severities = report(Grouping::Severity, None, vec![unmatched(None), unmatched(Some("SEV-1"))]);
    insta::assert_snapshot!(table(&severities, 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    SEVERITY  INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  FAILED  CFR  FAIL RATE  REWORK
    -                 1        0          1        -       -    -          -       -
    SEV-1             1        0          1        -       -    -          -       -
    ");
}

#[test]
fn a_report_without_data_has_no_rows() {
    let nothing = report(Grouping::Service, None, Vec::new());
    insta::assert_snapshot!(table(&nothing, 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    no failures and no deployments
    ");
    assert_eq!(csv(&nothing, true).lines().count(), 1, "the header");
    assert_eq!(markdown(&nothing).lines().count(), 4, "the heading and the header");
}

#[test]
fn csv_has_every_figure() {
    insta::assert_snapshot!(shown(&csv(&undivided(), true)), @r"
    key,period,label,partial,incidents,open,still_open,ignored,matched_incidents,unmatched_incidents,linked_incidents_named,linked_incidents_automatic,linked_incidents_none,deployments,deployments_per_day,pending_deployments,failed_deployments,change_failure_rate,change_failure_rate_low,change_failure_rate_high,change_fail_rate,change_fail_rate_low,change_fail_rate_high,change_fail_rate_settled,change_fail_rate_settled_low,change_fail_rate_settled_high,deployment_rework_rate,deployment_rework_rate_low,deployment_rework_rate_high,time_to_restore_seconds_n,time_to_restore_seconds_mean,time_to_restore_seconds_median,time_to_restore_seconds_median_low,time_to_restore_seconds_median_high,time_to_restore_seconds_p90,time_to_restore_seconds_max,restored_n,restored_open,restored_within_1h_value,restored_within_1h_low,restored_within_1h_high,restored_within_1h_known,restored_within_1d_value,restored_within_1d_low,restored_within_1d_high,restored_within_1d_known,restored_within_7d_value,restored_within_7d_low,restored_within_7d_high,restored_within_7d_known,restored_half_within_seconds,restored_half_within_low,restored_half_within_high,restored_mean_within_7d_seconds,restored_followed_seconds,failed_deployment_recovery_time_seconds_n,failed_deployment_recovery_time_seconds_open,failed_deployment_recovery_time_seconds_mean,failed_deployment_recovery_time_seconds_median,failed_deployment_recovery_time_seconds_median_low,failed_deployment_recovery_time_seconds_median_high,failed_deployment_recovery_time_seconds_p90,failed_deployment_recovery_time_seconds_max⏎
    checkout,,,false,4,1,2,2,4,0,0,0,0,40,1.4035087719298245,0,2,0.1,0.027,0.256,0.05,0.014,0.165,,,,0.025,0.004,0.129,3,1200,900,,,,2400.5,4,1,0.75,0.301,0.954,4,,,,,,,,,,,,,,1,1,93600,93600,,,,93600⏎
    search,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0,,,,,,,0,0,,,,,,,,,,,,,,,,,,0,0,,,,,,⏎
    total,,,false,4,1,2,2,4,0,0,0,0,40,1.4035087719298245,0,2,0.1,0.027,0.256,0.05,0.014,0.165,,,,0.025,0.004,0.129,3,1200,900,,,,2400.5,4,1,0.75,0.301,0.954,4,,,,,,,,,,,,,,1,1,93600,93600,,,,93600⏎
    ");
    insta::assert_snapshot!(shown(&csv(&weekly(), true)), @r"
    key,period,label,partial,incidents,open,still_open,ignored,matched_incidents,unmatched_incidents,linked_incidents_named,linked_incidents_automatic,linked_incidents_none,deployments,deployments_per_day,pending_deployments,failed_deployments,change_failure_rate,change_failure_rate_low,change_failure_rate_high,change_fail_rate,change_fail_rate_low,change_fail_rate_high,change_fail_rate_settled,change_fail_rate_settled_low,change_fail_rate_settled_high,deployment_rework_rate,deployment_rework_rate_low,deployment_rework_rate_high,time_to_restore_seconds_n,time_to_restore_seconds_mean,time_to_restore_seconds_median,time_to_restore_seconds_median_low,time_to_restore_seconds_median_high,time_to_restore_seconds_p90,time_to_restore_seconds_max,restored_n,restored_open,restored_within_1h_value,restored_within_1h_low,restored_within_1h_high,restored_within_1h_known,restored_within_1d_value,restored_within_1d_low,restored_within_1d_high,restored_within_1d_known,restored_within_7d_value,restored_within_7d_low,restored_within_7d_high,restored_within_7d_known,restored_half_within_seconds,restored_half_within_low,restored_half_within_high,restored_mean_within_7d_seconds,restored_followed_seconds,failed_deployment_recovery_time_seconds_n,failed_deployment_recovery_time_seconds_open,failed_deployment_recovery_time_seconds_mean,failed_deployment_recovery_time_seconds_median,failed_deployment_recovery_time_seconds_median_low,failed_deployment_recovery_time_seconds_median_high,failed_deployment_recovery_time_seconds_p90,failed_deployment_recovery_time_seconds_max⏎
    checkout,2026-11-01T12:30:00Z,2026-W44,true,4,1,2,2,4,0,0,0,0,40,1.4035087719298245,0,2,0.1,0.027,0.256,0.05,0.014,0.165,,,,0.025,0.004,0.129,3,1200,900,,,,2400.5,4,1,0.75,0.301,0.954,4,,,,,,,,,,,,,,1,1,93600,93600,,,,93600⏎
    checkout,2026-11-02T00:00:00Z,2026-W45,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0,,,,,,,0,0,,,,,,,,,,,,,,,,,,0,0,,,,,,⏎
    search,2026-11-02T00:00:00Z,2026-W45,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0,,,,,,,0,0,,,,,,,,,,,,,,,,,,0,0,,,,,,⏎
    checkout,2026-11-09T00:00:00Z,2026-W46,false,4,1,2,2,4,0,0,0,0,40,1.4035087719298245,0,2,0.025,0.027,0.256,0.05,0.014,0.165,,,,0.025,0.004,0.129,3,1200,300,,,,2400.5,4,1,0.75,0.301,0.954,4,,,,,,,,,,,,,,1,1,93600,93600,,,,93600⏎
    total,,,false,4,1,2,2,4,0,0,0,0,40,1.4035087719298245,0,2,0.1,0.027,0.256,0.05,0.014,0.165,,,,0.025,0.004,0.129,3,1200,900,,,,2400.5,4,1,0.75,0.301,0.954,4,,,,,,,,,,,,,,1,1,93600,93600,,,,93600⏎
    ");
}

#[test]
fn markdown_has_one_table() {
    insta::assert_snapshot!(markdown(&undivided()), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Service | Incidents | Open | Still open | Ignored | Unmatched | Deployments | Deployments per day | Pending deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Restored within an hour | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | checkout | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    | search | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0 | - | - | - | - | - | 0 | 0 | - | - | - | - |
    | total | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    ");
    insta::assert_snapshot!(markdown(&weekly()), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Period | Service | Incidents | Open | Still open | Ignored | Unmatched | Deployments | Deployments per day | Pending deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Restored within an hour | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | 2026-W44\* | checkout | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    | 2026-W45 | checkout | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0 | - | - | - | - | - | 0 | 0 | - | - | - | - |
    | 2026-W45 | search | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0 | - | - | - | - | - | 0 | 0 | - | - | - | - |
    | 2026-W46 | checkout | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.03 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 5m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    | total |  | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    ");
}

#[test]
fn keys_with_special_characters_stay_text() {
    insta::assert_snapshot!(table(&hostile(), 100), @r#"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    TEAM            INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  A DAY  FAILED  CFR  FAIL RATE  REWORK  IN 1H
    =HYPERLINK("h…          1        0          1        0   0.00       0    -          -       -      -
    +1                      1        0          1        0   0.00       0    -          -       -      -
    -1                      1        0          1        0   0.00       0    -          -       -      -
    @SUM(A1)                1        0          1        0   0.00       0    -          -       -      -
    ·=1                     1        0          1        0   0.00       0    -          -       -      -
    a|b\|c                  1        0          1        0   0.00       0    -          -       -      -
    a,b;c                   1        0          1        0   0.00       0    -          -       -      -
    two··lines              1        0          1        0   0.00       0    -          -       -      -
    <img src=x> […          1        0          1        0   0.00       0    -          -       -      -
    ·[31mred·               1        0          1        0   0.00       0    -          -       -      -
                            1        0          1        0   0.00       0    -          -       -      -
    total                   1        0          1        0   0.00       0    -          -       -      -
    "#);
    let first_cells = |text: String, cells: usize| -> String {
        let cut = |line: &str| line.chars().take(cells).collect::<String>().trim_end().to_owned() + "\n";
        text.lines().map(cut).collect()
    };
    insta::assert_snapshot!(first_cells(shown(&csv(&hostile(), true)), 50), @r#"
    key,period,label,partial,incidents,open,still_open
    "=HYPERLINK(""http://evil"",""x"")",,,false,1,0,0,
    +1,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0
    -1,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0
    @SUM(A1),,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,
    ·=1,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,
    a|b\|c,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,
    "a,b;c",,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,
    two··lines,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,
    <img src=x> [x](http://evil) `*_,,,false,1,0,0,0,0
    ·[31mred·,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,
    ,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,,,0,,
    total,,,false,1,0,0,0,0,1,0,0,0,0,0,0,0,,,,,,,,,,,
    "#);
    insta::assert_snapshot!(first_cells(markdown(&hostile()), 60), @r#"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Team | Incidents | Open | Still open | Ignored | Unmatched
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---
    | =HYPERLINK("http://evil","x") | 1 | 0 | 0 | 0 | 1 | 0 | 0.
    | +1 | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0
    | -1 | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0
    | @SUM(A1) | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - |
    | ·=1 | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0
    | a\|b\\\|c | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - |
    | a,b;c | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - |
    | two··lines | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | -
    | \<img src=x\> \[x\](http://evil) \`\*\_ | 1 | 0 | 0 | 0 |
    | ·\[31mred· | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | -
    |  | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - | 0 |
    | total | 1 | 0 | 0 | 0 | 1 | 0 | 0.00 | 0 | 0 | - | - | - |
    "#);
}

#[test]
fn the_latest_bars_are_shown_if_not_all_fit() {
    let start = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    let days = (0..200_u32).map(|day| {
        let at = start.saturating_add(std::time::Duration::from_hours(24 * u64::from(day)));
        Row {
            period: Some(ZonedTime::new(at, &TimeZone::UTC)),
            label: Some(at.period_name()),
            change_failure_rate: Some(f64::from(day) / 199.0),
            ..unmatched(None)
        }
    });
    let text = table(&report(Grouping::None, Some(Interval::Day), days.collect()), 60);
    let trend: Vec<&str> = text.lines().rev().take(4).collect();
    assert!(trend.iter().all(|line| line.chars().count() <= 60), "{trend:#?}");
    insta::assert_snapshot!(trend.into_iter().rev().collect::<Vec<_>>().join("\n"), @r"
    FIGURE               HIGHEST  OVER TIME
    change failure rate     1.00  …▇▇▇▇▇▇▇▇▇▇▇█████████████
    A bar for each day from 2027-04-26 to 2027-05-19, 176
    earlier ones left out (…); ·: nothing to count in that day.
    ");
}

#[test]
fn the_heading_names_the_env() {
    let of_env = |env: &str| Report { env: env.to_owned(), ..undivided() };
    assert_eq!(heading(&of_env("all")), "2026-11-01 12:30 to 2026-11-30 00:00 UTC, all envs");
    let steered = markdown(&of_env("<b>\u{1b}[31m"));
    assert!(
        steered.starts_with("2026-11-01 12:30 to 2026-11-30 00:00 UTC, env \\<b\\>·\\[31m\n"),
        "{steered}"
    );
}

#[test]
fn the_heading_names_what_is_counted_and_where_days_begin() {
    let report = Report {
        service: Some("checkout".to_owned()),
        team: Some("payments".to_owned()),
        timezone: "Europe/Berlin".to_owned(),
        ..weekly()
    };
    assert_eq!(
        heading(&report),
        "2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production, service checkout, team payments, weeks begin in \
         Europe/Berlin"
    );
}

/// A report whose rate is higher, and whose share of restored failures shows no change.
fn compared() -> Report {
    let higher =
        FigureChange { before: 0.02, difference: 0.03, low: 0.001, high: 0.12, verdict: Verdict::Higher };
    let same = FigureChange {
        before: 0.8,
        difference: -0.05,
        low: -0.2,
        high: 0.1,
        verdict: Verdict::NoChangeShown,
    };
    let change = RowChange {
        change_fail_rate: Some(higher),
        change_failure_rate: Some(FigureChange { verdict: Verdict::Lower, ..same }),
        deployment_rework_rate: None,
        restored: Some(same),
    };
    let with_change = |row| Row { change: Some(change.clone()), ..row };
    let report = undivided();
    Report {
        rows: report.rows.into_iter().map(with_change).collect(),
        total: with_change(report.total),
        ..report
    }
}

#[test]
fn a_comparison_has_a_table_of_its_own() {
    let text = table(&compared(), 100);
    let (_, changes) = text.split_once("\nChange\n").unwrap();
    insta::assert_snapshot!(changes, @r"
    SERVICE                        CFR           FAIL RATE  REWORK              IN 1H
    checkout  -0.05 (-0.20 to +0.10) ↓  +3.0 (+0 to +12) ↑       -  -5.0 (-20 to +10)
    search    -0.05 (-0.20 to +0.10) ↓  +3.0 (+0 to +12) ↑       -  -5.0 (-20 to +10)
    total     -0.05 (-0.20 to +0.10) ↓  +3.0 (+0 to +12) ↑       -  -5.0 (-20 to +10)
    The difference to the period of equal length before and its 95 % interval: shares in percentage
    points, CFR per deployment. ↑ and ↓ where the data show a change; elsewhere they agree with no
    change.
    ");
    let csv = csv(&compared(), false);
    let columns = |line: &str| line.split(',').rev().take(20).map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<&str> = csv.lines().collect();
    let pairs = columns(lines[0]).into_iter().rev().zip(columns(lines[1]).into_iter().rev());
    insta::assert_snapshot!(pairs.map(|(name, cell)| format!("{name}: {cell}\n")).collect::<String>(), @r"
    change_change_failure_rate_before: 0.8
    change_change_failure_rate_difference: -0.05
    change_change_failure_rate_low: -0.2
    change_change_failure_rate_high: 0.1
    change_change_failure_rate_verdict: lower
    change_change_fail_rate_before: 0.02
    change_change_fail_rate_difference: 0.03
    change_change_fail_rate_low: 0.001
    change_change_fail_rate_high: 0.12
    change_change_fail_rate_verdict: higher
    change_deployment_rework_rate_before: 
    change_deployment_rework_rate_difference: 
    change_deployment_rework_rate_low: 
    change_deployment_rework_rate_high: 
    change_deployment_rework_rate_verdict: 
    change_restored_before: 0.8
    change_restored_difference: -0.05
    change_restored_low: -0.2
    change_restored_high: 0.1
    change_restored_verdict: no change shown
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 80..=130 {
        for report in [undivided(), weekly(), hostile(), compared()] {
            for line in table(&report, width).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_narrow_terminal_gets_what_matters_most() {
    let long = "payments-and-refunds-of-the-whole-world";
    let rename = |report: Report| {
        let rows = report.rows.into_iter().map(|row| Row { key: Some(long.to_owned()), ..row });
        Report { rows: rows.collect(), ..report }
    };
    let [whole, weeks] = [undivided(), weekly()].map(rename);
    let shown = [80, 100].map(|width| format!("{}\n{}", table(&whole, width), table(&weeks, width)));
    insta::assert_snapshot!(shown.join("\n----\n\n"));
}
