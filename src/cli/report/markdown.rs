//! Markdown for web pages: one table with the figures of the terminal's tables, as GitHub and GitLab show it.

use std::fmt;

use super::change::compared;
use super::format::{TOTAL, figure, has_total, heading, key, period, subject};
use super::other_envs::{deployed_elsewhere, other_envs};
use crate::domain::figures::list::{FIGURES, Figure};
use crate::domain::figures::{Report, Row};
use crate::domain::printable::printable;

/// Writes the report as a table in Markdown, below the heading with period and env. Each line is written as soon as it is
/// made.
pub(super) fn write_markdown(out: &mut dyn fmt::Write, report: &Report) -> fmt::Result {
    let period_title = report.interval.map(|_| "Period");
    let compared = compared(report);
    let lead: Vec<&str> =
        period_title.into_iter().chain(subject(report.by).map(|[_, title]| title)).collect();
    let figures: Vec<&Figure> = FIGURES.iter().filter(|figure| figure.column.is_some()).collect();
    let numbers = figures.len() + compared.len();
    let rules = lead.iter().copied().map(|_| "---").chain(std::iter::repeat_n("---:", numbers));
    let rules = rules.map(str::to_owned).collect();
    let changes =
        compared.iter().map(|compared| format!("Change of {}", compared.figure.title.to_lowercase()));
    let titles = figures.iter().map(|figure| figure.title.to_owned());
    let titles = lead.iter().map(|title| (*title).to_owned()).chain(titles).chain(changes).collect();
    let numbers = |row: &Row| {
        let figures = figures.iter().map(|one| figure(one, row));
        figures.chain(compared.iter().map(|compared| compared.text(row))).collect::<Vec<String>>()
    };
    let rows = report.rows.iter().map(|row| {
        let period = report.interval.map(|_| escaped(&period(row)));
        let key = subject(report.by).map(|_| escaped(&key(row)));
        period.into_iter().chain(key).chain(numbers(row)).collect()
    });
    let total = has_total(report).then(|| {
        let blanks = lead.iter().skip(1).map(|_| String::new());
        std::iter::once(TOTAL.to_owned()).chain(blanks).chain(numbers(&report.total)).collect()
    });
    let lines = [titles, rules].into_iter().chain(rows).chain(total);
    write!(out, "{}\n\n", escaped(&heading(report)))?;
    for cells in lines {
        let cells: Vec<String> = cells;
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    match other_envs(report).or_else(|| deployed_elsewhere(report)) {
        Some(hint) => write!(out, "\n\n{}\n", escaped(&hint)),
        None => Ok(()),
    }
}

/// The same as a text.
#[cfg(test)]
pub(super) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    write_markdown(&mut text, report).unwrap();
    text
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
