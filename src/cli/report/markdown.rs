//! Markdown for web pages: one table, as GitHub and GitLab show it.

use super::format::{deployments, duration, heading, key, percent, period, subject};
use super::other_envs::{deployed_elsewhere, other_envs};
use crate::domain::figures::{Grouping, Report, Row};
use crate::domain::printable::printable;

/// The report as a table in Markdown, below the heading with period and env.
pub(super) fn markdown(report: &Report, env: &str) -> String {
    let period_title = report.interval.map(|_| "Period (UTC)");
    let lead: Vec<&str> =
        period_title.into_iter().chain(subject(report.by).map(|[_, title]| title)).collect();
    let rules = lead.iter().map(|_| "---").chain(NUMBERS.map(|_| "---:")).map(str::to_owned).collect();
    let titles = lead.iter().copied().chain(NUMBERS).map(str::to_owned).collect();
    let rows = report.rows.iter().map(|row| {
        let period = report.interval.map(|_| period(row));
        let key = subject(report.by).map(|_| escaped(&key(row)));
        period.into_iter().chain(key).chain(numbers(report.by, row)).collect()
    });
    let lines = [titles, rules].into_iter().chain(rows);
    let table: String = lines.map(|cells: Vec<String>| ["| ", &cells.join(" | "), " |\n"].concat()).collect();
    let hint =
        other_envs(report, env).or_else(|| deployed_elsewhere(report)).map(|hint| escaped(&hint) + "\n");
    [escaped(&heading(report, env)), table].into_iter().chain(hint).collect::<Vec<_>>().join("\n\n")
}

const NUMBERS: [&str; 20] = [
    "Incidents",
    "Open",
    "Ignored",
    "Unmatched",
    "Deployments",
    "Failed",
    "Change failure rate",
    "Change fail rate",
    "Rework rate",
    "Restored",
    "Mean time to restore",
    "Median",
    "p90",
    "Max",
    "Recovered deployments",
    "Not recovered",
    "Mean recovery time",
    "Median",
    "p90",
    "Max",
];

fn numbers(by: Grouping, row: &Row) -> Vec<String> {
    let restore = &row.time_to_restore_seconds;
    let recovery = &row.failed_deployment_recovery_time_seconds;
    let counts = [row.incidents, row.open, row.ignored, row.unmatched_incidents];
    let mut cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
    cells.extend(deployments(by, row));
    cells.extend([row.change_failure_rate, row.change_fail_rate, row.deployment_rework_rate].map(percent));
    cells.push(restore.n.to_string());
    cells.extend([restore.mean, restore.median, restore.p90, restore.max].map(duration));
    cells.extend([recovery.n, recovery.open].map(|count| count.to_string()));
    cells.extend([recovery.mean, recovery.median, recovery.p90, recovery.max].map(duration));
    cells
}

/// Escapes a text, so that it makes no cell, line, link, image or tag of its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
