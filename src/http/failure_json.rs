//! JSON of failures in the API and in `--format json`.
//!
//! The store and the backend `http` have forms of their own, which a new field here does not change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::explain::Why;
use crate::domain::failure::{Failure, FailureState, Flag};
use crate::domain::id::FailureId;
use crate::domain::related_change::RelatedChange;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::{AttemptRecord, FailurePage, Forwarded, ListedFailure, ReceivedEvent, Story};

/// A failure, and the state of its forwarding.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailureJson<'a> {
    id: Cow<'a, FailureId>,
    source: Cow<'a, SourceName>,
    incident: Option<Cow<'a, str>>,
    number: Option<i64>,
    title: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    state: FailureState,
    reason: Option<Cow<'a, str>>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    time_to_restore_seconds: Option<f64>,
    active_seconds: Option<f64>,
    acknowledged_at: Option<Timestamp>,
    reopened: usize,
    merged: Cow<'a, [String]>,
    merged_into: Option<Cow<'a, str>>,
    services: Cow<'a, [String]>,
    team: Option<Cow<'a, str>>,
    env: Cow<'a, str>,
    severity: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    urgency: Option<Cow<'a, str>>,
    attribution: Cow<'a, str>,
    flags: Cow<'a, [Flag]>,
    deployment: Option<Cow<'a, str>>,
    revision: i64,
    forwarded: Cow<'a, [Forwarded]>,
}

/// A page of a listing.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailurePageJson<'a> {
    failures: Vec<FailureJson<'a>>,
    next: Option<Cow<'a, str>>,
}

/// A failure's whole story.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoryJson<'a> {
    failure: Option<FailureJson<'a>>,
    events: Cow<'a, [ReceivedEvent]>,
    why: Cow<'a, [Why]>,
    attempts: Cow<'a, [AttemptRecord]>,
    #[serde(default)]
    not_forwarded: Cow<'a, [String]>,
    /// `None` if they are not known.
    related_changes: Option<Cow<'a, [RelatedChange]>>,
}

impl<'a> From<&'a ListedFailure> for FailureJson<'a> {
    fn from(ListedFailure { failure, revision, forwarded }: &'a ListedFailure) -> Self {
        // Every field is named, so that a new one is either shown or left out deliberately.
        let Failure {
            id,
            source,
            incident,
            number,
            title,
            url,
            state,
            reason,
            started_at,
            finished_at,
            time_to_restore_seconds,
            active_seconds,
            acknowledged_at,
            reopened,
            merged,
            merged_into,
            services,
            team,
            env,
            severity,
            priority,
            urgency,
            attribution,
            flags,
            deployment,
            deployment_version: _,
        } = failure;
        Self {
            id: Cow::Borrowed(id),
            source: Cow::Borrowed(source),
            incident: incident.as_deref().map(Cow::Borrowed),
            number: *number,
            title: title.as_deref().map(Cow::Borrowed),
            url: url.as_deref().map(Cow::Borrowed),
            state: *state,
            reason: reason.as_deref().map(Cow::Borrowed),
            started_at: *started_at,
            finished_at: *finished_at,
            time_to_restore_seconds: *time_to_restore_seconds,
            active_seconds: *active_seconds,
            acknowledged_at: *acknowledged_at,
            reopened: *reopened,
            merged: Cow::Borrowed(merged),
            merged_into: merged_into.as_deref().map(Cow::Borrowed),
            services: Cow::Borrowed(services),
            team: team.as_deref().map(Cow::Borrowed),
            env: Cow::Borrowed(env),
            severity: severity.as_deref().map(Cow::Borrowed),
            priority: priority.as_deref().map(Cow::Borrowed),
            urgency: urgency.as_deref().map(Cow::Borrowed),
            attribution: Cow::Borrowed(attribution),
            flags: Cow::Borrowed(flags),
            deployment: deployment.as_deref().map(Cow::Borrowed),
            revision: *revision,
            forwarded: Cow::Borrowed(forwarded),
        }
    }
}

impl From<FailureJson<'_>> for ListedFailure {
    fn from(json: FailureJson<'_>) -> Self {
        let failure = Failure {
            id: json.id.into_owned(),
            source: json.source.into_owned(),
            incident: json.incident.map(Cow::into_owned),
            number: json.number,
            title: json.title.map(Cow::into_owned),
            url: json.url.map(Cow::into_owned),
            state: json.state,
            reason: json.reason.map(Cow::into_owned),
            started_at: json.started_at,
            finished_at: json.finished_at,
            time_to_restore_seconds: json.time_to_restore_seconds,
            active_seconds: json.active_seconds,
            acknowledged_at: json.acknowledged_at,
            reopened: json.reopened,
            merged: json.merged.into_owned(),
            merged_into: json.merged_into.map(Cow::into_owned),
            services: json.services.into_owned(),
            team: json.team.map(Cow::into_owned),
            env: json.env.into_owned(),
            severity: json.severity.map(Cow::into_owned),
            priority: json.priority.map(Cow::into_owned),
            urgency: json.urgency.map(Cow::into_owned),
            attribution: json.attribution.into_owned(),
            flags: json.flags.into_owned(),
            deployment: json.deployment.map(Cow::into_owned),
            deployment_version: None,
        };
        Self { failure, revision: json.revision, forwarded: json.forwarded.into_owned() }
    }
}

impl<'a> From<&'a FailurePage> for FailurePageJson<'a> {
    fn from(FailurePage { failures, next }: &'a FailurePage) -> Self {
        Self {
            failures: failures.iter().map(FailureJson::from).collect(),
            next: next.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<FailurePageJson<'_>> for FailurePage {
    fn from(json: FailurePageJson<'_>) -> Self {
        Self {
            failures: json.failures.into_iter().map(ListedFailure::from).collect(),
            next: json.next.map(Cow::into_owned),
        }
    }
}

impl<'a> From<&'a Story> for StoryJson<'a> {
    fn from(story: &'a Story) -> Self {
        // The names of deployments are for people. JSON has their ids.
        let Story { failure, events, why, attempts, not_forwarded, related_changes, deployment_names: _ } =
            story;
        Self {
            failure: failure.as_ref().map(FailureJson::from),
            events: Cow::Borrowed(events),
            why: Cow::Borrowed(why),
            attempts: Cow::Borrowed(attempts),
            not_forwarded: Cow::Borrowed(not_forwarded),
            related_changes: related_changes.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<StoryJson<'_>> for Story {
    fn from(json: StoryJson<'_>) -> Self {
        Self {
            failure: json.failure.map(ListedFailure::from),
            events: json.events.into_owned(),
            why: json.why.into_owned(),
            attempts: json.attempts.into_owned(),
            not_forwarded: json.not_forwarded.into_owned(),
            related_changes: json.related_changes.map(Cow::into_owned),
            deployment_names: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;
    use crate::store::ForwardState;

    fn listed() -> ListedFailure {
        let backend = "datadog".to_owned();
        let forwarded = Forwarded { backend, revision: 2, state: ForwardState::Sent, attempts: 1 };
        ListedFailure { failure: completed().failure, revision: 2, forwarded: vec![forwarded] }
    }

    #[test]
    fn a_completed_failure_as_the_api_answers_it() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&FailureJson::from(&listed())).unwrap());
    }

    #[test]
    fn a_failure_that_is_read_back_is_the_same() {
        let json = serde_json::to_string(&FailureJson::from(&listed())).unwrap();
        let ListedFailure { failure, revision, forwarded } =
            serde_json::from_str::<FailureJson<'_>>(&json).unwrap().into();
        assert_eq!((failure, revision, forwarded), (completed().failure, 2, listed().forwarded));
    }
}
