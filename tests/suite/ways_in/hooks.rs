//! Signed webhooks of GitHub and GitLab, made from the fixtures.

use pagerduty_dora::sources::github::signature::sign;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::{Answer, Daemon};

const SECRET: &str = "canary-github-secret-of-the-suite";
const TOKEN: &str = "canary-gitlab-token-of-the-suite";

/// Configuration with both sources.
pub(crate) const CONFIGURATION: &str = r#"
[github]
signing_secrets = [{ value = "canary-github-secret-of-the-suite" }]

[gitlab]
tokens = [{ value = "canary-gitlab-token-of-the-suite" }]
"#;

/// Webhooks of GitHub, each with an id of its own.
#[derive(Default)]
pub(crate) struct Hooks {
    statuses: u64,
}

impl Hooks {
    /// A `deployment_status` of this deployment of `acme/checkout` to production, on the first of November.
    pub(crate) fn github(&mut self, state: &str, number: u64, at: &str) -> String {
        let mut body: Value =
            serde_json::from_str(include_str!("../../../fixtures/github/deployment_status.success.json"))
                .unwrap();
        self.statuses += 1;
        let at = format!("2026-11-01T{at}Z");
        let status = &mut body["deployment_status"];
        status["id"] = (1_000 * number + self.statuses).into();
        (status["state"], status["created_at"], status["updated_at"]) = (state.into(), json!(at), json!(at));
        let deployment = &mut body["deployment"];
        (deployment["id"], deployment["sha"]) = (number.into(), commit(number).into());
        deployment["created_at"] = "2026-11-01T07:00:00Z".into();
        body.to_string()
    }
}

/// The commit of a deployment.
pub(crate) fn commit(number: u64) -> String {
    format!("{number:0>40x}")
}

/// A Deployment Hook of this deployment of `acme/checkout` to production, on the first of November.
pub(crate) fn gitlab(status: &str, number: u64, at: &str, commit: &str) -> String {
    let mut body: Value =
        serde_json::from_str(include_str!("../../../fixtures/gitlab/deployment.success.json")).unwrap();
    (body["status"], body["deployment_id"]) = (status.into(), number.into());
    body["status_changed_at"] = format!("2026-11-01 {at}").into();
    body["commit_url"] = format!("https://gitlab.example.com/acme/checkout/-/commit/{commit}").into();
    body.to_string()
}

/// Delivers a webhook of GitHub, and checks its answer.
pub(crate) async fn deliver_github(daemon: &Daemon, body: &str, status: &str) {
    let signature = sign(&SecretString::from(SECRET), body.as_bytes());
    deliver(daemon, "github", ("x-hub-signature-256", &signature), body, status).await;
}

/// Delivers a webhook of GitLab, and checks its answer.
pub(crate) async fn deliver_gitlab(daemon: &Daemon, body: &str, status: &str) {
    deliver(daemon, "gitlab", ("x-gitlab-token", TOKEN), body, status).await;
}

async fn deliver(daemon: &Daemon, source: &str, (name, value): (&str, &str), body: &str, status: &str) {
    let url = format!("http://{}/webhooks/{source}", daemon.public);
    let request = daemon.client.post(url).header(name, value).body(body.to_owned());
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some(status)), "{answer:?}");
    daemon.until_folded().await;
}
