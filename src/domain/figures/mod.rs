//! The DORA figures, of both vocabularies: the older one counts incidents, the newer one deployments that failed.

mod asked;
mod basis;
mod calendar;
mod consequence;
mod deployed;
mod durations;
mod elsewhere;
mod names;
mod tally;
mod trailing;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use self::calendar::Periods;
use self::tally::Tally;
use super::timestamp::Timestamp;

pub use self::asked::Asked;
pub use self::basis::{Basis, Gathering, Kind, Link, Times};
pub use self::deployed::{Deployed, Place};
pub use self::durations::{Durations, RecoveryTimes, RestoreTimes};
pub use self::elsewhere::Elsewhere;
pub use self::trailing::{OfDeployments, OfFailures, OfService, Trailing, trailing};

/// Grouping of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
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

impl By {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Service, Self::Team, Self::Env, Self::Severity, Self::None];

    /// Reads the word for it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }

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

    /// Reads the word for it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text)
    }

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

    fn has(&self, env: &str) -> bool {
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
    pub by: By,
    /// Envs whose failures and deployments count.
    pub env: Env,
    /// Intervals that the period is divided into. Each interval is reported as if it were the whole period.
    pub interval: Option<Interval>,
    /// Time zone in which days, weeks and months begin (`dora.timezone`).
    pub timezone: TimeZone,
}

/// The figures, as the API and `--format json` show them. What there is nothing to compute from is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period; that moment is outside.
    pub until: Timestamp,
    /// Grouping of the rows.
    pub by: By,
    /// Intervals that the period is divided into.
    pub interval: Option<Interval>,
    /// By period, then key. There are none that have nothing in them.
    pub rows: Vec<Row>,
    /// Envs that have failures or deployments in the period, if there is no row: the busiest first, at most ten.
    /// The usual reasons are a misspelt env, and a `failure.default_env` that differs from the env of the
    /// pipelines. If there are rows: the envs in `deployed_elsewhere`, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_envs: Vec<String>,
    /// Services and teams whose incidents are unmatched because they are deployed in other envs only. At most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed_elsewhere: Vec<Elsewhere>,
}

/// The figures of one service, team, env or severity (or of all), in one interval (or the whole period).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Service, team, env or severity; null if rows have no grouping, or if there is no severity.
    pub key: Option<String>,
    /// Start of the row's interval: the first interval begins with the period. Null without intervals.
    pub period: Option<Timestamp>,
    /// Failures, completed or open, that began in the period.
    pub incidents: usize,
    /// Incidents of these that have not ended.
    pub open: usize,
    /// Failures that began in the period and do not count, by some rule. They are in no other figure.
    pub ignored: usize,
    /// Incidents of services and teams without a deployment in the period.
    pub unmatched_incidents: usize,
    /// Deployments that ended in the period.
    pub deployments: usize,
    /// Deployments of these that an incident is linked to, whenever the incident began.
    pub failed_deployments: usize,
    /// Incidents, without the unmatched ones, per deployment. May exceed 1 (Datadog until 2025).
    pub change_failure_rate: Option<f64>,
    /// Failed deployments per deployment: at most 1 (dora.dev, Datadog since 2026).
    pub change_fail_rate: Option<f64>,
    /// Deployments that were made to mend an incident, per deployment (dora.dev).
    pub deployment_rework_rate: Option<f64>,
    /// Times to restore of the incidents that ended in the period. The mean is MTTR.
    pub time_to_restore_seconds: RestoreTimes,
    /// From a failed deployment's end to the end of the first unbroken stretch of its incidents (dora.dev).
    pub failed_deployment_recovery_time_seconds: RecoveryTimes,
}

/// More names help nobody to find the right one.
const MOST_OTHER_ENVS: usize = 10;

/// Computes the figures.
pub fn report(question: &Question, basis: &Basis) -> Report {
    let [report] = reports(question, [question.by], basis);
    report
}

/// Computes the figures of one period, with rows made in several ways.
pub fn reports<const N: usize>(question: &Question, by: [By; N], basis: &Basis) -> [Report; N] {
    let Question { since, until, interval, .. } = *question;
    let periods = Periods::new(question);
    let tally = Tally::of(basis, &periods, &question.env);
    let start = |period| interval.map(|_| periods.start(period));
    let deployed_elsewhere = elsewhere::elsewhere(basis, &tally, &periods);
    let other_envs =
        if tally.is_empty() { other_envs(basis, &periods) } else { elsewhere::envs(&deployed_elsewhere) };
    by.map(|by| Report {
        since,
        until,
        by,
        interval,
        rows: tally.rows(by, start),
        other_envs: other_envs.clone(),
        deployed_elsewhere: deployed_elsewhere.clone(),
    })
}

fn other_envs(basis: &Basis, periods: &Periods) -> Vec<String> {
    let all = Tally::of(basis, periods, &Env::All);
    all.envs().into_iter().take(MOST_OTHER_ENVS).map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests;
