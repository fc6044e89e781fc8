//! A daemon on its own ports, with a clock that the test sets, and a backend whose answers the test chooses.

mod eventually;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use pagerduty_dora::Embedded;
use pagerduty_dora::clock::{Clock as _, ManualClock};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub(crate) use self::eventually::eventually;
use crate::engine::store_keys;
use crate::store_probe::Probe;

/// Signing secret of test deliveries. Tests check that no output of the daemon contains it.
pub(crate) const SECRET: &str = "canary-secret-of-the-test-suite";
/// Key of the event API of test daemons.
pub(crate) const KEY: &str = "canary-key-of-the-test-suite";
/// Longest time that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Parses a time.
pub(crate) fn time(rfc3339: &str) -> Timestamp {
    Timestamp::parse(rfc3339).unwrap()
}

/// A running daemon, and the folder of its store.
pub(crate) struct Daemon {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: reqwest::Client,
    pub(crate) store: PathBuf,
    folder: Arc<TempDir>,
    running: Embedded,
}

/// A daemon's answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }
}

impl Daemon {
    /// Starts a daemon with this configuration. Ports, store and secrets are added.
    pub(crate) async fn start(configuration: &str) -> Self {
        Self::start_in(
            Arc::new(tempfile::tempdir().unwrap()),
            configuration,
            ManualClock::at(time("2026-11-20T00:00:00Z")),
        )
        .await
        .unwrap()
    }

    async fn start_in(
        folder: Arc<TempDir>,
        configuration: &str,
        clock: Arc<ManualClock>,
    ) -> anyhow::Result<Self> {
        let client = client();
        let store = folder.path().join("store.db");
        let mut config = Config::parse(configuration).unwrap();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.admin.listen = "127.0.0.1:0".parse().unwrap();
        let retention = config.store.retention.clone();
        config.store = Config::parse(&format!("[store]\n{}", store_keys(&store))).unwrap().store;
        config.store.retention = retention;
        config.pagerduty.signing_secrets = secrets(folder.path(), SECRET);
        if !configuration.contains("[events_api]") {
            config.events_api.keys = secrets(folder.path(), KEY);
        }
        let running = Embedded::start(config, clock.clone()).await?;
        let (public, admin) = (running.public, running.admin);
        Ok(Self { public, admin, clock, client, store, folder, running })
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.running.stop().await
    }

    /// Stops it, and returns the folder of its store, which is deleted when dropped.
    pub(crate) async fn stop_and_keep(self) -> Arc<TempDir> {
        let folder = Arc::clone(&self.folder);
        self.stop().await.unwrap();
        folder
    }

    /// Stops it and starts it again with the same store.
    pub(crate) async fn restart(self, configuration: &str) -> Self {
        self.restart_after(configuration, || ()).await
    }

    /// The same, with a call of `change` between the stop and the start.
    pub(crate) async fn restart_after(self, configuration: &str, change: impl FnOnce()) -> Self {
        let (folder, clock) = (Arc::clone(&self.folder), Arc::clone(&self.clock));
        self.stop().await.unwrap();
        change();
        Self::start_in(folder, configuration, clock).await.unwrap()
    }

    /// Delivers a signed webhook.
    pub(crate) async fn deliver(&self, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let signature = sign(&SecretString::from(SECRET), &body);
        self.deliver_with(&[("x-pagerduty-signature", &signature), ("x-webhook-id", "w-1")], body).await
    }

    /// Delivers a webhook with only these headers.
    pub(crate) async fn deliver_with(
        &self,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = format!("http://{}/webhooks/pagerduty", self.public);
        let mut request = self.client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Delivers a signed webhook, and checks that the answer is 202 with this `status`.
    pub(crate) async fn expect(&self, body: impl Into<Vec<u8>>, status: &str) {
        let answer = self.deliver(body).await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some(status)), "{answer:?}");
        self.until_folded().await;
    }

    /// Sends a request to the event API.
    pub(crate) async fn events_api(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("http://{}/api/v2/dora{path}", self.public);
        let request = self.client.request(method.parse().unwrap(), url).header("dd-api-key", KEY);
        let answer = Answer::of(request.body(body.to_string()).send().await.unwrap()).await;
        self.until_folded().await;
        answer
    }

    /// Waits until the failures include every event that was accepted. An answer comes before that.
    pub(crate) async fn until_folded(&self) {
        // Any answer of the admin listener waits for it, and this one reads nothing else.
        assert_eq!(self.get("/openapi.json").await.status, 200);
    }

    /// Sends a GET request to the admin listener.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("http://{}{path}", self.admin)).send().await.unwrap()).await
    }

    /// The failures as the API lists them.
    pub(crate) async fn failures(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/failures?limit=1000").await.json();
        answer["failures"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Opens its store for questions.
    pub(crate) fn probe(&self) -> Probe {
        Probe::open(&self.store)
    }

    /// The first result of `look` once the time of the next attempt has come. No more time passes than that, so that an
    /// attempt that fails is not repeated.
    pub(crate) async fn after_waiting<T>(&self, wanted: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let probe = self.probe();
        eventually(wanted, async || {
            // Read before looking: the result of an attempt may set a later time.
            let next_attempt_at = probe.next_attempt_after(self.clock.now());
            let found = look();
            if found.is_none() {
                if let Some(then) = next_attempt_at {
                    self.clock.advance_to(then);
                }
                self.get("/healthz").await;
            }
            found
        })
        .await
    }

    /// Waits until the store meets a condition.
    #[track_caller]
    pub(crate) fn until(&self, is_met: impl Fn(&Probe) -> bool) -> impl Future<Output = ()> {
        self.until_as_time_passes(Duration::ZERO, is_met)
    }

    /// Advances the clock, step by step, until the store meets a condition.
    #[track_caller]
    pub(crate) fn until_as_time_passes(
        &self,
        step: Duration,
        is_met: impl Fn(&Probe) -> bool,
    ) -> impl Future<Output = ()> {
        let (at, probe) = (Location::caller(), self.probe());
        async move {
            let look = async || {
                if is_met(&probe) {
                    return Some(());
                }
                self.clock.advance(step);
                self.get("/healthz").await;
                None
            };
            eventually(probe.as_wanted_at(at), look).await;
        }
    }
}

/// Commands of the program, configured with the store and admin listener of a daemon that may have ended.
pub(crate) struct Program {
    folder: TempDir,
    store: PathBuf,
    admin: SocketAddr,
}

impl Program {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, store: daemon.store.clone(), admin: daemon.admin }
    }

    /// Runs a command with this configuration. Store and admin listener are added.
    pub(crate) fn run(&self, configuration: &str, arguments: &[&str]) -> Output {
        self.command(configuration, arguments).output().unwrap()
    }

    /// The same command, not yet started.
    pub(crate) fn command(&self, configuration: &str, arguments: &[&str]) -> Command {
        let file = self.folder.path().join("config.toml");
        let (store, admin) = (store_keys(&self.store), self.admin);
        let text = format!("{configuration}\n[store]\n{store}[admin]\nlisten = \"{admin}\"\n");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
        command.args(["--config", file.to_str().unwrap()]).args(arguments);
        command
    }
}

/// Standard output of a command, which must have succeeded.
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Writes a secret to a file, and returns its entry in the configuration.
fn secrets(folder: &Path, secret: &str) -> Vec<pagerduty_dora::config::Secret> {
    let file = folder.join(secret);
    std::fs::write(&file, secret).unwrap();
    vec![pagerduty_dora::config::Secret::File { file }]
}

/// An HTTP client without a proxy.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// A metrics backend that gives the scripted answers, then 200, and records every request.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    script: Script,
    requests: mpsc::UnboundedReceiver<Request>,
}

/// A request that the backend received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// `data.attributes`.
    pub(crate) fn attributes(&self) -> Value {
        let body: Value = serde_json::from_slice(&self.bytes).unwrap();
        body["data"]["attributes"].clone()
    }
}

type Script = Arc<Mutex<VecDeque<(u16, &'static [(&'static str, &'static str)])>>>;

impl Backend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::unbounded_channel();
        let script = Script::default();
        let router = Router::new().fallback(Self::answer).with_state((Arc::clone(&script), seen));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, script, requests }
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn answer(
        State((script, seen)): State<(Script, mpsc::UnboundedSender<Request>)>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: bytes::Bytes,
    ) -> (StatusCode, HeaderMap, &'static str) {
        let (status, extra) = script.lock().unwrap().pop_front().unwrap_or((200, &[]));
        let mut answer_headers = HeaderMap::new();
        for (name, value) in extra {
            answer_headers.insert(*name, value.parse().unwrap());
        }
        let _ = seen.send(Request { line: format!("{method} {uri}"), headers, bytes: body.to_vec() });
        (StatusCode::from_u16(status).unwrap(), answer_headers, "{\"errors\":[\"scripted\"]}")
    }

    /// Adds answers to the script. After them it answers 200 again.
    pub(crate) fn will_answer(&self, answers: &[(u16, &'static [(&'static str, &'static str)])]) {
        self.script.lock().unwrap().extend(answers);
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) -> Request {
        self.next_within(PATIENCE).await
    }

    /// The same, with a limit for the wait.
    pub(crate) async fn next_within(&mut self, limit: Duration) -> Request {
        tokio::time::timeout(limit, self.requests.recv()).await.expect("no request").unwrap()
    }

    /// The next request, if it has arrived already.
    pub(crate) fn try_next(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// `true` if no request has arrived since the last one that was returned.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// The `[[backend]]` entry that forwards to it.
    pub(crate) fn entry(&self, name: &str) -> String {
        format!(
            "[[backend]]\nname = \"{name}\"\nkind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"{KEY}\" }}\n",
            self.address
        )
    }
}

/// The fixture of an event type.
pub(crate) fn fixture(event_type: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/pagerduty/{event_type}.json"));
    std::fs::read_to_string(file).unwrap()
}

/// The fixture of an event type for this incident, with an event id of its own.
pub(crate) fn event_of(event_type: &str, incident: &str) -> String {
    let mut body: Value = serde_json::from_str(&fixture(event_type)).unwrap();
    body["event"]["id"] = format!("{}-{incident}", body["event"]["id"].as_str().unwrap()).into();
    body.to_string().replace("Q1FXSAMPLE0001", incident)
}

/// The webhooks of the demo's story, in order.
pub(crate) fn story() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/story");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}
