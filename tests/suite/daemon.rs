//! A daemon with its store on PostgreSQL, and the webhooks that it is sent.

use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{PATIENCE, event_of};
use crate::kill_under_load::no_panic;
use crate::process::{Listening, Process};

/// PagerDuty gives up after this time.
pub(crate) const PAGERDUTY_WAITS: Duration = Duration::from_secs(5);

pub(crate) struct Daemon {
    /// `None` once it has ended.
    process: Option<Process>,
    client: Client,
    _folder: TempDir,
}

/// A client that delivers webhooks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) listening: Listening,
    http: reqwest::Client,
}

impl Client {
    /// Delivers the event `triggered` of an incident. Returns the status of the answer.
    pub(crate) async fn deliver(&self, incident: &str) -> u16 {
        self.deliver_type("incident.triggered", incident).await
    }

    /// Delivers an event of this type.
    pub(crate) async fn deliver_type(&self, event_type: &str, incident: &str) -> u16 {
        self.listening.deliver_by(&self.http, &event_of(event_type, incident)).await
    }

    /// The answer of the admin listener to a GET request.
    pub(crate) async fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.listening.admin);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }
}

impl Daemon {
    /// Starts a daemon with this store. `more` is appended to its configuration.
    pub(crate) fn start(url: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{url}\"\n{more}"
        );
        std::fs::write(&config, text).unwrap();
        let (process, listening) = Process::start(&config);
        Self { process: Some(process), client: Client { listening, http: http() }, _folder: folder }
    }

    /// Runs a command on this store, with no daemon to ask. Returns its exit status and its messages.
    pub(crate) fn command(url: &str, more: &str, arguments: &[&str]) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        std::fs::write(
            &config,
            format!("[admin]\nlisten = \"127.0.0.1:1\"\n[store]\nurl = \"{url}\"\n{more}"),
        )
        .unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().unwrap().signal(name);
    }

    /// Waits for a line of its log that contains this text.
    pub(crate) fn line_with(&mut self, text: &str) {
        self.process.as_mut().unwrap().line_with(text);
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        no_panic(&self.process.take().unwrap().kill());
    }

    /// Ends it in order. Returns its log.
    pub(crate) fn terminate(mut self) -> String {
        let log = self.process.take().unwrap().terminate();
        no_panic(&log);
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A test that fails shows what the daemon says.
        if let Some(process) = self.process.take_if(|_| std::thread::panicking()) {
            let (status, stderr) = process.end();
            println!("{status}: {stderr}");
        }
    }
}

/// An HTTP client that makes a connection for each request. A connection that is kept may be closed by the daemon at the
/// moment when it is used again.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    builder.pool_max_idle_per_host(0).build().unwrap()
}

/// Query for the incidents whose event `triggered` is stored.
pub(crate) const STORED: &str = "SELECT substr(event_id, strpos(event_id, '-') + 1) FROM event WHERE event_type = 'incident.triggered' ORDER BY 1;";
