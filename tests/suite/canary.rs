//! Secrets of every form, put everywhere that a secret can be, and looked for in everything that the program shows.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use pagerduty_dora::sources::pagerduty::signature::sign;
use serde_json::json;
use tokio::net::TcpListener;

use crate::certificates::{Authority, Certified, write};
use crate::engine::ports_and_store;
use crate::harness::{PATIENCE, client, event_of, eventually};
use crate::process::{Listening, PROGRAM, Process};

/// Part of every secret, as it is and in base64.
const CANARIES: [&str; 2] = ["canary", "Y2FuYXJ5"];
const SIGNING: &str = "canary-signing-secret";
const EVENTS_KEY: &str = "canary-events-key";

/// A backend that refuses every request, and repeats it in its answer.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer =
        |uri: Uri, headers: HeaderMap| async move { (StatusCode::FORBIDDEN, format!("{uri} {headers:?}")) };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Writes the configuration and the files of its secrets.
fn configure(folder: &Path, echo: SocketAddr, rest: &str) {
    let Certified { certificate, key } = Authority::new().server(2099);
    write(folder, "cert.pem", &certificate);
    // Text before and after the key is ignored by every reader of PEM.
    write(folder, "key.pem", &format!("canary\n{key}"));
    write(folder, "dd-key", "canary-datadog-key");
    write(folder, "app-key", "canary-application-key");
    let ports_and_store = ports_and_store(folder);
    let text = format!(
        r#"{rest}
{ports_and_store}
[pagerduty]
signing_secrets = [{{ env = "PAGERDUTY_SIGNING_SECRET" }}]
[pagerduty.api]
url = "http://{echo}"
token = {{ value = "canary-token" }}
[events_api]
keys = [{{ value = "{EVENTS_KEY}" }}]
[[backend]]
name = "datadog"
kind = "datadog"
url = "http://{echo}"
api_key = {{ credential = "dd-key" }}
application_key = {{ file = "app-key" }}
[[backend]]
name = "cdevents"
kind = "cdevents"
url = "http://canary-user:canary-password@{echo}/?token=canary-query"
token = {{ value = "canary-cdevents-token" }}
[[backend]]
name = "receiver"
kind = "http"
url = "http://127.0.0.1:9/path?canary-name=canary-query"
signing_secret = {{ value = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5" }}
"#
    );
    write(folder, "config.toml", &text);
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("CREDENTIALS_DIRECTORY", folder).env("PAGERDUTY_SIGNING_SECRET", SIGNING);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let config = folder.join("config.toml");
    let Output { stdout, stderr, .. } =
        command(folder).args(["--config", config.to_str().unwrap()]).args(arguments).output().unwrap();
    String::from_utf8([stdout, stderr].concat()).unwrap()
}

/// Sends requests of every kind: accepted, refused, unsigned, and to the event API.
async fn ask(listening: Listening) -> Vec<String> {
    let mut shown = Vec::new();
    let client = client();
    let mut send = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        shown.push(format!("{:?}", answer.headers()));
        shown.push(answer.text().await.unwrap());
    };
    let webhooks = format!("http://{}/webhooks/pagerduty", listening.public);
    let body = event_of("incident.resolved", "QSECRET0001");
    let signature = sign(&SIGNING.to_owned().into(), body.as_bytes());
    send(client.post(&webhooks).header("x-pagerduty-signature", &signature).body(body.clone())).await;
    send(client.post(&webhooks).header("x-pagerduty-signature", "v1=canary").body(body.clone())).await;
    send(client.post(&webhooks).header("authorization", "Bearer canary").body(body)).await;
    let deployments = format!("http://{}/api/v2/dora/deployment", listening.public);
    let deployment =
        json!({ "data": { "attributes": { "service": "checkout", "started_at": "2026-11-01T00:00:00Z" } } });
    for key in [EVENTS_KEY, "canary-wrong-key"] {
        send(client.post(&deployments).header("dd-api-key", key).body(deployment.to_string())).await;
    }
    for path in [
        "/",
        "/metrics",
        "/readyz",
        "/healthz",
        "/quarantine",
        "/outbox",
        "/failures",
        "/failures.csv",
        "/services/Checkout%20API",
        "/failures/QSECRET0001",
        "/openapi.json",
        "/api/v1/failures",
        "/api/v1/failures/QSECRET0001",
        "/api/v1/report",
        "/api/v1/outbox",
        "/api/v1/quarantine",
    ] {
        send(client.get(format!("http://{}{path}", listening.admin))).await;
    }
    send(client.post(format!("http://{}/api/v1/reload", listening.admin))).await;
    shown
}

fn assert_clean(shown: &str, what: &str) {
    let line = shown.lines().find(|line| CANARIES.iter().any(|canary| line.contains(canary)));
    assert_eq!(line, None, "{what} shows a secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_shown() {
    let (folder, echo) = (tempfile::tempdir().unwrap(), echo().await);
    let folder = folder.path();
    configure(folder, echo, "");
    let config = folder.join("config.toml");
    let mut serve = command(folder);
    serve.env("RUST_LOG", "trace");
    let mut process = Process::spawn_with(serve, &config);
    let listening = process.ready(PATIENCE).expect("the daemon gets ready");
    for shown in ask(listening).await {
        assert_clean(&shown, "an answer");
    }
    eventually("an attempt that was refused", async || {
        let url = format!("http://{}/api/v1/outbox", listening.admin);
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        assert_clean(&text, "the outbox");
        text.contains("HTTP 403").then_some(())
    })
    .await;
    // A mistake beside each secret, and other secrets.
    for mistake in ["nonsense = 1", "dora = 1", "failure = { start = \"never\" }"] {
        configure(folder, echo, mistake);
        let reload = client().post(format!("http://{}/api/v1/reload", listening.admin));
        let answer = reload.send().await.unwrap();
        assert_eq!(answer.status(), 422);
        let text = answer.text().await.unwrap();
        assert_clean(&text, "a refused reload");
        assert_clean(&run(folder, &["config", "show"]), "a mistake");
    }
    configure(folder, echo, "");
    std::fs::write(folder.join("app-key"), "canary-other-application-key").unwrap();
    let reload = client().post(format!("http://{}/api/v1/reload", listening.admin)).send().await.unwrap();
    let changed = reload.text().await.unwrap();
    assert!(changed.contains("application_key"), "{changed}");
    assert_clean(&changed, "a reload");
    for arguments in [
        &["config", "show"][..],
        &["check"],
        &["check", "--offline"],
        &["check", "--offline", "--systemd"],
        &["outbox"],
        &["outbox", "--format", "json"],
        &["failures"],
        &["explain", "QSECRET0001"],
        &["report"],
        &["quarantine"],
        &["subscription", "status"],
        &["backfill", "--since", "2026-11-01"],
        &["health"],
        &["reevaluate", "--dry-run"],
    ] {
        let shown = run(folder, arguments);
        assert!(!shown.contains("Usage:"), "{arguments:?} is a command: {shown}");
        assert_clean(&shown, &arguments.join(" "));
    }
    let log = process.terminate();
    assert!(log.contains("a webhook was refused") && log.contains("\"level\":\"TRACE\""), "{log}");
    assert_clean(&log, "the log");
}
