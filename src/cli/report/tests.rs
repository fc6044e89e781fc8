use super::format::heading;
use super::*;
use crate::domain::figures::{CONFIDENCE, RecoveryTimes, Report, RestoreTimes, Row, RowSums};
use crate::domain::timestamp::Timestamp;

/// Table of a report that has a row for each of its periods.
fn table(report: &Report, width: usize) -> String {
    let mut periods: Vec<Timestamp> = report.rows.iter().filter_map(|row| row.period).collect();
    periods.sort_unstable();
    periods.dedup();
    super::table(report, "production", &periods, width)
}

fn markdown_of(report: &Report) -> String {
    markdown(report, "production")
}

/// Row that counts nothing. Rows that begin with it need no change when a figure is added.
fn idle(key: Option<&str>) -> Row {
    RowSums::default().row(key, None)
}

/// Row with failures and deployments.
fn busy(key: &str) -> Row {
    Row {
        incidents: 4,
        open: 1,
        ignored: 2,
        deployments: 40,
        failed_deployments: 2,
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
        rows,
        other_envs: Vec::new(),
        deployed_elsewhere: Vec::new(),
    }
}

fn undivided() -> Report {
    report(Grouping::Service, None, vec![busy("checkout"), unmatched(Some("search"))])
}

/// Three weeks: a bad one, one without deployments, and a good one.
pub(super) fn weekly() -> Report {
    let on = |period: &str, row| Row { period: Some(Timestamp::parse(period).unwrap()), ..row };
    let good = Row {
        change_failure_rate: Some(0.025),
        time_to_restore_seconds: RestoreTimes {
            median: Some(300.0),
            ..busy("checkout").time_to_restore_seconds
        },
        ..busy("checkout")
    };
    let rows = vec![
        on("2026-11-01T12:30:00Z", busy("checkout")),
        on("2026-11-02T00:00:00Z", unmatched(Some("checkout"))),
        on("2026-11-02T00:00:00Z", unmatched(Some("search"))),
        on("2026-11-09T00:00:00Z", good),
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
    SERVICE   INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  FAILED               CFR    FAIL RATE       REWORK
    checkout          4        2          0       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)
    search            1        0          1        0       0                 -            -            -

    Time to restore
    SERVICE   N  OPEN     MEAN     MEDIAN  P90      MAX
    checkout  3     1  20m 00s  15m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    SERVICE   N  OPEN    MEAN    MEDIAN  P90     MAX
    checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval
    ");
}

#[test]
fn a_divided_period_has_a_trend() {
    insta::assert_snapshot!(table(&weekly(), 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    PERIOD (UTC)      SERVICE   INCIDENTS  DEPLOYS  FAILED               CFR    FAIL RATE       REWORK
    2026-11-01 12:30  checkout          4       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)
    2026-11-02        checkout          1        0       0                 -            -            -
    2026-11-02        search            1        0       0                 -            -            -
    2026-11-09        checkout          4       40       2  0.03 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)

    Time to restore
    PERIOD (UTC)      SERVICE   N  OPEN     MEAN     MEDIAN  P90      MAX
    2026-11-01 12:30  checkout  3     1  20m 00s  15m 00s ~    -  40m 01s
    2026-11-09        checkout  3     1  20m 00s   5m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    PERIOD (UTC)      SERVICE   N  OPEN    MEAN    MEDIAN  P90     MAX
    2026-11-01 12:30  checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    2026-11-09        checkout  1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval

    Trend
    SERVICE   FIGURE                  HIGHEST  OVER TIME
    checkout  change failure rate        0.10  █·▂
    checkout  median time to restore  15m 00s  █·▃
    A bar for each week from 2026-11-01 12:30 to 2026-11-30 00:00 UTC; ·: nothing to count in that week.
    ");
}

#[test]
fn a_week_without_data_has_a_place_in_the_trend() {
    let weeks =
        ["2026-11-01T12:30:00Z", "2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z"];
    let text = super::table(&weekly(), "production", &weeks.map(|week| Timestamp::parse(week).unwrap()), 100);
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
    insta::assert_snapshot!(markdown_of(&all), @r"
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
    assert_eq!(markdown_of(&nothing).lines().count(), 4, "the heading and the header");
}

#[test]
fn csv_has_every_figure() {
    insta::assert_snapshot!(shown(&csv(&undivided(), true)), @r"
    key,period,incidents,open,ignored,matched_incidents,unmatched_incidents,deployments,failed_deployments,change_failure_rate,change_failure_rate_low,change_failure_rate_high,change_fail_rate,change_fail_rate_low,change_fail_rate_high,deployment_rework_rate,deployment_rework_rate_low,deployment_rework_rate_high,time_to_restore_seconds_n,time_to_restore_seconds_mean,time_to_restore_seconds_median,time_to_restore_seconds_median_low,time_to_restore_seconds_median_high,time_to_restore_seconds_p90,time_to_restore_seconds_max,failed_deployment_recovery_time_seconds_n,failed_deployment_recovery_time_seconds_open,failed_deployment_recovery_time_seconds_mean,failed_deployment_recovery_time_seconds_median,failed_deployment_recovery_time_seconds_median_low,failed_deployment_recovery_time_seconds_median_high,failed_deployment_recovery_time_seconds_p90,failed_deployment_recovery_time_seconds_max⏎
    checkout,,4,1,2,4,0,40,2,0.1,0.027,0.256,0.05,0.014,0.165,0.025,0.004,0.129,3,1200,900,,,,2400.5,1,1,93600,93600,,,,93600⏎
    search,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    ");
    insta::assert_snapshot!(shown(&csv(&weekly(), true)), @r"
    key,period,incidents,open,ignored,matched_incidents,unmatched_incidents,deployments,failed_deployments,change_failure_rate,change_failure_rate_low,change_failure_rate_high,change_fail_rate,change_fail_rate_low,change_fail_rate_high,deployment_rework_rate,deployment_rework_rate_low,deployment_rework_rate_high,time_to_restore_seconds_n,time_to_restore_seconds_mean,time_to_restore_seconds_median,time_to_restore_seconds_median_low,time_to_restore_seconds_median_high,time_to_restore_seconds_p90,time_to_restore_seconds_max,failed_deployment_recovery_time_seconds_n,failed_deployment_recovery_time_seconds_open,failed_deployment_recovery_time_seconds_mean,failed_deployment_recovery_time_seconds_median,failed_deployment_recovery_time_seconds_median_low,failed_deployment_recovery_time_seconds_median_high,failed_deployment_recovery_time_seconds_p90,failed_deployment_recovery_time_seconds_max⏎
    checkout,2026-11-01T12:30:00Z,4,1,2,4,0,40,2,0.1,0.027,0.256,0.05,0.014,0.165,0.025,0.004,0.129,3,1200,900,,,,2400.5,1,1,93600,93600,,,,93600⏎
    checkout,2026-11-02T00:00:00Z,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    search,2026-11-02T00:00:00Z,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    checkout,2026-11-09T00:00:00Z,4,1,2,4,0,40,2,0.025,0.027,0.256,0.05,0.014,0.165,0.025,0.004,0.129,3,1200,300,,,,2400.5,1,1,93600,93600,,,,93600⏎
    ");
}

#[test]
fn markdown_has_one_table() {
    insta::assert_snapshot!(markdown_of(&undivided()), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Service | Incidents | Open | Ignored | Matched | Unmatched | Deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | checkout | 4 | 1 | 2 | 4 | 0 | 40 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    | search | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | - | - | 0 | 0 | - | - | - | - |
    ");
    insta::assert_snapshot!(markdown_of(&weekly()), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Period (UTC) | Service | Incidents | Open | Ignored | Matched | Unmatched | Deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | 2026-11-01 12:30 | checkout | 4 | 1 | 2 | 4 | 0 | 40 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    | 2026-11-02 | checkout | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | - | - | 0 | 0 | - | - | - | - |
    | 2026-11-02 | search | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | - | - | 0 | 0 | - | - | - | - |
    | 2026-11-09 | checkout | 4 | 1 | 2 | 4 | 0 | 40 | 2 | 0.03 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 5m 00s ~ | - | 40m 01s | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    ");
}

#[test]
fn keys_with_special_characters_stay_text() {
    insta::assert_snapshot!(table(&hostile(), 100), @r#"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    TEAM                          INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  FAILED  CFR  FAIL RATE  REWORK
    =HYPERLINK("http://evil","x…          1        0          1        0       0    -          -       -
    +1                                    1        0          1        0       0    -          -       -
    -1                                    1        0          1        0       0    -          -       -
    @SUM(A1)                              1        0          1        0       0    -          -       -
    ·=1                                   1        0          1        0       0    -          -       -
    a|b\|c                                1        0          1        0       0    -          -       -
    a,b;c                                 1        0          1        0       0    -          -       -
    two··lines                            1        0          1        0       0    -          -       -
    <img src=x> [x](http://evil…          1        0          1        0       0    -          -       -
    ·[31mred·                             1        0          1        0       0    -          -       -
                                          1        0          1        0       0    -          -       -
    "#);
    let first_cells = |text: String, cells: usize| -> String {
        let cut = |line: &str| line.chars().take(cells).collect::<String>().trim_end().to_owned() + "\n";
        text.lines().map(cut).collect()
    };
    insta::assert_snapshot!(first_cells(shown(&csv(&hostile(), true)), 50), @r#"
    key,period,incidents,open,ignored,matched_incident
    "=HYPERLINK(""http://evil"",""x"")",,1,0,0,0,1,0,0
    +1,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    -1,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    @SUM(A1),,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,
    ·=1,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    a|b\|c,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    "a,b;c",,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    two··lines,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,
    <img src=x> [x](http://evil) `*_,,1,0,0,0,1,0,0,,,
    ·[31mred·,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,
    ,,1,0,0,0,1,0,0,,,,,,,,,,0,,,,,,,0,0,,,,,,⏎
    "#);
    insta::assert_snapshot!(first_cells(markdown_of(&hostile()), 60), @r#"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Team | Incidents | Open | Ignored | Matched | Unmatched |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---
    | =HYPERLINK("http://evil","x") | 1 | 0 | 0 | 0 | 1 | 0 | 0
    | +1 | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | -
    | -1 | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | -
    | @SUM(A1) | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - |
    | ·=1 | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - |
    | a\|b\\\|c | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | -
    | a,b;c | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | -
    | two··lines | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | -
    | \<img src=x\> \[x\](http://evil) \`\*\_ | 1 | 0 | 0 | 0 |
    | ·\[31mred· | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | -
    |  | 1 | 0 | 0 | 0 | 1 | 0 | 0 | - | - | - | 0 | - | - | - |
    "#);
}

#[test]
fn the_latest_bars_are_shown_if_not_all_fit() {
    let days: Vec<Row> = (0..200_u32)
        .map(|day| Row {
            period: Some(
                report(Grouping::None, None, vec![])
                    .since
                    .saturating_add(std::time::Duration::from_hours(24 * u64::from(day))),
            ),
            key: None,
            change_failure_rate: Some(f64::from(day) / 199.0),
            ..unmatched(None)
        })
        .collect();
    let until = days[199].period.unwrap().saturating_add(std::time::Duration::from_hours(24));
    let text = table(&Report { until, ..report(Grouping::None, Some(Interval::Day), days) }, 60);
    let trend: Vec<&str> = text.lines().rev().take(4).collect();
    assert!(trend.iter().all(|line| line.chars().count() <= 60), "{trend:#?}");
    insta::assert_snapshot!(trend.into_iter().rev().collect::<Vec<_>>().join("\n"), @r"
    change failure rate     1.00  …▇▇▇▇▇▇▇▇▇▇▇█████████████
    A bar for each day from 2027-04-26 12:30 to 2027-05-20 12:30
    UTC, 176 earlier ones left out (…); ·: nothing to count in
    that day.
    ");
}

#[test]
fn the_heading_names_the_env() {
    assert_eq!(heading(&undivided(), "all"), "2026-11-01 12:30 to 2026-11-30 00:00 UTC, all envs");
    let steered = markdown(&undivided(), "<b>\u{1b}[31m");
    assert!(
        steered.starts_with("2026-11-01 12:30 to 2026-11-30 00:00 UTC, env \\<b\\>·\\[31m\n"),
        "{steered}"
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 80..=130 {
        for report in [undivided(), weekly(), hostile()] {
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
