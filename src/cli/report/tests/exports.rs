//! CSV and Markdown.

use super::*;

/// Makes line ends visible.
fn shown(csv: &str) -> String {
    csv.replace("\r\n", "⏎\n")
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
