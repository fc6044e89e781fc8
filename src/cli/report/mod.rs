//! The figures as text: for people, for spreadsheets, for pages.

mod csv;
mod markdown;
mod text;

pub use csv::csv;
pub use markdown::markdown;
pub use text::table;

use super::failures::span;
use crate::domain::figures::{By, Report, Row};
use crate::domain::timestamp::Timestamp;

/// What a report's rows are about. `None` where they are about everything.
const fn subject(by: By) -> Option<[&'static str; 2]> {
    match by {
        By::Service => Some(["SERVICE", "Service"]),
        By::Team => Some(["TEAM", "Team"]),
        By::Env => Some(["ENV", "Env"]),
        By::Severity => Some(["SEVERITY", "Severity"]),
        By::None => None,
    }
}

/// The periods that rows have, in order. An interval in which nothing happened has no row.
fn periods(report: &Report) -> Vec<Timestamp> {
    let mut periods: Vec<Timestamp> = report.rows.iter().filter_map(|row| row.period).collect();
    periods.sort_unstable();
    periods.dedup();
    periods
}

/// `2026-11-01` where it begins at midnight, else `2026-10-31 23:00`; UTC, like all that is printed.
fn period(row: &Row) -> String {
    let Some(period) = row.period else { return "-".to_owned() };
    let time = period.to_string();
    let shown = time.strip_suffix("T00:00:00Z").or(time.get(..16)).unwrap_or(&time);
    shown.replace('T', " ")
}

fn key(row: &Row) -> String {
    row.key.clone().unwrap_or_else(|| "-".to_owned())
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}%", ratio * 100.0))
}

fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), span)
}

#[cfg(test)]
mod tests;
