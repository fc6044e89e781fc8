//! Texts that the table and the Markdown of a report share.

use crate::domain::figures::list::{Figure, ShortColumn, Statistic, Value};
use crate::domain::figures::{Env, Grouping, Report, Row};
use crate::domain::human_duration::human_duration;
use crate::domain::printable::printable;

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

/// Heading of a report: the period in UTC, the failures and deployments that count, and the time zone of the intervals.
pub(super) fn heading(report: &Report) -> String {
    let env = match Env::parse(&report.env) {
        Env::One(env) => format!("env {}", printable(&env)),
        Env::All => "all envs".to_owned(),
    };
    let one = |what: &str, name: &Option<String>| {
        name.as_ref().map_or_else(String::new, |name| format!(", {what} {}", printable(name)))
    };
    let zone = match report.interval {
        Some(interval) if report.timezone != "UTC" => {
            format!(", {}s begin in {}", interval.as_str(), report.timezone)
        }
        _ => String::new(),
    };
    let (service, team) = (one("service", &report.service), one("team", &report.team));
    format!("{} to {} UTC, {env}{service}{team}{zone}", report.since.minute(), report.until.minute())
}

/// Name of the row's interval, with a mark if the period cuts it.
pub(super) fn period(row: &Row) -> String {
    let mark = if row.partial { PARTIAL } else { "" };
    row.label.as_ref().map_or_else(|| "-".to_owned(), |label| format!("{label}{mark}"))
}

/// Word for the row with everything.
pub(super) const TOTAL: &str = "total";

/// `true` if the total differs from the only row.
pub(super) fn has_total(report: &Report) -> bool {
    !report.rows.is_empty() && (report.by != Grouping::None || report.interval.is_some())
}

pub(super) fn key(row: &Row) -> String {
    row.key.clone().unwrap_or_else(|| "-".to_owned())
}

/// A figure of a row as text, with its interval if that is short. A dash stands for a figure without data.
pub(super) fn figure(figure: &Figure, row: &Row) -> String {
    let number = figure.number(row);
    let text = in_unit(figure, number);
    match (figure.value, figure.bounds(row)) {
        (Value::Ratio(_), Some((low, high))) => format!("{text} ({:.0}-{:.0})", low * 100.0, high * 100.0),
        (Value::PerDeployment(_), Some((low, high))) => format!("{text} ({low:.2}-{high:.2})"),
        (_, None) if is_few(figure, row) => text + FEW,
        _ => text,
    }
}

/// `true` for a median of too few values for an interval.
pub(super) fn is_few(figure: &Figure, row: &Row) -> bool {
    use ShortColumn::{RecoveryTimes, RestoreTimes};
    let is_median =
        matches!(figure.column, Some(RestoreTimes(Statistic::Median) | RecoveryTimes(Statistic::Median)));
    is_median && figure.number(row).is_some() && figure.bounds(row).is_none()
}

/// Mark of an interval that the period cuts.
pub(super) const PARTIAL: &str = "*";
/// Meaning of the mark.
pub(super) const PARTIAL_IN_WORDS: &str = "* cut by the start or the end of the period";

/// Mark of a median without an interval.
pub(super) const FEW: &str = " ~";
/// Meaning of the mark.
pub(super) const FEW_IN_WORDS: &str = "~ fewer than six: no 95 % interval";

/// A number of a figure in the figure's unit.
pub(in crate::cli) fn in_unit(figure: &Figure, number: Option<f64>) -> String {
    match figure.value {
        Value::Count(_) | Value::OptionalCount(_) => {
            number.map_or_else(|| "-".to_owned(), |count| count.to_string())
        }
        Value::Ratio(_) => percent(number),
        Value::PerDeployment(_) | Value::PerDay(_) => {
            number.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}"))
        }
        Value::Seconds(_) => duration(number),
    }
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}%", ratio * 100.0))
}

fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), human_duration)
}
