//! The configuration is read again while the daemon works: all of it, or nothing.

mod deployments;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pagerduty_dora::Embedded;
use pagerduty_dora::clock::ManualClock;
use pagerduty_dora::config::Config;
use pagerduty_dora::sources::pagerduty::signature::sign;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::engine::{is_postgres, ports_and_store};
use crate::harness::{Answer, Backend, PATIENCE, client, event_of, eventually, time};
use crate::process::{PROGRAM, Process};
use crate::store_probe::Probe;

const OLD: &str = "canary-signing-secret-before";
const NEW: &str = "canary-signing-secret-after";

/// A daemon with a configuration file and a file with its signing secret.
pub(crate) struct Configured {
    folder: TempDir,
    daemon: Embedded,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
}

/// Text of a configuration file.
fn text(folder: &Path, rest: &str) -> String {
    let start = ports_and_store(folder);
    format!("{start}[pagerduty]\nsigning_secrets = [{{ file = \"secret\" }}]\n{rest}")
}

impl Configured {
    pub(crate) async fn start(rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text(folder.path(), rest)).unwrap();
        std::fs::write(folder.path().join("secret"), OLD).unwrap();
        let clock = ManualClock::at(time("2026-11-20T00:00:00Z"));
        let daemon = Embedded::start(Config::read(&file).unwrap(), clock.clone()).await.unwrap();
        Self { folder, daemon, clock, client: client() }
    }

    /// Address of the public listener.
    pub(crate) fn public(&self) -> std::net::SocketAddr {
        self.daemon.public
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Writes the configuration and has the daemon read it.
    pub(crate) async fn reload(&self, rest: &str) -> Answer {
        self.write("config.toml", &text(self.folder.path(), rest));
        let url = format!("http://{}/api/v1/reload", self.daemon.admin);
        Answer::of(self.client.post(url).send().await.unwrap()).await
    }

    /// The same. Returns what has changed.
    async fn changes(&self, rest: &str) -> Vec<String> {
        let answer = self.reload(rest).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["needs_restart"], json!([]), "{answer:?}");
        serde_json::from_value(answer.json()["changed"].clone()).unwrap()
    }

    /// Status of the answer to a webhook with this secret.
    async fn deliver(&self, incident: &str, secret: &str) -> u16 {
        let body = event_of("incident.resolved", incident);
        let signature = sign(&secret.to_owned().into(), body.as_bytes());
        let url = format!("http://{}/webhooks/pagerduty", self.daemon.public);
        let request = self.client.post(url).header("x-pagerduty-signature", signature);
        request.body(body).send().await.unwrap().status().as_u16()
    }

    async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.daemon.admin);
        Answer::of(self.client.get(url).send().await.unwrap()).await
    }

    async fn failure(&self, incident: &str) -> Value {
        self.get(&format!("/api/v1/failures/{incident}")).await.json()["failure"].clone()
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("pagerduty-dora.db")
    }
}

#[tokio::test]
async fn a_rotated_secret_takes_effect_on_open_connections() {
    let daemon = Configured::start("").await;
    assert_eq!(daemon.deliver("QBEFORE0001", OLD).await, 202);
    assert!(daemon.changes("").await.is_empty(), "nothing has changed");
    daemon.write("secret", NEW);
    assert_eq!(daemon.deliver("QBEFORE0002", NEW).await, 401, "it is not read before the reload");
    assert_eq!(daemon.changes("").await, ["pagerduty.signing_secrets"]);
    assert_eq!(daemon.deliver("QAFTER00001", OLD).await, 401);
    assert_eq!(daemon.deliver("QAFTER00002", NEW).await, 202);
    let metrics = daemon.get("/metrics").await.body;
    let accepted = "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"accepted\"} 2";
    assert!(metrics.contains(accepted), "counters go on: {metrics}");
}

#[tokio::test]
async fn a_wrong_configuration_changes_nothing() {
    let daemon = Configured::start("").await;
    daemon.write("secret", "short");
    let rule = "[[rule]]\nname = \"tests\"\nservice = [\"Checkout\"]\naction = \"ignore\"\n";
    let answer = daemon.reload(&format!("{rule}[log]\nlevel = \"loud\"\n")).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json()["error"], "wrong_configuration");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("config.toml:14: log.level") && detail.contains("5 bytes long"), "{detail}");
    let answer = daemon.reload(rule).await;
    assert_eq!(answer.status, 422, "the secret is still too short: {answer:?}");
    assert_eq!(daemon.deliver("QSTILL00001", OLD).await, 202, "the old secret is still in use");
    assert_ne!(daemon.failure("QSTILL00001").await["state"], "ignored", "and so are the old rules");
    std::fs::remove_file(daemon.folder.path().join("config.toml")).unwrap();
    let url = format!("http://{}/api/v1/reload", daemon.daemon.admin);
    assert_eq!(daemon.client.post(url).send().await.unwrap().status(), 422);
}

#[tokio::test]
async fn rules_decide_about_new_failures() {
    let daemon = Configured::start("").await;
    assert_eq!(daemon.deliver("QCOUNTS0001", OLD).await, 202);
    let rule = "[[rule]]\nname = \"tests\"\nall = true\naction = \"ignore\"\n";
    assert_eq!(daemon.changes(rule).await, ["rule \"tests\""]);
    assert_eq!(daemon.deliver("QIGNORED001", OLD).await, 202);
    assert_eq!(daemon.failure("QIGNORED001").await["state"], "ignored");
    assert_ne!(daemon.failure("QCOUNTS0001").await["state"], "ignored", "the past needs `reevaluate`");
    let policy = Config::parse(&text(daemon.folder.path(), rule)).unwrap().policy().fingerprint();
    let url = format!("http://{}/api/v1/reevaluate?policy={policy}", daemon.daemon.admin);
    assert_eq!(daemon.client.post(url).send().await.unwrap().status(), 200);
    assert_eq!(daemon.failure("QCOUNTS0001").await["state"], "ignored");
}

#[tokio::test]
async fn backends_come_go_and_move() {
    let (mut first, mut second) = (Backend::start().await, Backend::start().await);
    let daemon = Configured::start("").await;
    assert_eq!(daemon.changes(&first.entry("metrics")).await, ["backend \"metrics\""]);
    assert_eq!(daemon.deliver("QFIRST00001", OLD).await, 202);
    first.next().await;
    assert_eq!(daemon.changes(&second.entry("metrics")).await, ["backend \"metrics\".url"]);
    assert_eq!(daemon.deliver("QSECOND0001", OLD).await, 202);
    second.next().await;
    let both = format!("{}{}", first.entry("other"), second.entry("metrics"));
    assert_eq!(daemon.changes(&both).await, ["backend \"other\""]);
    assert_eq!(daemon.deliver("QBOTH000001", OLD).await, 202);
    first.next().await;
    second.next().await;
    assert_eq!(daemon.changes("").await, ["backend \"metrics\"", "backend \"other\""]);
    assert_eq!(daemon.deliver("QNOBODY0001", OLD).await, 202);
    let metrics = daemon.get("/metrics").await.body;
    assert!(!metrics.contains("backend_state{backend="), "{metrics}");
    let store = daemon.store();
    daemon.daemon.stop().await.unwrap();
    assert!(first.is_quiet() && second.is_quiet());
    assert_eq!(Probe::open(&store).pending(), 0);
}

#[tokio::test]
async fn a_row_that_waits_for_a_dead_backend_is_sent_to_its_new_address() {
    let mut backend = Backend::start().await;
    // Nobody listens at this address.
    let nowhere = backend.entry("metrics").replace(&backend.address.to_string(), "127.0.0.1:9");
    let daemon = Configured::start(&nowhere).await;
    assert_eq!(daemon.deliver("QWAITS00001", OLD).await, 202);
    let probe = Probe::open(&daemon.store());
    eventually("a failed attempt", async || (probe.attempts() > 0).then_some(())).await;
    assert_eq!(daemon.changes(&backend.entry("metrics")).await, ["backend \"metrics\".url"]);
    let retry = format!("http://{}/api/v1/outbox/1/retry", daemon.daemon.admin);
    assert_eq!(daemon.client.post(retry).send().await.unwrap().status(), 200);
    assert!(backend.next().await.attributes()["name"].is_string());
}

#[tokio::test]
async fn an_attempt_that_hangs_during_a_reload_is_repeated() {
    let mut backend = Backend::start().await;
    // Accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = backend
        .entry("metrics")
        .replace(&backend.address.to_string(), &silent.local_addr().unwrap().to_string());
    let daemon = Configured::start(&format!("{hangs}timeout = \"2m\"\n")).await;
    assert_eq!(daemon.deliver("QHANGS00001", OLD).await, 202);
    let (connection, _) = silent.accept().await.unwrap();
    assert_eq!(
        daemon.changes(&backend.entry("metrics")).await,
        ["backend \"metrics\".timeout", "backend \"metrics\".url"]
    );
    // The replaced loop waits for its attempt, and then cuts it off.
    let repeated = eventually("the request at the new address", async || {
        daemon.clock.advance(Duration::from_secs(1));
        daemon.get("/healthz").await;
        backend.try_next()
    });
    repeated.await;
    drop(connection);
}

#[tokio::test]
async fn a_pipe_in_place_of_a_file_is_refused() {
    let daemon = Configured::start("").await;
    let file = daemon.folder.path().join("config.toml");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let url = format!("http://{}/api/v1/reload", daemon.daemon.admin);
    let answer = Answer::of(daemon.client.post(url).send().await.unwrap()).await;
    assert!(answer.status == 422 && answer.body.contains("a pipe or a device, not a file"), "{answer:?}");
    std::fs::remove_file(&file).unwrap();
    let pipe = daemon.folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for rest in ["[outgoing]\ncertificate_authority = \"pipe\"\n", "[failure]\ncatalog = [\"pipe\"]\n"] {
        let answer = daemon.reload(rest).await;
        assert!(answer.status == 422 && answer.body.contains("pipe"), "{answer:?}");
    }
    assert!(daemon.changes("").await.is_empty());
}

#[tokio::test]
async fn reloads_at_once_are_answered_together_or_refused() {
    let daemon = Configured::start("").await;
    let url = format!("http://{}/api/v1/reload", daemon.daemon.admin);
    let reloads: Vec<_> = (0..100).map(|_| tokio::spawn(daemon.client.post(&url).send())).collect();
    let mut statuses = Vec::new();
    for reload in reloads {
        statuses.push(reload.await.unwrap().unwrap().status().as_u16());
    }
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(daemon.deliver("QAFTER00003", OLD).await, 202);
}

#[tokio::test]
async fn changed_catalog_files_take_effect() {
    let daemon = Configured::start("[failure]\ncatalog = [\"*.yaml\"]\n").await;
    daemon.write("checkout.yaml", "apiVersion: v3\nkind: service\nmetadata:\n  name: checkout\n");
    let catalog = "[failure]\ncatalog = [\"*.yaml\"]\n";
    assert_eq!(daemon.changes(catalog).await, ["failure.catalog"]);
    assert!(daemon.changes(catalog).await.is_empty());
}

#[tokio::test]
async fn a_refused_reload_is_shown_until_one_succeeds() {
    let daemon = Configured::start("").await;
    assert_eq!(daemon.reload("nonsense = 1\n").await.status, 422);
    let page = daemon.get("/").await.body;
    assert!(page.contains("The last reload was refused") && page.contains("nonsense"), "{page}");
    assert!(daemon.get("/metrics").await.body.contains("\npagerduty_dora_reload_refused 1\n"));
    assert!(daemon.changes("").await.is_empty());
    assert!(!daemon.get("/").await.body.contains("The last reload was refused"));
    assert!(daemon.get("/metrics").await.body.contains("\npagerduty_dora_reload_refused 0\n"));
}

#[tokio::test]
async fn listeners_and_store_wait_for_a_restart() {
    let daemon = Configured::start("").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = text(elsewhere.path(), "[log]\nlevel = \"debug\"\n");
    let store = if is_postgres() { "store.url" } else { "store.path" };
    daemon.write(
        "config.toml",
        &moved.replace("127.0.0.1:0", "127.0.0.1:1").replacen("127.0.0.1:1", "127.0.0.1:2", 1),
    );
    let url = format!("http://{}/api/v1/reload", daemon.daemon.admin);
    for changed in [json!(["log.level"]), json!([])] {
        let answer = Answer::of(daemon.client.post(&url).send().await.unwrap()).await;
        assert_eq!(answer.json()["changed"], changed);
        assert_eq!(answer.json()["needs_restart"], json!(["admin.listen", "server.listen", store]));
    }
    assert_eq!(daemon.deliver("QSTAYS00001", OLD).await, 202);
    assert!(!elsewhere.path().join("pagerduty-dora.db").exists());
}

#[tokio::test]
async fn a_hang_up_reloads_and_the_log_names_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (folder.path().join("config.toml"), folder.path().join("secret"));
    std::fs::write(&file, text(folder.path(), "")).unwrap();
    std::fs::write(&secret, OLD).unwrap();
    let mut process = Process::spawn_by(Command::new(PROGRAM), &file);
    let listening = process.ready(PATIENCE).expect("the daemon gets ready");
    let hang_up = |process: &mut Process, expected: &str| {
        process.signal("HUP");
        process.line_with(expected);
    };
    hang_up(&mut process, "nothing has changed");
    std::fs::write(&secret, NEW).unwrap();
    std::fs::write(&file, text(folder.path(), "[log]\nlevel = \"debug\"\n")).unwrap();
    hang_up(&mut process, "\"changed\":\"log.level, pagerduty.signing_secrets\"");
    std::fs::write(&file, text(folder.path(), "nonsense = 1\n")).unwrap();
    hang_up(&mut process, "the configuration was not reloaded, and nothing has changed");
    let answer = client().get(format!("http://{}/readyz", listening.admin)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let log = process.terminate();
    assert!(!log.contains("canary"), "{log}");
}
