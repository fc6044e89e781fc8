//! A reload of what tells of deployments: `[[deployment]]` tables, `[github]` and `[gitlab]`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Configured, OLD, text};
use crate::deployment_webhooks::{GITLAB_SECRET, fixture_of, gitlab_headers, post};
use crate::fake_github::{self, FakeGitHub};
use crate::fake_gitlab::{self, FakeGitLab};
use crate::harness::{PATIENCE, client, eventually};
use crate::process::{PROGRAM, Process};

/// Another signing token, of as many bytes.
const OTHER_SECRET: &str = "whsec_b3RoZXIta2V5LW9mLWdpdGxhYi1mb3ItdGhlLXRlc3Q=";

/// `[gitlab]` with a signing token.
fn signed_by(secret: &str) -> String {
    format!("[gitlab]\nsigning_secrets = [{{ value = \"{secret}\" }}]\n")
}

/// A table for all repositories of the fixtures.
fn table(name: &str, more: &str) -> String {
    format!("[[deployment]]\nname = \"{name}\"\nrepository = [\"acme/*\"]\n{more}\n")
}

/// Sends a success of the deployment with this number. Returns the status of the answer.
async fn deploy(public: std::net::SocketAddr, number: u64, secret: &str) -> u16 {
    let mut webhook: Value = serde_json::from_str(&fixture_of("gitlab", "deployment.success")).unwrap();
    webhook["deployment_id"] = json!(number);
    let body = webhook.to_string();
    let url = format!("http://{public}/webhooks/gitlab");
    post(url, &gitlab_headers(secret, body.as_bytes()), &body).await.status
}

impl Configured {
    /// The deployment with this number, once it is folded.
    async fn deployment(&self, number: u64) -> Value {
        eventually("the deployment", async || {
            let id = format!("gitlab:gitlab.example.com:deployment:{number}");
            let answer = self.get(&format!("/api/v1/deployments/{id}")).await;
            (answer.status == 200).then(|| answer.json()["deployment"].clone())
        })
        .await
    }

    async fn shows(&self, text: &str) {
        eventually(text, async || self.get("/").await.body.contains(text).then_some(())).await;
    }
}

#[tokio::test]
async fn changed_tables_decide_about_new_deployments() {
    let daemon = Configured::start(&signed_by(GITLAB_SECRET)).await;
    assert_eq!(deploy(daemon.public(), 1, GITLAB_SECRET).await, 202);
    assert_eq!(daemon.deployment(1).await["ignored"], false);
    let ignoring = signed_by(GITLAB_SECRET) + &table("none", "action = \"ignore\"");
    assert_eq!(daemon.changes(&ignoring).await, ["deployment \"none\""]);
    assert_eq!(deploy(daemon.public(), 2, GITLAB_SECRET).await, 202);
    assert_eq!(daemon.deployment(2).await["reason"], "the table \"none\" ignores it");
    assert_eq!(daemon.deployment(1).await["ignored"], false, "the past needs `reevaluate`");
    let counting = signed_by(GITLAB_SECRET) + &table("none", "services = [\"till\"]");
    let changed = daemon.changes(&counting).await;
    assert!(changed.iter().all(|key| key.starts_with("deployment \"none\"")), "{changed:?}");
    assert_eq!(deploy(daemon.public(), 3, GITLAB_SECRET).await, 202);
    let third = daemon.deployment(3).await;
    assert_eq!((&third["service"], &third["ignored"]), (&json!("till"), &json!(false)));
}

#[tokio::test]
async fn a_signing_token_and_the_path_of_webhooks_take_effect() {
    let daemon = Configured::start("").await;
    assert_eq!(deploy(daemon.public(), 1, GITLAB_SECRET).await, 404);
    assert_eq!(daemon.changes(&signed_by(GITLAB_SECRET)).await, ["gitlab"]);
    assert_eq!(deploy(daemon.public(), 1, GITLAB_SECRET).await, 202);
    assert_eq!(daemon.changes(&signed_by(OTHER_SECRET)).await, ["gitlab.signing_secrets"]);
    assert_eq!(deploy(daemon.public(), 2, GITLAB_SECRET).await, 401);
    assert_eq!(deploy(daemon.public(), 2, OTHER_SECRET).await, 202);
    let moved = signed_by(OTHER_SECRET) + "path = \"/webhooks/git\"\n";
    assert_eq!(daemon.changes(&moved).await, ["gitlab.path"]);
    assert_eq!(deploy(daemon.public(), 3, OTHER_SECRET).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_of_github_replaces_the_loop_that_reads_deployments() {
    let github = FakeGitHub::start().await;
    github.world().repositories.push("acme/shop".to_owned());
    let rest = |token: &str| {
        format!(
            "[github]\nurl = \"http://{}/api/v3\"\ntoken = {{ value = \"{token}\" }}\n\
             [[deployment]]\nname = \"shop\"\nrepository = [\"acme/shop\"]\n",
            github.address
        )
    };
    let daemon = Configured::start(&rest("canary-of-yesterday")).await;
    daemon.shows("GitHub does not accept the token").await;
    assert_eq!(daemon.changes(&rest(fake_github::TOKEN)).await, ["github.token"]);
    daemon.shows("Deployments were read from GitHub's API").await;
    assert_eq!(daemon.changes("").await, ["deployment \"shop\"", "github"]);
    let requests = github.world().requests.len();
    daemon.clock.advance(Duration::from_hours(1));
    assert_eq!(github.world().requests.len(), requests, "nobody asks any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_address_or_table_replaces_the_loop_that_reads_gitlab() {
    let (first, second) = (FakeGitLab::start().await, FakeGitLab::start().await);
    for gitlab in [&first, &second] {
        gitlab.world().projects = vec!["acme/shop".to_owned(), "acme/cart".to_owned()];
    }
    let rest = |gitlab: &FakeGitLab, token: &str, project: &str| {
        format!(
            "[gitlab]\nurl = \"{}\"\ntoken = {{ value = \"{token}\" }}\n\
             [[deployment]]\nname = \"shop\"\nrepository = [\"acme/{project}\"]\n",
            gitlab.url()
        )
    };
    let has_been_asked = async |gitlab: &FakeGitLab, project: &str| {
        eventually("a request", async || {
            let path = format!("/git/api/v4/projects/acme%2F{project}/deployments?");
            gitlab.world().requests.iter().any(|request| request.starts_with(&path)).then_some(())
        })
        .await;
    };
    let daemon = Configured::start(&rest(&first, "canary-of-yesterday", "shop")).await;
    daemon.shows("GitLab does not accept the token").await;
    assert_eq!(daemon.changes(&rest(&first, fake_gitlab::TOKEN, "shop")).await, ["gitlab.token"]);
    has_been_asked(&first, "shop").await;
    daemon.shows("Deployments were read from GitLab's API").await;
    assert_eq!(daemon.changes(&rest(&second, fake_gitlab::TOKEN, "shop")).await, ["gitlab.url"]);
    has_been_asked(&second, "shop").await;
    let changed = daemon.changes(&rest(&second, fake_gitlab::TOKEN, "cart")).await;
    assert_eq!(changed, ["deployment \"shop\".repository"]);
    has_been_asked(&second, "cart").await;
    assert_eq!(daemon.changes("").await, ["deployment \"shop\"", "gitlab"]);
    assert!(!daemon.get("/").await.body.contains("Deployments of GitLab"));
    let requests = second.world().requests.len();
    daemon.clock.advance(Duration::from_hours(1));
    assert_eq!(second.world().requests.len(), requests, "nobody asks any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_takes_over_tables_and_sources_of_deployments() {
    let gitlab = FakeGitLab::start().await;
    gitlab.world().projects.push("acme/shop".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text(folder.path(), "")).unwrap();
    std::fs::write(folder.path().join("secret"), OLD).unwrap();
    let mut process = Process::spawn_by(Command::new(PROGRAM), &file);
    let listening = process.ready(PATIENCE).expect("the daemon gets ready");
    let rest = gitlab.section()
        + &table("none", "action = \"ignore\"")
        + "[[deployment]]\nname = \"shop\"\nrepository = [\"acme/shop\"]\n";
    std::fs::write(&file, text(folder.path(), &rest)).unwrap();
    process.signal("HUP");
    process.line_with(r#""changed":"deployment \"none\", deployment \"shop\", gitlab""#);
    eventually("a request to GitLab", async || (!gitlab.world().requests.is_empty()).then_some(())).await;
    assert_eq!(deploy(listening.public, 1, GITLAB_SECRET).await, 202);
    eventually("the deployment", async || {
        let url = format!("http://{}/api/v1/deployments?ignored=true", listening.admin);
        let listed = client().get(url).send().await.unwrap().text().await.unwrap();
        listed.contains(r#"the table \"none\" ignores it"#).then_some(())
    })
    .await;
    let log = process.terminate();
    assert!(!log.contains("canary"), "{log}");
}
