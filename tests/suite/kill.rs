//! `kill -9` between any two webhooks of the demo's story.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::engine::ports_and_store;
use crate::harness::{Backend, SECRET, event_of, story};
use crate::process::Process;
use crate::store_probe::Probe;

fn configuration(folder: &Path, backend: &Backend) -> std::path::PathBuf {
    let file = folder.join("config.toml");
    let text = format!("{}{}", ports_and_store(folder), backend.entry("metrics"));
    std::fs::write(&file, text).unwrap();
    file
}

/// The completed failures that the backend has once nothing is left to send: the last request of each id.
async fn held_by(backend: &mut Backend, store: &Path) -> std::collections::BTreeMap<String, Value> {
    let mut held = std::collections::BTreeMap::new();
    Probe::open(store).until(Probe::is_drained).await;
    while let Some(request) = backend.try_next() {
        let attributes = request.attributes();
        held.insert(attributes["id"].as_str().unwrap().to_owned(), attributes);
    }
    // This failure was sent before its merge arrived, or was never sent. Both are correct.
    held.retain(|id, failure: &mut Value| {
        *id != "pagerduty:Q0LATER0STORYB" && failure["finished_at"].is_i64()
    });
    held
}

#[tokio::test]
async fn kills_between_steps_do_not_change_what_the_backend_has() {
    let mut held = Vec::new();
    let webhooks = story();
    for kill_each_time in [false, true] {
        let mut backend = Backend::start().await;
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), &backend);
        let (mut process, mut listening) = Process::start(&config);
        for webhook in &webhooks {
            assert_eq!(listening.deliver(webhook).await, 202);
            if kill_each_time {
                process.kill();
                (process, listening) = Process::start(&config);
            }
        }
        let store = folder.path().join("pagerduty-dora.db");
        held.push(held_by(&mut backend, &store).await);
        process.terminate();
        // A schema of PostgreSQL has no file.
        assert!(!store.with_extension("db-wal").exists(), "an orderly end leaves nothing to recover");
        let probe = Probe::open(&store);
        probe.assert_intact();
        assert_eq!(probe.events(), 36, "37 webhooks, one of them twice");
    }
    assert_eq!(held[0], held[1]);
    assert_eq!(held[0].len(), 10);
}

/// A listener without `accept` takes connections and requests, and never answers.
#[tokio::test]
async fn sigterm_ends_the_program_while_a_backend_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "{}[[backend]]\nname = \"silent\"\nkind = \"http\"\nurl = \"http://{}\"\ntimeout = \"1s\"\n",
        ports_and_store(folder.path()),
        silent.local_addr().unwrap()
    );
    std::fs::write(&config, text).unwrap();
    let (process, listening) = Process::start(&config);
    assert_eq!(listening.deliver(&event_of("incident.resolved", "QSILENT001")).await, 202);
    let probe = Probe::open(&folder.path().join("pagerduty-dora.db"));
    probe.until(|store| store.attempts() > 0).await;
    process.terminate();
    assert_eq!(probe.failed_and_pending(), 1);
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(
        &config,
        ports_and_store(folder.path()).replacen("127.0.0.1:0", &taken.local_addr().unwrap().to_string(), 1),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(["--config", config.to_str().unwrap(), "serve"])
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&taken.local_addr().unwrap().to_string()));
}
