//! Questions that figures answer.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;

/// Grouping of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// A failure of several services counts in each; one without counts in none.
    Service,
    /// Failures and deployments without a team are in no row.
    Team,
    /// Of use with all envs.
    Env,
    /// Of failures only. Those without a severity are in a row without a key.
    Severity,
    /// Each failure and each deployment counts once.
    None,
}

impl Grouping {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Service, Self::Team, Self::Env, Self::Severity, Self::None];

    /// The word for it in options and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Team => "team",
            Self::Env => "env",
            Self::Severity => "severity",
            Self::None => "none",
        }
    }
}

/// Intervals that a period is divided into. Each begins at the local time of the time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// From midnight on, however long it is.
    Day,
    /// From Monday on, as ISO 8601 has it.
    Week,
    /// From the first on.
    Month,
}

impl Interval {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The word for it in options and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Envs whose failures and deployments count. A failure is never held against a deployment to another env.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Env {
    /// This env only.
    One(String),
    /// All envs: each env is paired with itself, and the figures are added up.
    All,
}

impl Env {
    /// Reads an env's name, or `all`.
    pub fn parse(text: &str) -> Self {
        if text == "all" { Self::All } else { Self::One(text.to_owned()) }
    }

    pub(super) fn has(&self, env: &str) -> bool {
        match self {
            Self::One(one) => one == env,
            Self::All => true,
        }
    }
}

/// Question that figures answer.
#[derive(Debug, Clone)]
pub struct Question {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period; that moment is outside.
    pub until: Timestamp,
    /// Grouping of the rows.
    pub by: Grouping,
    /// Envs whose failures and deployments count.
    pub env: Env,
    /// Intervals that the period is divided into. Each interval is reported as if it were the whole period.
    pub interval: Option<Interval>,
    /// Time zone in which days, weeks and months begin (`dora.timezone`).
    pub timezone: TimeZone,
}
