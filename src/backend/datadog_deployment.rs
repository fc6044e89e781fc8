//! Deployments at Datadog: `POST /api/v2/dora/deployment`, replaced whole under the same id;
//! `DELETE /api/v2/dora/deployment/{id}`. Their marks: `datadog_mark`.

use serde::Serialize;

use super::body;
use super::datadog_client::{Client, Git, RequestBody, RequestData, accepted_tags, tag_value};
use super::datadog_mark::DatadogMarks;
use super::protocol::{Attempt, Reply};
use crate::config::BackendUrl;
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::Action;

/// Sends deployments and their marks to Datadog.
pub(super) struct DatadogDeployments {
    url: reqwest::Url,
    marks: DatadogMarks,
    client: Client,
}

impl DatadogDeployments {
    pub(super) fn new(base: &BackendUrl, client: Client) -> Self {
        Self {
            url: base.join("/api/v2/dora/deployment"),
            marks: DatadogMarks::new(base, client.clone()),
            client,
        }
    }

    pub(super) async fn send(&self, attempt: Attempt) -> Reply {
        match attempt.prepared.action {
            Action::Replace => self.client.post(&self.url, attempt.prepared.body, attempt.now).await,
            Action::Delete => self.client.delete(&self.url, attempt.subject.id(), attempt.now).await,
            Action::CannotCorrect => Reply::nothing_to_send(),
            Action::Mark | Action::Unmark => self.marks.send(attempt).await,
        }
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
