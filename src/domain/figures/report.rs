//! Reports: the figures as they are shown.

use serde::{Deserialize, Serialize};

use super::query::{Grouping, Interval};
use super::row::Row;
use crate::domain::timestamp::Timestamp;

/// A report, as the API and `--format json` show it. A figure without data is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Start of the period.
    pub since: Timestamp,
    /// End of the period (exclusive).
    pub until: Timestamp,
    /// Moment up to which everything known was used.
    pub as_of: Timestamp,
    /// Confidence of every interval.
    pub confidence: f64,
    /// Grouping of the rows.
    pub by: Grouping,
    /// Intervals that the period is divided into.
    pub interval: Option<Interval>,
    /// Env whose failures and deployments count, or `all`.
    pub env: String,
    /// The only service that counts. Null if all count.
    pub service: Option<String>,
    /// The only team that counts. Null if all count.
    pub team: Option<String>,
    /// Name of the time zone in which days, weeks and months begin.
    pub timezone: String,
    /// Rows, sorted by period, then key, or as it was asked for. Empty rows are left out.
    pub rows: Vec<Row>,
    /// The figures of everything in the rows and of failures without a key, each failure and deployment counted once.
    pub total: Row,
    /// Without rows: other envs that have failures or deployments in the period, the busiest first, at most ten. The
    /// usual reasons are a misspelt env, and a `failure.default_env` that differs from the env of the pipelines.
    /// With rows: the envs in `deployed_elsewhere`, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_envs: Vec<String>,
    /// Services and teams whose incidents are unmatched because they are deployed in other envs only. At most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed_elsewhere: Vec<DeployedElsewhere>,
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
