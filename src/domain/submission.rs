//! A failure as it was sent to the event API.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::failure::{Details, Evaluated, Failure, FailureState, Flag, seconds};
use super::id::FailureId;
use super::policy::Policy;
use super::rule::{RuleInput, RuleVerdict, Ruling};
use super::source_name::SourceName;
use super::timestamp::{Timestamp, nanos};

/// Validated attributes of `POST /api/v2/dora/failure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The id that was sent, else an id made from the content.
    pub id: FailureId,
    /// The services. If there is none, there is a team.
    pub services: Vec<String>,
    /// The team.
    pub team: Option<String>,
    /// The env that was sent, else `failure.default_env`.
    pub env: String,
    /// Start of the failure.
    #[serde(with = "nanos")]
    pub started_at: Timestamp,
    /// End of the failure; `None` while it lasts.
    #[serde(with = "nanos::option")]
    pub finished_at: Option<Timestamp>,
    /// Name of the failure.
    pub name: Option<String>,
    /// Its severity.
    pub severity: Option<String>,
    /// The version that caused it.
    pub version: Option<String>,
    /// The commit that caused it, in full.
    pub commit_sha: Option<String>,
    /// The repository of that commit.
    pub repository_url: Option<String>,
    /// `key:value` tags.
    pub tags: BTreeSet<String>,
    /// `true` if a time in it was more than five minutes after its arrival.
    pub in_the_future: bool,
}

impl Submission {
    /// Builds the failure. All values are used as they were sent. Rules and `failure.min_duration` may ignore it.
    pub fn evaluate(&self, policy: &Policy) -> Evaluated {
        let ends_before_start = self.finished_at.is_some_and(|end| end < self.started_at);
        let finished_at = self.finished_at.map(|end| end.max(self.started_at));
        let time_to_restore_seconds = finished_at.map(|end| seconds(end.nanos_since(self.started_at)));
        let flags = [
            ends_before_start.then_some(Flag::EndBeforeStart),
            self.in_the_future.then_some(Flag::InTheFuture),
        ];
        let verdict = self.verdict(policy);
        let failure = Failure {
            id: self.id.clone(),
            source: SourceName::API,
            incident: None,
            number: None,
            title: self.name.clone(),
            url: None,
            state: match (verdict, finished_at) {
                (RuleVerdict::Counts, Some(_)) => FailureState::Completed,
                (RuleVerdict::Counts, None) => FailureState::Open,
                _ => FailureState::Ignored,
            },
            reason: verdict.reason().map(str::to_owned),
            started_at: self.started_at,
            finished_at,
            time_to_restore_seconds,
            active_seconds: time_to_restore_seconds,
            acknowledged_at: None,
            reopened: 0,
            merged: Vec::new(),
            merged_into: None,
            services: self.services.clone(),
            team: self.team.clone(),
            env: self.env.clone(),
            severity: self.severity.clone(),
            priority: None,
            urgency: None,
            attribution: "as sent".to_owned(),
            flags: flags.into_iter().flatten().collect(),
            deployment: None,
            deployment_version: None,
        };
        let details = Details {
            tags: self.tags.iter().cloned().collect(),
            repository_url: self.repository_url.clone(),
            commit_sha: self.commit_sha.clone(),
            version: self.version.clone(),
            ..Details::default()
        };
        Evaluated { failure, details }
    }

    /// Verdict on the failure: it counts, or a rule or `failure.min_duration` ignores it.
    pub fn verdict<'a>(&self, policy: &'a Policy) -> RuleVerdict<'a> {
        let known_end = self.finished_at.filter(|end| *end >= self.started_at);
        RuleVerdict::of(self.ruling(policy), self.started_at, known_end, policy.min_duration)
    }

    /// The first rule that matches the failure, with its action.
    pub fn ruling<'a>(&self, policy: &'a Policy) -> Ruling<'a> {
        let traits = RuleInput {
            services: self.services.iter().map(String::as_str).collect(),
            teams: self.team.as_deref().into_iter().collect(),
            title: self.name.as_deref(),
            ..RuleInput::default()
        };
        Ruling::of(&policy.rules, &traits)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::deployment::tests::time;

    /// A failure of `service` in production, from `started` to `ended` on the first of November.
    pub(crate) fn submission(id: &str, service: &str, started: &str, ended: Option<&str>) -> Submission {
        Submission {
            id: FailureId::parse(&format!("failure:{id:0>9}")).unwrap(),
            services: vec![service.to_owned()],
            team: None,
            env: "production".to_owned(),
            started_at: time(started),
            finished_at: ended.map(time),
            name: None,
            severity: None,
            version: None,
            commit_sha: None,
            repository_url: None,
            tags: BTreeSet::new(),
            in_the_future: false,
        }
    }
}
