//! Texts that the table and the Markdown of a report share.

use crate::domain::figures::list::{Figure, Value};
use crate::domain::figures::{Env, Grouping, Report, Row};
use crate::domain::human_duration::human_duration;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;

/// Headings (table, Markdown) of the column with the keys. `None` if the rows are not grouped.
pub(super) const fn subject(by: Grouping) -> Option<[&'static str; 2]> {
    match by {
        Grouping::Service => Some(["SERVICE", "Service"]),
        Grouping::Team => Some(["TEAM", "Team"]),
        Grouping::Env => Some(["ENV", "Env"]),
        Grouping::Severity => Some(["SEVERITY", "Severity"]),
        Grouping::None => None,
    }
}

/// Heading of a report: the period in UTC, and the env whose failures and deployments count.
///
/// `env`: the value of `--env`, which may be "all".
pub(super) fn heading(report: &Report, env: &str) -> String {
    let envs = match Env::parse(env) {
        Env::One(env) => format!("env {}", printable(&env)),
        Env::All => "all envs".to_owned(),
    };
    format!("{} to {} UTC, {envs}", report.since.minute(), report.until.minute())
}

pub(super) fn period(row: &Row) -> String {
    row.period.map_or_else(|| "-".to_owned(), Timestamp::period_name)
}

pub(super) fn key(row: &Row) -> String {
    row.key.clone().unwrap_or_else(|| "-".to_owned())
}

/// A figure of a row as text, with its interval if that is short. A dash stands for a figure without data.
pub(super) fn figure(figure: &Figure, by: Grouping, row: &Row) -> String {
    let has_meaning = !(figure.counts_deployments && by == Grouping::Severity);
    let number = has_meaning.then(|| figure.number(row)).flatten();
    let text = in_unit(figure, number);
    match (figure.value, figure.bounds(row)) {
        (Value::Ratio(_), Some((low, high))) => format!("{text} ({:.0}-{:.0})", low * 100.0, high * 100.0),
        (Value::PerDeployment(_), Some((low, high))) => format!("{text} ({low:.2}-{high:.2})"),
        (Value::Seconds(_), None) if figure.interval.is_some() && number.is_some() => text + FEW,
        _ => text,
    }
}

/// Mark of a median without an interval.
pub(super) const FEW: &str = " ~";
/// Meaning of the mark.
pub(super) const FEW_IN_WORDS: &str = "~ fewer than six: no 95 % interval";

/// A number of a figure in the figure's unit.
pub(in crate::cli) fn in_unit(figure: &Figure, number: Option<f64>) -> String {
    match figure.value {
        Value::Count(_) => number.map_or_else(|| "-".to_owned(), |count| count.to_string()),
        Value::Ratio(_) => percent(number),
        Value::PerDeployment(_) => number.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}")),
        Value::Seconds(_) => duration(number),
    }
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}%", ratio * 100.0))
}

fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), human_duration)
}
