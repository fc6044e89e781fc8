//! Datadog's DORA API: `POST /api/v2/dora/failure`, replaced whole under the same id; with an application key,
//! `DELETE /api/v2/dora/failure/{id}` for a failure that does not count any more. Deployments: `datadog_deployment`.

use serde::Serialize;

use super::body::json;
use super::credentials::Credentials;
use super::datadog_client::{
    Client, Git, LONGEST_TAG_CHARS, RequestBody, RequestData, accepted_tags, tag_value,
};
use super::datadog_deployment::{DatadogDeployments, deployment};
use super::datadog_mark;
use super::probe::Probing;
use super::protocol::{Attempt, Protocol, Sending};
use super::setup::SetupError;
use super::text::{page, shown, title};
use crate::config;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Details, Evaluated, Failure};
use crate::domain::forwarding::{Action, PreparedRequest, RevisionContext, Subject};
use crate::domain::id::DeploymentId;
use crate::domain::mark::{MarkRequest, MarkTarget};
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

/// Maximum number of services that are sent. Datadog documents no limit, but accepts only requests of a bounded size.
/// Further services are left out, so that the failure is accepted.
const MOST_SERVICES: usize = 100;
/// Service that is sent if neither a service nor a team is known, because Datadog requires one of them.
const UNATTRIBUTED: &str = "unattributed";

/// A `[[backend]]` of kind `datadog`.
pub(super) struct Datadog {
    url: reqwest::Url,
    client: Client,
    deployments: DatadogDeployments,
}

impl Datadog {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        let client = Client::from_config(entry, outgoing)?;
        let url = entry.url.join("/api/v2/dora/failure");
        Ok(Self { url, deployments: DatadogDeployments::new(&entry.url, client.clone()), client })
    }
}

impl Protocol for Datadog {
    fn prepare(&self, evaluated: &Evaluated, _: RevisionContext) -> PreparedRequest {
        let action = match (self.client.has_application_key(), evaluated.failure.state.counts()) {
            (_, true) => Action::Replace,
            (true, false) => Action::Delete,
            (false, false) => Action::CannotCorrect,
        };
        if action == Action::Delete {
            return PreparedRequest { action, body: evaluated.failure.id.as_str().into() };
        }
        let request = RequestBody { data: RequestData { attributes: attributes(evaluated) } };
        PreparedRequest { action, body: json(&request) }
    }

    fn prepare_deployment(&self, record: &Deployment, _: RevisionContext) -> Option<PreparedRequest> {
        Some(PreparedRequest { action: Action::Replace, body: deployment(record) })
    }

    fn prepare_deployment_removal(&self, id: &DeploymentId) -> Option<PreparedRequest> {
        self.client
            .has_application_key()
            .then(|| PreparedRequest { action: Action::Delete, body: id.as_str().into() })
    }

    fn prepare_mark(&self, request: MarkRequest<'_>) -> Option<PreparedRequest> {
        Some(datadog_mark::prepare(request))
    }

    fn mark_targets(&self, prepared: &PreparedRequest) -> Vec<MarkTarget> {
        datadog_mark::targets(&prepared.body)
    }

    fn needs_application_key(&self) -> bool {
        true
    }

    fn replaces_whole(&self) -> bool {
        true
    }

    fn send(&self, attempt: Attempt) -> Sending<'_> {
        if matches!(attempt.subject, Subject::Deployment(_)) {
            return Box::pin(self.deployments.send(attempt));
        }
        let Attempt { subject, prepared: PreparedRequest { action, body }, now, .. } = attempt;
        if action == Action::Delete {
            return Box::pin(async move { self.client.delete(&self.url, subject.id(), now).await });
        }
        Box::pin(self.client.post(&self.url, body, now))
    }

    fn probe<'a>(&'a self, credentials: &'a Credentials) -> Probing<'a> {
        Box::pin(self.client.probe(credentials))
    }
}

/// Attributes of a failure. Null is never sent. Times are in nanoseconds: Datadog knows the unit by the size.
#[derive(Serialize)]
struct FailureAttributes<'a> {
    id: &'a str,
    started_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    env: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_tags: Vec<String>,
}

fn attributes(evaluated: &Evaluated) -> FailureAttributes<'_> {
    let Evaluated { failure, details } = evaluated;
    let mut services: Vec<String> =
        failure.services.iter().take(MOST_SERVICES).map(|service| tag_value("service", service)).collect();
    if services.is_empty() && failure.team.is_none() {
        services.push(UNATTRIBUTED.to_owned());
    }
    FailureAttributes {
        id: failure.id.as_str(),
        started_at: failure.started_at.as_nanos(),
        // A failure that does not count is sent without an end.
        finished_at: evaluated.restored_at().map(Timestamp::as_nanos),
        services,
        team: failure.team.as_deref().map(|team| tag_value("team", team)),
        env: tag_value("env", &failure.env),
        name: title(failure.title.as_ref()).map(shown),
        severity: failure.severity.as_deref().map(|severity| tag_value("severity", severity)),
        git: Git::of(details.repository_url.as_ref(), details.commit_sha.as_ref()),
        version: details.version.as_deref().map(|version| tag_value("version", version)),
        custom_tags: custom_tags(failure, details),
    }
}

/// Tags that were configured or sent, then facts of PagerDuty. A repeated tag, and one without a key, is left out, so
/// that Datadog accepts the failure.
fn custom_tags(failure: &Failure, details: &Details) -> Vec<String> {
    // A URL that is cut leads nowhere.
    let page = page(failure.url.as_ref())
        .map(|page| format!("pagerduty_url:{page}"))
        .filter(|tag| tag.len() <= LONGEST_TAG_CHARS);
    let tag = |key: &str, value: &String| format!("{key}:{value}");
    let of_pagerduty = [
        details.pagerduty_service.as_ref().map(|service| tag("pagerduty_service", service)),
        failure.urgency.as_ref().map(|urgency| tag("pagerduty_urgency", urgency)),
        page,
    ];
    accepted_tags(details.tags.iter().cloned().chain(of_pagerduty.into_iter().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::datadog_client::MOST_TAGS;
    use crate::backend::text::LONGEST_CHARS;
    use crate::domain::failure::FailureState;
    use crate::domain::failure::tests::completed;

    fn request(failure: &Evaluated) -> String {
        serde_json::to_string_pretty(&RequestBody { data: RequestData { attributes: attributes(failure) } })
            .unwrap()
    }

    #[test]
    fn a_completed_failure_as_datadog_gets_it() {
        insta::assert_snapshot!(request(&completed()));
    }

    #[test]
    fn a_failure_that_does_not_count_has_no_end() {
        let mut failure = completed();
        failure.failure.state = FailureState::Merged;
        assert!(!request(&failure).contains("finished_at"));
    }

    #[test]
    fn hostile_facts_fit_datadogs_limits() {
        let mut failure = completed();
        failure.details.tags = (0..1_000).map(|n| format!("tag:{n}")).collect();
        failure.failure.title = Some("\u{202e}<script>\0\n".repeat(500));
        failure.failure.services.clear();
        failure.failure.team = None;
        let attributes = attributes(&failure);
        assert_eq!(attributes.custom_tags.len(), MOST_TAGS);
        assert_eq!(attributes.services, [UNATTRIBUTED]);
        let name = attributes.name.unwrap();
        assert_eq!(name.chars().count(), LONGEST_CHARS);
        assert!(!name.chars().any(char::is_control));
    }
}
