//! Reports that are compared with the period before.

use super::*;

pub(super) fn compared() -> Report {
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
    Difference from the period of equal length before, with its 95 % interval: shares in percentage
    points, CFR per deployment. ↑ or ↓ marks a change that the data show; IN 1H has one only from six
    failures in each period on.
    ");
    let csv = csv(&compared(), false);
    let columns = |line: &str| line.split(',').rev().take(20).map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<&str> = csv.lines().collect();
    let pairs = columns(lines[0]).into_iter().rev().zip(columns(lines[1]).into_iter().rev());
    let lines: Vec<String> = pairs.map(|(name, cell)| format!("{name}: {cell}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
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
