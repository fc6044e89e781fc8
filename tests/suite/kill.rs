//! `kill -9` between any two steps of the story.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pagerduty_dora::pagerduty::signature::sign;
use serde_json::Value;

use crate::harness::{Backend, SECRET, client, story};

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

/// The completed failures that the backend holds at the end: the last of each id.
async fn told(backend: &mut Backend, ids: usize) -> std::collections::BTreeMap<String, Value> {
    let mut held: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    // Told before it was merged away, unless the merge was faster.
    let counts = |(id, failure): &(&String, &Value)| {
        *id != "pagerduty:Q0LATER0STORYB" && failure["finished_at"].is_i64()
    };
    while held.iter().filter(counts).count() < ids {
        let attributes = backend.next().await.attributes();
        held.insert(attributes["id"].as_str().unwrap().to_owned(), attributes);
    }
    while let Some(request) = backend.try_next() {
        let attributes = request.attributes();
        held.insert(attributes["id"].as_str().unwrap().to_owned(), attributes);
    }
    held.into_iter().filter(|(id, failure)| counts(&(id, failure))).collect()
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
        held.push(told(&mut backend, 9).await);
        process.terminate();
        let store = folder.path().join("pagerduty-dora.db");
        assert!(!store.with_extension("db-wal").exists(), "an orderly end leaves nothing to recover");
        let db = rusqlite::Connection::open(store).unwrap();
        let intact: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(intact, "ok");
        let events: i64 = db.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
        assert_eq!(events, 32, "33 webhooks, one of them twice");
    }
    assert_eq!(held[0], held[1]);
    assert_eq!(held[0].len(), 9);
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
