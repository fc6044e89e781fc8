//! Tables for the terminal.

use super::super::format::heading;
use super::compared::compared;
use super::*;

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
    let last = CalendarInterval {
        start: zoned("2026-11-16T00:00:00Z"),
        label: "2026-W47".to_owned(),
        is_partial: false,
    };
    let weeks: Vec<CalendarInterval> = intervals(&report).into_iter().chain([last]).collect();
    let text = super::super::table(&report, &weeks, 100);
    assert!(text.contains("checkout  change failure rate        0.10  █·▂·\n"), "{text}");
}

#[test]
fn a_report_without_groups_has_no_key() {
    let all = report(Grouping::None, None, vec![Row { key: None, ..busy("") }]);
    insta::assert_snapshot!(table(&all, 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    INCIDENTS  UNMATCHED  DEPLOYS  FAILED               CFR    FAIL RATE       REWORK          IN 1H
            4          0       40       2  0.10 (0.03-0.26)  5.0% (1-16)  2.5% (0-13)  75.0% (30-95)

    Time to restore
    N  OPEN  STILL OPEN     MEAN     MEDIAN  P90      MAX
    3     1           2  20m 00s  15m 00s ~    -  40m 01s
    ~ fewer than six: no 95 % interval

    Failed deployment recovery time
    N  OPEN    MEAN    MEDIAN  P90     MAX
    1     1  1d 02h  1d 02h ~    -  1d 02h
    ~ fewer than six: no 95 % interval
    ");
    insta::assert_snapshot!(markdown(&all), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    | Incidents | Open | Still open | Ignored | Unmatched | Deployments | Deployments per day | Pending deployments | Failed | Change failure rate | Change fail rate | Rework rate | Restored | Mean time to restore | Median time to restore | p90 | Max | Restored within an hour | Recovered deployments | Not recovered | Mean recovery time | Median recovery time | p90 | Max |
    | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | 4 | 1 | 2 | 2 | 0 | 40 | 1.40 | 0 | 2 | 0.10 (0.03-0.26) | 5.0% (1-16) | 2.5% (0-13) | 3 | 20m 00s | 15m 00s ~ | - | 40m 01s | 75.0% (30-95) | 1 | 1 | 1d 02h | 1d 02h ~ | - | 1d 02h |
    ");
    let severities = report(Grouping::Severity, None, vec![unmatched(None), unmatched(Some("SEV-1"))]);
    insta::assert_snapshot!(table(&severities, 100), @r"
    2026-11-01 12:30 to 2026-11-30 00:00 UTC, env production

    Incidents and deployments
    SEVERITY  INCIDENTS  IGNORED  UNMATCHED  DEPLOYS  A DAY  FAILED  CFR  FAIL RATE  REWORK  IN 1H
    -                 1        0          1        0   0.00       0    -          -       -      -
    SEV-1             1        0          1        0   0.00       0    -          -       -      -
    total             1        0          1        0   0.00       0    -          -       -      -
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
