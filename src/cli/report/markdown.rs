//! Markdown for web pages: one table, as GitHub and GitLab show it.

use super::format::{figure, heading, key, period, subject};
use super::other_envs::{deployed_elsewhere, other_envs};
use crate::domain::figures::Report;
use crate::domain::figures::list::FIGURES;
use crate::domain::printable::printable;

/// The report as a table in Markdown, below the heading with period and env.
pub(super) fn markdown(report: &Report, env: &str) -> String {
    let period_title = report.interval.map(|_| "Period (UTC)");
    let lead: Vec<&str> =
        period_title.into_iter().chain(subject(report.by).map(|[_, title]| title)).collect();
    let rules = lead.iter().map(|_| "---").chain(FIGURES.iter().map(|_| "---:")).map(str::to_owned).collect();
    let titles =
        lead.iter().copied().chain(FIGURES.iter().map(|figure| figure.title)).map(str::to_owned).collect();
    let rows = report.rows.iter().map(|row| {
        let period = report.interval.map(|_| period(row));
        let key = subject(report.by).map(|_| escaped(&key(row)));
        let figures = FIGURES.iter().map(|one| figure(one, report.by, row));
        period.into_iter().chain(key).chain(figures).collect()
    });
    let lines = [titles, rules].into_iter().chain(rows);
    let table: String = lines.map(|cells: Vec<String>| ["| ", &cells.join(" | "), " |\n"].concat()).collect();
    let hint =
        other_envs(report, env).or_else(|| deployed_elsewhere(report)).map(|hint| escaped(&hint) + "\n");
    [escaped(&heading(report, env)), table].into_iter().chain(hint).collect::<Vec<_>>().join("\n\n")
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
