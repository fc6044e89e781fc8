//! Failures, and the further facts that requests to backends and links need.

use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use super::id::FailureId;
use super::link::LinkQuery;
use super::open_period::Pause;
use super::source_name::SourceName;
use super::timestamp::Timestamp;

/// A failure.
///
/// This type has no serialised form: the store, the API and each backend have formats of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// `<source>:<incident>`, or the id that was sent to the event API.
    pub id: FailureId,
    /// Source of its events, or [`SourceName::API`].
    pub source: SourceName,
    /// The incident's id at the source.
    pub incident: Option<String>,
    /// The incident's number, as people see it.
    pub number: Option<i64>,
    /// Last title.
    pub title: Option<String>,
    /// The incident's page.
    pub url: Option<String>,
    /// State. Open and completed failures count.
    pub state: FailureState,
    /// Name of the rule that ignores it, or `min_duration`.
    pub reason: Option<String>,
    /// Start of the failure (rule 4).
    pub started_at: Timestamp,
    /// End of the failure (rule 5).
    pub finished_at: Option<Timestamp>,
    /// Time from start to end, or sum of the open periods, as `failure.reopened` chooses (rule 7).
    pub time_to_restore_seconds: Option<f64>,
    /// Sum of the open periods. `None` while it is open, or if one of them is not known.
    pub active_seconds: Option<f64>,
    /// The first acknowledgement.
    pub acknowledged_at: Option<Timestamp>,
    /// Number of times that it was reopened.
    pub reopened: usize,
    /// The incidents that were merged into it, by their ids at the source.
    pub merged: Vec<String>,
    /// The incident it was merged into, by its id at the source.
    pub merged_into: Option<String>,
    /// The services it counts for.
    pub services: Vec<String>,
    /// The team it counts for.
    pub team: Option<String>,
    /// The env it happened in.
    pub env: String,
    /// Its severity, from the priority (rule 10).
    pub severity: Option<String>,
    /// The incident's last priority.
    pub priority: Option<String>,
    /// The incident's last urgency.
    pub urgency: Option<String>,
    /// Step of rule 9 that decided services, team and env.
    pub attribution: String,
    /// Doubts about its times and merges.
    pub flags: Vec<Flag>,
    /// Id of the deployment that caused it.
    pub deployment: Option<String>,
    /// Version of that deployment, for backends that get it. It is in neither the store nor the program's own JSON.
    pub deployment_version: Option<String>,
}

impl Failure {
    /// `true` if its times are good enough for a statistic of durations (rule 14).
    pub fn has_good_times(&self) -> bool {
        !self.flags.iter().any(|flag| matches!(flag, Flag::Approximate | Flag::EndBeforeStart))
    }
}

/// State of a failure. Open and completed failures count.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum FailureState {
    /// It has not ended.
    Open,
    /// It ended, and was restored.
    Completed,
    /// A rule or `failure.min_duration` ignores it.
    Ignored,
    /// It was merged into another incident, and does not count itself.
    Merged,
}

impl FailureState {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// `true` if the failure counts.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Open | Self::Completed)
    }

    /// The word for it in JSON, tables and the store.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Doubt about a failure's times or merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Flag {
    /// The start is the earliest event, because neither `created_at` nor the trigger is known. Or an open period is not
    /// known, because a resolve before a reopen never arrived, or because the time of a reopen is not known.
    Approximate,
    /// The end was before the start, and was moved to the start.
    EndBeforeStart,
    /// A time in an event was more than five minutes after the arrival of the event.
    InTheFuture,
    /// It was merged into an incident whose data no event contained.
    MergeTargetUnseen,
    /// It is the one incident of a cycle of merges that counts.
    MergeCycle,
    /// The source has deleted the incident. The failure stays as it was.
    Deleted,
}

impl Flag {
    /// The word for it in JSON and tables.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Facts that are not part of a failure, and that requests to backends and links need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// `key:value` tags.
    pub tags: Vec<String>,
    /// The repository.
    pub repository_url: Option<String>,
    /// Commit that caused the failure, in full.
    pub commit_sha: Option<String>,
    /// Version that caused the failure.
    pub version: Option<String>,
    /// Creation time, if it differs from the start. Links to deployments use it.
    pub created_at: Option<Timestamp>,
    /// Deployments that a custom field or a note names as the cause.
    pub named_deployments: Vec<String>,
    /// Pauses in which the incident was not open. A deployment that started in a pause is not the remediation.
    pub pauses: Vec<Pause>,
    /// Name of the service in PagerDuty.
    pub pagerduty_service: Option<String>,
    /// Start plus time to restore, if that differs from the end.
    pub restored_at: Option<Timestamp>,
}

/// A failure and its details, as evaluated together.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The failure.
    pub failure: Failure,
    /// Details that go with it.
    pub details: Details,
}

impl Evaluated {
    /// End for backends that take only a start and an end. The time between the two is the time to restore. `None` if
    /// the failure is not restored, or if its time to restore is not known.
    pub fn restored_at(&self) -> Option<Timestamp> {
        let Self { failure, details } = self;
        let end = || failure.time_to_restore_seconds.and(failure.finished_at);
        details.restored_at.or_else(end).filter(|_| failure.state == FailureState::Completed)
    }
}

impl Details {
    /// `true` if somebody named the deployment that caused the failure, or named `none`.
    pub fn names_deployment(&self) -> bool {
        !self.named_deployments.is_empty() || self.commit_sha.is_some() || self.version.is_some()
    }

    /// Facts that decide the failure's links to deployments.
    pub fn link_query<'a>(&'a self, failure: &'a Failure) -> LinkQuery<'a> {
        let named = self.named_deployments.iter().chain(&self.commit_sha).chain(&self.version);
        LinkQuery {
            created_at: self.created_at.unwrap_or(failure.started_at),
            started_at: failure.started_at,
            ended_at: failure.finished_at,
            is_restored: failure.state == FailureState::Completed,
            pauses: &self.pauses,
            services: &failure.services,
            team: failure.team.as_deref(),
            env: &failure.env,
            named: named.map(String::as_str).collect(),
        }
    }
}

/// Nanoseconds as seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "exact to the microsecond for three centuries")]
pub fn seconds(nanos: i64) -> f64 {
    // Rounded to whole microseconds: 2530.5 s must not become 2530.4999999999995.
    (nanos / 1_000) as f64 / 1e6
}

/// Example of a failure for other tests.
#[cfg(test)]
pub(crate) mod tests {
    use super::Evaluated;
    use crate::domain::evaluate::evaluate_alone;
    use crate::domain::history::History;
    use crate::domain::policy::{Policy, ServiceEntry};
    use crate::sources::pagerduty::payload;

    /// Failure that follows from the fixture `incident.resolved.json` alone.
    pub(crate) fn completed() -> Evaluated {
        let event =
            payload::parse(include_bytes!("../../fixtures/pagerduty/incident.resolved.json")).unwrap();
        let entry = ServiceEntry {
            pagerduty: "PSVC001".into(),
            services: vec!["checkout".into()],
            team: Some("payments".into()),
            tags: vec!["tier:1".into()],
            ..ServiceEntry::default()
        };
        let policy = Policy { services: vec![entry], default_env: "production".into(), ..Policy::default() };
        let mut history = History::default();
        history.insert(&event, event.occurred_at);
        evaluate_alone(&event.about_incident().unwrap().incident, &history, &policy).unwrap()
    }
}
