//! Deployments at Datadog: `POST /api/v2/dora/deployment`, replaced whole under the same id;
//! `PATCH /api/v2/dora/deployments/{id}` marks one as a change failure, or removes the mark;
//! `DELETE /api/v2/dora/deployment/{id}`.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::body;
use super::datadog_client::{Client, Git, RequestBody, RequestData, accepted_tags, tag_value};
use super::protocol::{Attempt, Reply};
use crate::config::BackendUrl;
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::{Action, PreparedRequest};
use crate::domain::id::DeploymentId;
use crate::domain::mark::Mark;
use crate::domain::retry::Verdict;

/// Shortest wait after a mark that is answered 404. Datadog knows a new deployment only some 90 seconds after it
/// accepted it, and answers 404 until then.
const UNKNOWN_WAIT: Duration = Duration::from_mins(2);
/// Most attempts at a mark that is answered 404. They take about an hour or more. A deployment that Datadog does not
/// know by then never reached it, or has another id there.
const MOST_ATTEMPTS_AT_UNKNOWN: u32 = 30;

/// Sends deployments and their marks to Datadog.
pub(super) struct DatadogDeployments {
    url: reqwest::Url,
    /// Datadog has the plural in this path only.
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

    /// `DORADeploymentPatchRequest`. A mark without a remediation leaves it out. Datadog does not document whether
    /// that removes an earlier remediation, and has no other way to remove one.
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
                let verdict = verdict_on_patch(&reply, action, attempts);
                let error = reply.error.filter(|_| verdict != Verdict::Sent);
                Reply { verdict, error, ..reply }
            }
        }
    }
}

/// Verdict on the answer to a mark. A 404 means that Datadog does not know the deployment yet, or never will. The mark
/// is retried for a while. After that, a row that sets the mark is dead, and a row that removes the mark is done.
/// `attempts`: number of earlier attempts.
fn verdict_on_patch(reply: &Reply, action: Action, attempts: u32) -> Verdict {
    match reply.status {
        Some(404) if attempts + 1 < MOST_ATTEMPTS_AT_UNKNOWN => Verdict::Retry(Some(UNKNOWN_WAIT)),
        Some(404) if action == Action::Unmark => Verdict::Sent,
        Some(404) => Verdict::Dead,
        _ => reply.verdict,
    }
}

/// Attributes of a deployment. Null is never sent. Times are in nanoseconds. The id is our own, because marks need it.
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

/// Body of a `DORADeploymentRequest`.
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
        custom_tags: accepted_tags(deployment.tags.iter().cloned()),
    };
    body::json(&RequestBody { data: RequestData { attributes } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests;

    #[test]
    fn a_mark_of_an_unknown_deployment_is_attempted_thirty_times() {
        let reply = |status| Reply {
            verdict: Verdict::of_status(status, None),
            status: Some(status),
            error: None,
            taken: 0,
        };
        let later = Verdict::Retry(Some(UNKNOWN_WAIT));
        for action in [Action::Mark, Action::Unmark] {
            assert_eq!(verdict_on_patch(&reply(404), action, 0), later);
            assert_eq!(verdict_on_patch(&reply(404), action, 28), later);
            assert_eq!(verdict_on_patch(&reply(202), action, 0), Verdict::Sent);
            assert_eq!(verdict_on_patch(&reply(400), action, 0), Verdict::Dead);
        }
        assert_eq!(verdict_on_patch(&reply(404), Action::Mark, 29), Verdict::Dead);
        assert_eq!(verdict_on_patch(&reply(404), Action::Unmark, 29), Verdict::Sent);
    }

    #[test]
    fn unknown_attributes_are_left_out() {
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
