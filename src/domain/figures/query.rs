//! Parameters of reports.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use crate::domain::timestamp::Timestamp;

/// Grouping of the rows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum Grouping {
    /// By service. A failure of several services counts in each of them. A failure without a service is in no row.
    Service,
    /// By team. Failures and deployments without a team are in no row.
    Team,
    /// By env. Useful only for a report of all envs.
    Env,
    /// By severity, for failures only. Failures without a severity are in a row without a key.
    Severity,
    /// Not grouped. Each failure and each deployment counts once.
    None,
}

impl Grouping {
    /// All groupings.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for it in options and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Intervals that a period is divided into. Each begins at the start of a day in the time zone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum Interval {
    /// Begins at midnight. A day on which clocks change is shorter or longer.
    Day,
    /// Begins on Monday, as in ISO 8601.
    Week,
    /// Begins on the first day of a month.
    Month,
}

impl Interval {
    /// All intervals.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for it in options and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Envs whose failures and deployments count. A failure never counts against a deployment to another env.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Env {
    /// This env only.
    One(String),
    /// All envs. Failures are matched with deployments to their own env, and the figures are added up.
    All,
}

impl Env {
    /// Reads an env's name, or `all`.
    pub fn parse(text: &str) -> Self {
        if text == "all" { Self::All } else { Self::One(text.to_owned()) }
    }

    /// The only env. `None` for all envs.
    pub fn only(self) -> Option<String> {
        match self {
            Self::One(env) => Some(env),
            Self::All => None,
        }
    }

    /// `true` if failures and deployments of this env count.
    pub fn has(&self, env: &str) -> bool {
        match self {
            Self::One(one) => one == env,
            Self::All => true,
        }
    }
}

/// Parameters of a report.
#[derive(Debug, Clone)]
pub struct ReportQuery {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period (exclusive).
    pub until: Timestamp,
    /// Moment up to which everything known is used.
    pub as_of: Timestamp,
    /// Time after its end for which a deployment can be the cause of a new failure (`dora.link_window`).
    pub link_window: Duration,
    /// Grouping of the rows.
    pub by: Grouping,
    /// Envs whose failures and deployments count.
    pub env: Env,
    /// Only failures and deployments of this service, and only its row.
    pub service: Option<String>,
    /// Only failures and deployments of this team.
    pub team: Option<String>,
    /// Intervals that the period is divided into. Each is reported as if it were the whole period, but matches its
    /// incidents with the deployments of the whole period.
    pub interval: Option<Interval>,
    /// `true` if each row is compared with the period of equal length before its own.
    pub compare: bool,
    /// Time zone in which days, weeks and months begin (`dora.timezone`).
    pub timezone: TimeZone,
}

impl ReportQuery {
    /// Start of the data that the report needs: of the period, or of the period before it.
    pub fn data_since(&self) -> Timestamp {
        if self.compare { before(self.since, self.until) } else { self.since }
    }

    /// Text of the envs in options and JSON: a name, or `all`.
    pub fn env_name(&self) -> &str {
        match &self.env {
            Env::One(env) => env,
            Env::All => "all",
        }
    }
}

/// Start of the period of equal length before `[since, until)`.
pub(super) fn before(since: Timestamp, until: Timestamp) -> Timestamp {
    since.saturating_sub(until.duration_since(since))
}
