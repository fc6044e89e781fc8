//! Parts of a report in words, the same in every form for people.

use crate::domain::figures::{Env, Grouping, Report, Row};
use crate::domain::human_duration::human_duration;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;

/// Heading of the column that names a report's rows. `None`: the rows are about everything.
pub(super) const fn subject(by: Grouping) -> Option<[&'static str; 2]> {
    match by {
        Grouping::Service => Some(["SERVICE", "Service"]),
        Grouping::Team => Some(["TEAM", "Team"]),
        Grouping::Env => Some(["ENV", "Env"]),
        Grouping::Severity => Some(["SEVERITY", "Severity"]),
        Grouping::None => None,
    }
}

/// Heading of a report: the period, in UTC, like all times that are printed, and the envs whose failures and
/// deployments count.
///
/// `env`: as it was asked for, with the word for all of them.
pub(super) fn heading(report: &Report, env: &str) -> String {
    let whose = match Env::parse(env) {
        Env::One(env) => format!("env {}", printable(&env)),
        Env::All => "all envs".to_owned(),
    };
    format!("{} to {} UTC, {whose}", report.since.minute(), report.until.minute())
}

pub(super) fn period(row: &Row) -> String {
    row.period.map_or_else(|| "-".to_owned(), Timestamp::period_name)
}

pub(super) fn key(row: &Row) -> String {
    row.key.clone().unwrap_or_else(|| "-".to_owned())
}

/// Counts of deployments, and of failed ones. A deployment has no severity, so there is nothing to count by
/// severity.
pub(super) fn deployments(by: Grouping, row: &Row) -> [String; 2] {
    match by {
        Grouping::Severity => ["-", "-"].map(str::to_owned),
        _ => [row.deployments, row.failed_deployments].map(|count| count.to_string()),
    }
}

pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1}%", ratio * 100.0))
}

pub(super) fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), human_duration)
}
