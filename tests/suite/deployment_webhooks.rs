//! The routes of GitHub and GitLab: what is verified, and each of the answers.

use std::path::Path;

use pagerduty_dora::config::Config;
use pagerduty_dora::sources::{github, gitlab};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::engine::ports_and_store;
use crate::harness::{Answer, Daemon, client};
use crate::node::program;
use crate::process::{Listening, Process};
use crate::reload::Configured;

pub(crate) const GITHUB_SECRET: &str = "canary-secret-of-github";
/// `whsec_` and 32 bytes.
pub(crate) const GITLAB_SECRET: &str = "whsec_Y2FuYXJ5LWtleS1vZi1naXRsYWItZm9yLXRlc3Rz";
pub(crate) const GITLAB_TOKEN: &str = "canary-token-of-gitlab";

/// Both sources in a configuration.
pub(crate) fn both() -> String {
    format!(
        "[github]\nsigning_secrets = [{{ value = \"{GITHUB_SECRET}\" }}]\n\
         [gitlab]\nsigning_secrets = [{{ value = \"{GITLAB_SECRET}\" }}]\ntokens = [{{ value = \"{GITLAB_TOKEN}\" }}]\n"
    )
}

/// A fixture of a source.
pub(crate) fn fixture_of(source: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{source}/{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Headers of a webhook of GitHub that was signed with this secret.
pub(crate) fn github_headers(secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("x-github-event", "deployment_status".to_owned()),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned()),
        ("x-hub-signature-256", github::signature::sign(&SecretString::from(secret), body)),
    ]
}

/// Headers of a webhook of GitLab that was signed with this secret.
pub(crate) fn gitlab_headers(secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    let (id, timestamp) = ("7f0e6a3c-9b0f-4d0e-8d62-3f5e2d9c1a10", "1793613810");
    let signature = gitlab::signature::sign(&SecretString::from(secret), id, timestamp, body).unwrap();
    vec![
        ("x-gitlab-event", "Deployment Hook".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_owned()),
        ("webhook-signature", signature),
    ]
}

pub(crate) async fn post(url: String, headers: &[(&str, String)], body: &str) -> Answer {
    let mut request = client().post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    Answer::of(request.send().await.unwrap()).await
}

pub(crate) async fn to_github(daemon: &Daemon, body: &str) -> Answer {
    let url = format!("http://{}/webhooks/github", daemon.public);
    post(url, &github_headers(GITHUB_SECRET, body.as_bytes()), body).await
}

pub(crate) async fn to_gitlab(daemon: &Daemon, body: &str) -> Answer {
    let url = format!("http://{}/webhooks/gitlab", daemon.public);
    post(url, &gitlab_headers(GITLAB_SECRET, body.as_bytes()), body).await
}

/// The `status` of an answer 202.
pub(crate) fn status(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_event_of_github_is_accepted_or_kept() {
    let daemon = Daemon::start(&both()).await;
    for state in ["waiting", "queued", "in_progress", "success", "failure", "error", "api", "preview"] {
        let body = fixture_of("github", &format!("deployment_status.{state}"));
        assert_eq!(status(&to_github(&daemon, &body).await), "accepted", "{state}");
        assert_eq!(status(&to_github(&daemon, &body).await), "duplicate", "{state}");
    }
    for other in ["ping", "push", "deployment", "workflow_run"] {
        let body = fixture_of("github", other);
        assert_eq!(status(&to_github(&daemon, &body).await), "ignored", "{other}");
        assert_eq!(status(&to_github(&daemon, &body).await), "duplicate", "{other}");
    }
    for hostile in ["", "{", "{}", "[]", r#"{"deployment_status":{"id":1}}"#] {
        assert_eq!(status(&to_github(&daemon, hostile).await), "quarantined", "{hostile}");
    }
    assert_eq!(daemon.probe().events(), 12);
    assert!(daemon.failures().await.is_empty());
}

#[tokio::test]
async fn every_event_of_gitlab_is_accepted_or_kept() {
    let daemon = Daemon::start(&both()).await;
    for state in ["running", "success", "failed", "canceled", "blocked", "approved", "rejected", "review"] {
        let body = fixture_of("gitlab", &format!("deployment.{state}"));
        assert_eq!(status(&to_gitlab(&daemon, &body).await), "accepted", "{state}");
        assert_eq!(status(&to_gitlab(&daemon, &body).await), "duplicate", "{state}");
    }
    for other in ["push", "release"] {
        assert_eq!(status(&to_gitlab(&daemon, &fixture_of("gitlab", other)).await), "ignored", "{other}");
    }
    for hostile in ["", "{}", r#"{"object_kind":"deployment"}"#] {
        assert_eq!(status(&to_gitlab(&daemon, hostile).await), "quarantined", "{hostile}");
    }
    assert_eq!(daemon.probe().events(), 10);
}

#[tokio::test]
async fn the_webhook_of_the_organization_tells_the_same_event_again() {
    let daemon = Daemon::start(&both()).await;
    let body = fixture_of("github", "deployment_status.success");
    assert_eq!(status(&to_github(&daemon, &body).await), "accepted");
    let mut again: Value = serde_json::from_str(&body).unwrap();
    again["organization"] = json!({ "login": "acme" });
    again["installation"] = json!({ "id": 31 });
    assert_eq!(status(&to_github(&daemon, &again.to_string()).await), "duplicate");
    again["deployment"]["sha"] = json!("0".repeat(40));
    assert_eq!(status(&to_github(&daemon, &again.to_string()).await), "quarantined", "other facts");
}

#[tokio::test]
async fn a_form_of_github_is_read_when_it_arrives_and_from_quarantine() {
    let daemon = Daemon::start(&both()).await;
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let body = fixture_of("github", "deployment_status.success");
    assert_eq!(status(&to_github(&daemon, &format!("payload={}", encode(&body))).await), "accepted");
    assert_eq!(status(&to_github(&daemon, &body).await), "duplicate", "the content type is no fact");
    assert_eq!(status(&to_github(&daemon, "payload=%7B").await), "quarantined");
    let listed = daemon.get("/api/v1/quarantine").await.json();
    assert_eq!(listed["rows"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn a_request_that_is_not_authentic_is_answered_401_in_the_words_of_its_source() {
    let daemon = Daemon::start(&both()).await;
    let body = fixture_of("github", "deployment_status.success");
    let github = format!("http://{}/webhooks/github", daemon.public);
    let gitlab = format!("http://{}/webhooks/gitlab", daemon.public);
    let token = |token: &str| vec![("x-gitlab-token", token.to_owned())];
    let pagerduty = vec![("x-pagerduty-signature", "v1=00".to_owned())];
    let both_headers = |secret| [gitlab_headers(secret, b"other bytes"), token(GITLAB_TOKEN)].concat();
    let mut refused = Vec::new();
    for (url, headers) in [
        (&github, vec![]),
        (&github, github_headers("another secret of GitHub", body.as_bytes())),
        (&github, github_headers(GITHUB_SECRET, b"other bytes")),
        (&github, vec![("x-hub-signature-256", "sha1=00".to_owned())]),
        (&github, pagerduty),
        (&gitlab, vec![]),
        (&gitlab, token("another token")),
        (&gitlab, both_headers(GITLAB_SECRET)),
        (&gitlab, vec![("webhook-signature", "v1,".to_owned())]),
    ] {
        let answer = post(url.clone(), &headers, &body).await;
        assert_eq!(
            (answer.status, &answer.headers["connection"]),
            (401, &"close".parse().unwrap()),
            "{answer:?}"
        );
        assert!(!answer.body.contains("PagerDuty"), "{answer:?}");
        refused.push(answer.body);
    }
    insta::assert_snapshot!(refused.join("\n"));
    assert_eq!(daemon.probe().events(), 0);
    let text = daemon.get("/metrics").await.body;
    for (source, status, count) in [
        ("github", "no_signature", 2),
        ("github", "wrong_signature", 2),
        ("github", "malformed_signature", 1),
        ("gitlab", "no_signature", 1),
        ("gitlab", "wrong_signature", 2),
        ("gitlab", "malformed_signature", 1),
        ("pagerduty", "no_signature", 0),
    ] {
        let line =
            format!("pagerduty_dora_webhooks_total{{source=\"{source}\",status=\"{status}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[tokio::test]
async fn a_token_of_gitlab_is_enough_without_a_signature() {
    let daemon = Daemon::start(&both()).await;
    let url = format!("http://{}/webhooks/gitlab/", daemon.public);
    let answer = post(
        url,
        &[("x-gitlab-token", GITLAB_TOKEN.to_owned())],
        &fixture_of("gitlab", "deployment.success"),
    )
    .await;
    assert_eq!(status(&answer), "accepted");
}

#[tokio::test]
async fn sources_are_off_until_a_reload_gives_them_secrets() {
    let daemon = Configured::start("").await;
    let body = fixture_of("github", "deployment_status.success");
    let send = async |path: &str| {
        let url = format!("http://{}{path}", daemon.public());
        post(url, &github_headers(GITHUB_SECRET, body.as_bytes()), &body).await.status
    };
    assert_eq!(send("/webhooks/github").await, 404);
    assert_eq!(daemon.reload(&both()).await.status, 200);
    assert_eq!(send("/webhooks/github").await, 202);
    let moved = both().replace("[github]", "[github]\npath = \"/hooks/gh\"");
    assert_eq!(daemon.reload(&moved).await.status, 200);
    assert_eq!((send("/webhooks/github").await, send("/hooks/gh").await), (404, 202));
    let twice = moved.replace("[gitlab]", "[gitlab]\npath = \"/hooks/gh/\"");
    let refused = daemon.reload(&twice).await;
    assert!(refused.status != 200 && refused.body.contains("gitlab.path"), "{refused:?}");
    let no_token = both().replace(GITLAB_SECRET, "no-signing-token-at-all");
    let refused = daemon.reload(&no_token).await;
    assert!(
        refused.status != 200 && refused.body.contains("whsec_") && !refused.body.contains("no-signing"),
        "{refused:?}"
    );
    assert_eq!(send("/hooks/gh").await, 202, "the old configuration stays");
}

async fn ping(listening: Listening, events: &[&str], hook_id: u64) {
    let mut ping: Value = serde_json::from_str(&fixture_of("github", "ping")).unwrap();
    ping["hook"]["events"] = json!(events);
    ping["hook_id"] = json!(hook_id);
    let body = ping.to_string();
    let url = format!("http://{}/webhooks/github", listening.public);
    let answer = post(url, &github_headers(GITHUB_SECRET, body.as_bytes()), &body).await;
    assert_eq!(status(&answer), "ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_what_is_wrong_with_a_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let ports_and_store = ports_and_store(folder.path());
    std::fs::write(&config, format!("{ports_and_store}{}", both())).unwrap();
    let (process, listening) = Process::start(&config);
    ping(listening, &["deployment_status"], 1).await;
    ping(listening, &["push"], 2).await;
    let body = fixture_of("github", "deployment_status.success");
    for path in ["github", "gitlab", "somewhere"] {
        let url = format!("http://{}/webhooks/{path}", listening.public);
        post(url, &github_headers("another secret of GitHub", body.as_bytes()), &body).await;
    }
    let log = process.terminate();
    assert_eq!(log.matches("Choose the event").count(), 1, "{log}");
    assert!(log.contains("GitHub's webhook 2 of acme/checkout does not send"), "{log}");
    assert!(log.contains("the event is lost: it is not sent again"), "{log}");
    for words in [
        "Put the webhook's secret where github.signing_secrets says",
        "set a signing token or a secret token in the webhook's settings in GitLab",
        "there is nothing at /webhooks/somewhere; GitHub's webhooks go to /webhooks/github.",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
    let of_refusals: Vec<&str> = log.lines().filter(|line| line.contains("was refused")).collect();
    assert!(of_refusals.len() == 3 && !of_refusals.iter().any(|line| line.contains("PagerDuty")), "{log}");
    assert!(!log.contains(GITHUB_SECRET) && !log.contains(GITLAB_TOKEN), "{log}");
}

/// The signed requests of the manual are accepted, with secrets in files.
#[tokio::test(flavor = "multi_thread")]
async fn the_requests_in_the_manual_are_accepted() {
    if let Some(missing) = ["curl", "openssl"].into_iter().find(|name| program(name).is_none()) {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{missing} is missing");
        println!("skipped: {missing} is missing; the requests were not tried");
        return;
    }
    let daemon = Daemon::start(&both()).await;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(repository.join("docs/deployments.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let signed: Vec<&str> = blocks.filter(|block| block.contains("openssl dgst")).collect();
    assert_eq!(signed.len(), 2, "one for each source");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("github-webhook"), GITHUB_SECRET).unwrap();
    std::fs::write(folder.path().join("gitlab-webhook"), GITLAB_SECRET).unwrap();
    std::os::unix::fs::symlink(repository.join("fixtures"), folder.path().join("fixtures")).unwrap();
    for block in signed {
        let script = block.replace("127.0.0.1:8080", &daemon.public.to_string());
        let output = std::process::Command::new("sh")
            .args(["-euc", &script])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(stdout, r#"{"status":"accepted"}"#, "{block}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The log after a webhook of each source that no secret verifies.
async fn log_of_refusals(configuration: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let ports_and_store = ports_and_store(folder.path());
    std::fs::write(&config, format!("{ports_and_store}{configuration}")).unwrap();
    let (process, listening) = Process::start(&config);
    let url = |path: &str| format!("http://{}/webhooks/{path}", listening.public);
    let body = fixture_of("github", "deployment_status.success");
    post(url("github"), &github_headers("another secret of GitHub", body.as_bytes()), &body).await;
    let token = [("x-gitlab-event", "Deployment Hook".to_owned()), ("x-gitlab-token", "another".to_owned())];
    post(url("gitlab"), &token, &fixture_of("gitlab", "deployment.success")).await;
    process.terminate()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_off_is_named_in_the_log() {
    let log = log_of_refusals("[pagerduty]\nsigning_secrets = [{ value = \"canary-pagerduty\" }]\n").await;
    for words in [
        "GitHub's webhooks are off: set [github] signing_secrets",
        "GitLab's webhooks are off: set [gitlab] signing_secrets or tokens",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
    assert!(!log.contains("correct its URL"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_of_a_refused_webhook_where_a_token_is_set() {
    let token = "token = { value = \"canary-api-token\" }";
    let log = log_of_refusals(&format!(
        "[github]\nsigning_secrets = [{{ value = \"{GITHUB_SECRET}\" }}]\nurl = \"https://127.0.0.1:9/api/v3\"\n{token}\n\
         [gitlab]\ntokens = [{{ value = \"{GITLAB_TOKEN}\" }}]\nurl = \"https://127.0.0.1:9\"\n{token}\n"
    ))
    .await;
    for title in ["GitHub", "GitLab"] {
        let words = format!("If {title} sent it, its deployment is read from {title}'s API");
        assert_eq!(log.matches(&words).count(), 1, "{words}: {log}");
    }
    assert!(!log.contains("is lost"), "{log}");
}

#[test]
fn every_configuration_in_the_manual_is_valid() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deployments.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    let indented = blocks.iter().map(|block| block.replace("\n   ", "\n"));
    let blocks: Vec<String> = indented.collect();
    assert!(blocks.len() > 8);
    for block in blocks {
        let sources =
            if block.contains("[github]") || block.contains("[gitlab]") { String::new() } else { both() };
        let config =
            Config::parse(&format!("{sources}{block}")).unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert_eq!(config.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0], "{block}");
    }
}
