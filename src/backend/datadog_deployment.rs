//! Deployments at Datadog: `POST /api/v2/dora/deployment`, replaced whole under the same id;
//! `PATCH /api/v2/dora/deployments/{id}` marks one as a change failure, or takes that back;
//! `DELETE /api/v2/dora/deployment/{id}`.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::body;
use super::datadog_client::{Client, Git, RequestBody, RequestData, as_taken, tag_value};
use super::protocol::{Attempt, Reply};
use crate::config::BackendUrl;
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::{Action, PreparedRequest};
use crate::domain::id::DeploymentId;
use crate::domain::mark::Mark;
use crate::domain::retry::Verdict;

/// Datadog knows a deployment some 90 seconds after it took it; until then a mark is answered 404, and is tried again
/// not sooner than after that long.
const UNKNOWN_WAIT: Duration = Duration::from_mins(2);
/// A deployment that is not known after so many attempts, which take about an hour at the least, never reached Datadog,
/// or not under this id.
const MOST_ATTEMPTS_AT_UNKNOWN: u32 = 30;

/// Tells Datadog of deployments.
pub(super) struct DatadogDeployments {
    url: reqwest::Url,
    /// Datadog has the plural here, and only here.
    marks: reqwest::Url,
    client: Client,
}

impl DatadogDeployments {
    pub(super) fn new(base: &BackendUrl, client: Client) -> Self {
        Self {
            url: base.join("/api/v2/dora/deployment"),
            marks: base.join("/api/v2/dora/deployments"),
            client,
        }
    }

    /// `DORADeploymentPatchRequest`. Whether leaving out the remediation takes one back that was told before, Datadog
    /// does not say; there is no other way to say it.
    pub(super) fn prepare_mark(id: &DeploymentId, mark: Option<&Mark>) -> PreparedRequest {
        let mut attributes = json!({ "change_failure": mark.is_some() });
        if let Some(remediation) = mark.and_then(|mark| mark.remediation.as_ref()) {
            attributes["remediation"] =
                json!({ "id": remediation.deployment, "type": remediation.kind.as_str() });
        }
        let data = json!({ "attributes": attributes, "id": id, "type": "dora_deployment_patch_request" });
        let action = if mark.is_some() { Action::Mark } else { Action::Unmark };
        PreparedRequest { action, body: json!({ "data": data }).to_string().into_bytes() }
    }

    pub(super) async fn send(&self, attempt: Attempt) -> Reply {
        let Attempt { subject, prepared: PreparedRequest { action, body }, attempts, now, .. } = attempt;
        let id = subject.id();
        match action {
            Action::Replace => self.client.post(&self.url, body, now).await,
            Action::Delete => self.client.delete(&self.url, id, now).await,
            Action::CannotCorrect => Reply::nothing_to_send(),
            Action::Mark | Action::Unmark => {
                let reply = self.client.patch(&self.marks, id, body, now).await;
                let verdict = of_patch(&reply, action, attempts);
                let error = reply.error.filter(|_| verdict != Verdict::Sent);
                Reply { verdict, error, ..reply }
            }
        }
    }
}

/// A deployment that is not known yet may be known soon. One that never is cannot be marked, and bears no mark that
/// would have to be taken back. `attempts`: those before this one.
fn of_patch(reply: &Reply, action: Action, attempts: u32) -> Verdict {
    match reply.status {
        Some(404) if attempts + 1 < MOST_ATTEMPTS_AT_UNKNOWN => Verdict::Retry(Some(UNKNOWN_WAIT)),
        Some(404) if action == Action::Unmark => Verdict::Sent,
        Some(404) => Verdict::Dead,
        _ => reply.verdict,
    }
}

/// Nothing null is sent, and times are nanoseconds, as with failures. The id is ours: it is what a mark goes by.
#[derive(Serialize)]
struct DeploymentAttributes<'a> {
    id: &'a str,
    started_at: i64,
    finished_at: i64,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    env: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_tags: Vec<String>,
}

/// `DORADeploymentRequest`
pub(super) fn deployment(deployment: &Deployment) -> Vec<u8> {
    let attributes = DeploymentAttributes {
        id: deployment.id.as_str(),
        started_at: deployment.started_at.as_nanos(),
        finished_at: deployment.finished_at.as_nanos(),
        service: tag_value("service", &deployment.service),
        team: deployment.team.as_deref().map(|team| tag_value("team", team)),
        env: tag_value("env", &deployment.env),
        version: deployment.version.as_deref().map(|version| tag_value("version", version)),
        git: Git::of(deployment.repository_url.as_ref(), deployment.commit_sha.as_ref()),
        custom_tags: as_taken(deployment.tags.iter().cloned()),
    };
    body::json(&RequestBody { data: RequestData { attributes } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests;

    #[test]
    fn an_unknown_deployment_is_asked_for_thirty_times() {
        let reply = |status| Reply {
            verdict: Verdict::of_status(status, None),
            status: Some(status),
            error: None,
            taken: 0,
        };
        let later = Verdict::Retry(Some(UNKNOWN_WAIT));
        for action in [Action::Mark, Action::Unmark] {
            assert_eq!(of_patch(&reply(404), action, 0), later);
            assert_eq!(of_patch(&reply(404), action, 28), later);
            assert_eq!(of_patch(&reply(202), action, 0), Verdict::Sent);
            assert_eq!(of_patch(&reply(400), action, 0), Verdict::Dead);
        }
        assert_eq!(of_patch(&reply(404), Action::Mark, 29), Verdict::Dead);
        assert_eq!(of_patch(&reply(404), Action::Unmark, 29), Verdict::Sent);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut bare = tests::deployment("1", "checkout", "10:00", "10:10");
        (bare.team, bare.version) = (None, None);
        let body: serde_json::Value = serde_json::from_slice(&deployment(&bare)).unwrap();
        let attributes = body["data"]["attributes"].as_object().unwrap();
        let keys: Vec<&String> = attributes.keys().collect();
        assert_eq!(
            keys,
            ["env", "finished_at", "id", "service", "started_at"],
            "a commit needs a repository"
        );
    }
}
