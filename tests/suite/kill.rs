//! `kill -9` between any two steps of the story.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pagerduty_dora::pagerduty::signature::sign;
use serde_json::Value;

use crate::harness::{Backend, PATIENCE, SECRET, client, story};

/// A daemon in a process of its own.
struct Process {
    child: Child,
    public: SocketAddr,
}

impl Process {
    /// Starts `serve`, and returns once it says that it is ready.
    fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
            .args(["--config", config.to_str().unwrap(), "serve"])
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready =
            lines.by_ref().map(Result::unwrap).find(|line| line.contains("ready")).expect("it ended early");
        std::thread::spawn(move || lines.for_each(drop));
        let address = ready.split("public=").nth(1).unwrap().split(' ').next().unwrap();
        Self { child, public: address.parse().unwrap() }
    }

    async fn deliver(&self, body: &str) -> u16 {
        let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
        let url = format!("http://{}/webhooks/pagerduty", self.public);
        let request = client().post(url).header("x-pagerduty-signature", signature).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    fn terminate(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "SIGTERM drains and exits 0");
    }
}

fn configuration(folder: &Path, backend: &Backend) -> std::path::PathBuf {
    let file = folder.join("config.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{}",
        backend.entry("metrics")
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// The completed failures that the backend holds once nothing is left to be told: the last of each id.
async fn held_by(backend: &mut Backend, store: &Path) -> std::collections::BTreeMap<String, Value> {
    let db = rusqlite::Connection::open(store).unwrap();
    let is_told = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'pending')
        AND (SELECT max(id) FROM event WHERE event_type <> 'pagey.ping') <= (SELECT up_to FROM folded)";
    let mut held = std::collections::BTreeMap::new();
    while !db.query_row(is_told, [], |row| row.get::<_, bool>(0)).unwrap() {
        tokio::task::yield_now().await;
    }
    while let Some(request) = backend.try_next() {
        let attributes = request.attributes();
        held.insert(attributes["id"].as_str().unwrap().to_owned(), attributes);
    }
    // Told before it was merged away, unless the merge was faster.
    held.retain(|id, failure: &mut Value| {
        *id != "pagerduty:Q0LATER0STORYB" && failure["finished_at"].is_i64()
    });
    held
}

#[tokio::test]
async fn killed_between_any_two_steps_the_same_failures_reach_the_backend() {
    let mut held = Vec::new();
    let webhooks = story();
    for kill_each_time in [false, true] {
        let mut backend = Backend::start().await;
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), &backend);
        let mut process = Process::start(&config);
        for webhook in &webhooks {
            assert_eq!(process.deliver(webhook).await, 202);
            if kill_each_time {
                process.kill();
                process = Process::start(&config);
            }
        }
        let store = folder.path().join("pagerduty-dora.db");
        held.push(tokio::time::timeout(PATIENCE, held_by(&mut backend, &store)).await.unwrap());
        process.terminate();
        assert!(!store.with_extension("db-wal").exists(), "an orderly end leaves nothing to recover");
        let db = rusqlite::Connection::open(store).unwrap();
        let intact: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(intact, "ok");
        let events: i64 = db.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
        assert_eq!(events, 36, "37 webhooks, one of them twice");
    }
    assert_eq!(held[0], held[1]);
    assert_eq!(held[0].len(), 10);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, format!("[server]\nlisten = \"{}\"\n", taken.local_addr().unwrap())).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(["--config", config.to_str().unwrap(), "serve"])
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&taken.local_addr().unwrap().to_string()));
}
