//! Reports: the figures as they are shown.

use serde::{Deserialize, Serialize};

use super::durations::{RecoveryTimes, RestoreTimes};
use super::query::{Grouping, Interval};
use crate::domain::timestamp::Timestamp;

/// A report, as the API and `--format json` show it. A figure without data is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period (exclusive).
    pub until: Timestamp,
    /// Grouping of the rows.
    pub by: Grouping,
    /// Intervals that the period is divided into.
    pub interval: Option<Interval>,
    /// Rows, sorted by period, then key. Empty rows are left out.
    pub rows: Vec<Row>,
    /// Without rows: other envs that have failures or deployments in the period, the busiest first, at most ten. The
    /// usual reasons are a misspelt env, and a `failure.default_env` that differs from the env of the pipelines.
    /// With rows: the envs in `deployed_elsewhere`, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_envs: Vec<String>,
    /// Services and teams whose incidents are unmatched because they are deployed in other envs only. At most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed_elsewhere: Vec<DeployedElsewhere>,
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
    /// Number of these incidents that have not ended.
    pub open: usize,
    /// Failures that began in the period and are ignored. They are in no other figure.
    pub ignored: usize,
    /// Incidents of services and teams without a deployment in the period.
    pub unmatched_incidents: usize,
    /// Deployments that ended in the period.
    pub deployments: usize,
    /// Number of these deployments that caused an incident at any time.
    pub failed_deployments: usize,
    /// Incidents, without the unmatched ones, per deployment. May exceed 1 (Datadog until 2025).
    pub change_failure_rate: Option<f64>,
    /// Failed deployments per deployment: at most 1 (dora.dev, Datadog since 2026).
    pub change_fail_rate: Option<f64>,
    /// Deployments that fixed an incident, per deployment (dora.dev).
    pub deployment_rework_rate: Option<f64>,
    /// Times to restore of the incidents that ended in the period. The mean is MTTR.
    pub time_to_restore_seconds: RestoreTimes,
    /// Time from the end of a failed deployment to the end of its failures: the first one, and each that began before
    /// the earlier ones had ended (dora.dev).
    pub failed_deployment_recovery_time_seconds: RecoveryTimes,
}

impl Row {
    /// Incidents of services and teams with a deployment in the period.
    pub const fn matched_incidents(&self) -> usize {
        self.incidents - self.unmatched_incidents
    }
}

/// A service that has incidents in an env and deployments in other envs only. For incidents without a service, the
/// team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedElsewhere {
    /// The service, or the team.
    pub name: String,
    /// The env of the incidents, in which it has no deployment in the period.
    pub env: String,
    /// The envs in which it has deployments in the period, the busiest first, at most ten.
    pub other_envs: Vec<String>,
}

impl DeployedElsewhere {
    /// The same as a sentence for people.
    pub fn sentence(&self) -> String {
        let Self { name, env, other_envs } = self;
        let envs = if other_envs.len() == 1 { "env" } else { "envs" };
        format!("{name} has deployments in {envs} {}, none in {env}", other_envs.join(", "))
    }
}
