//! Failures as the store keeps them: the columns `evaluated` and `details` of the table `failure`.
//!
//! This form is the store's own. The API and the backend `http` have other forms, so that a field that is added here
//! changes neither answers nor requests. A stored failure of an earlier version has fewer fields: each new one needs a
//! default.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::failure::{Details, Failure, FailureState, Flag};
use crate::domain::id::FailureId;
use crate::domain::open_period::Pause;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::{from_json, to_json};
use crate::store::engine::sql;

/// The column `evaluated`.
#[derive(Serialize, Deserialize)]
struct StoredFailure<'a> {
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
}

/// The column `details`; NULL in place of an empty one.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredDetails<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_sha: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    named_deployments: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "<[Pause]>::is_empty")]
    pauses: Cow<'a, [Pause]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagerduty_service: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_at: Option<Timestamp>,
}

/// The text of `evaluated`.
pub(in crate::store) fn failure_text(failure: &Failure) -> sql::Result<String> {
    to_json(&StoredFailure::from(failure))
}

/// The text of `details`. `None` if there are no details.
pub(in crate::store) fn details_text(details: &Details) -> sql::Result<Option<String>> {
    Ok(Some(to_json(&StoredDetails::from(details))?).filter(|json| json != "{}"))
}

/// The failure in `evaluated`.
pub(in crate::store) fn failure(text: &str) -> sql::Result<Failure> {
    from_json::<StoredFailure<'_>>(text).map(Failure::from)
}

/// The details in `details`.
pub(in crate::store) fn details(text: Option<&str>) -> sql::Result<Details> {
    text.map_or_else(
        || Ok(Details::default()),
        |text| from_json::<StoredDetails<'_>>(text).map(Details::from),
    )
}

impl<'a> From<&'a Failure> for StoredFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        // Every field is named, so that a new one is either kept or left out deliberately.
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
        }
    }
}

impl From<StoredFailure<'_>> for Failure {
    fn from(stored: StoredFailure<'_>) -> Self {
        Self {
            id: stored.id.into_owned(),
            source: stored.source.into_owned(),
            incident: stored.incident.map(Cow::into_owned),
            number: stored.number,
            title: stored.title.map(Cow::into_owned),
            url: stored.url.map(Cow::into_owned),
            state: stored.state,
            reason: stored.reason.map(Cow::into_owned),
            started_at: stored.started_at,
            finished_at: stored.finished_at,
            time_to_restore_seconds: stored.time_to_restore_seconds,
            active_seconds: stored.active_seconds,
            acknowledged_at: stored.acknowledged_at,
            reopened: stored.reopened,
            merged: stored.merged.into_owned(),
            merged_into: stored.merged_into.map(Cow::into_owned),
            services: stored.services.into_owned(),
            team: stored.team.map(Cow::into_owned),
            env: stored.env.into_owned(),
            severity: stored.severity.map(Cow::into_owned),
            priority: stored.priority.map(Cow::into_owned),
            urgency: stored.urgency.map(Cow::into_owned),
            attribution: stored.attribution.into_owned(),
            flags: stored.flags.into_owned(),
            deployment: stored.deployment.map(Cow::into_owned),
            deployment_version: None,
        }
    }
}

impl<'a> From<&'a Details> for StoredDetails<'a> {
    fn from(details: &'a Details) -> Self {
        let Details {
            tags,
            repository_url,
            commit_sha,
            version,
            created_at,
            named_deployments,
            pauses,
            pagerduty_service,
            restored_at,
        } = details;
        Self {
            tags: Cow::Borrowed(tags),
            repository_url: repository_url.as_deref().map(Cow::Borrowed),
            commit_sha: commit_sha.as_deref().map(Cow::Borrowed),
            version: version.as_deref().map(Cow::Borrowed),
            created_at: *created_at,
            named_deployments: Cow::Borrowed(named_deployments),
            pauses: Cow::Borrowed(pauses),
            pagerduty_service: pagerduty_service.as_deref().map(Cow::Borrowed),
            restored_at: *restored_at,
        }
    }
}

impl From<StoredDetails<'_>> for Details {
    fn from(stored: StoredDetails<'_>) -> Self {
        Self {
            tags: stored.tags.into_owned(),
            repository_url: stored.repository_url.map(Cow::into_owned),
            commit_sha: stored.commit_sha.map(Cow::into_owned),
            version: stored.version.map(Cow::into_owned),
            created_at: stored.created_at,
            named_deployments: stored.named_deployments.into_owned(),
            pauses: stored.pauses.into_owned(),
            pagerduty_service: stored.pagerduty_service.map(Cow::into_owned),
            restored_at: stored.restored_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    fn details() -> Details {
        Details {
            named_deployments: vec!["v1.2".to_owned()],
            created_at: Some(completed().failure.started_at),
            restored_at: Some(completed().failure.started_at),
            pauses: vec![Pause {
                resolved_at: completed().failure.started_at,
                reopened_at: completed().failure.started_at,
            }],
            ..completed().details
        }
    }

    #[test]
    fn a_completed_failure_as_the_store_keeps_it() {
        let texts = [failure_text(&completed().failure).unwrap(), details_text(&details()).unwrap().unwrap()];
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn a_failure_that_is_read_back_is_the_same() {
        let kept = failure_text(&completed().failure).unwrap();
        assert_eq!(failure(&kept).unwrap(), completed().failure);
        let kept = details_text(&details()).unwrap();
        assert_eq!(super::details(kept.as_deref()).unwrap(), details());
        assert_eq!(details_text(&Details::default()).unwrap(), None);
        assert_eq!(super::details(None).unwrap(), Details::default());
    }

    #[test]
    fn a_failure_with_an_unknown_word_is_an_error() {
        let kept = failure_text(&completed().failure).unwrap();
        for damaged in [kept.replace("\"completed\"", "\"odd\""), "{}".to_owned(), String::new()] {
            assert!(failure(&damaged).is_err(), "{damaged}");
        }
    }
}
