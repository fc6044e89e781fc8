//! Stores of earlier versions open and work.
//!
//! `fixtures/store` has a small store of each schema, as SQL. `WRITE_FIXTURE_STORE=1 cargo test --test suite
//! fixture_store` writes the store of the newest schema. Once a schema is released, its store never changes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::deployments::deploy;
use crate::engine::is_only_of_sqlite;
use crate::harness::{Backend, Daemon, KEY, Program, event_of, stdout};
use crate::store_edit::{self, sql};
use crate::store_probe::Probe;
use crate::ways_in::hooks::{self, Hooks};

/// Webhooks of the demo's story that fill the stores: plain, reopened, open, ignored and merged incidents.
const WEBHOOKS: [&str; 13] = [
    "01-plain-triggered",
    "02-plain-acknowledged",
    "04-plain-resolved",
    "05-plain-resolved-again",
    "13-reopened-triggered",
    "14-reopened-resolved",
    "15-reopened-reopened",
    "17-open-triggered",
    "19-ping",
    "20-noise-triggered",
    "22-merged-source-triggered",
    "23-merged-target-triggered",
    "24-merged-source-merged",
];

/// A failure of the story, and the changes related to it.
const RELATED: &str = "pagerduty:Q0PLAIN0STORY1";
const CHANGES: &str = r#"[{"id":"01F0CHANGE0STORY","at":"2026-11-02T09:10:00.315Z","summary":"checkout 1.42.0 deployed","source":"deploy","services":["Checkout API"],"reason":"most_recent"}]"#;

/// SHA-256 of each released migration.
const RELEASED: [(&str, &str); 1] =
    [("0001_initial.sql", "756d0ee49f4390a1a81c0db8479a28ef03c0fc7fc91c4418e8d66a1096e01920")];

/// The first schema with deployments that sources told of.
const FIRST_WITH_TOLD: u32 = 3;

/// Advice if the store of the newest schema is missing or out of date.
const ADVICE: &str =
    "write fixtures/store anew with WRITE_FIXTURE_STORE=1 cargo test --test suite fixture_store";

/// The newest schema. Its file is named after it.
fn newest() -> u32 {
    pagerduty_dora::store::SCHEMA
}

fn file(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/store/schema-{schema}.sql"))
}

pub(crate) fn read(schema: u32) -> String {
    std::fs::read_to_string(file(schema)).unwrap_or_else(|error| panic!("{ADVICE}: {error}"))
}

pub(crate) fn configuration(backend: &Backend) -> String {
    let rule = "[[rule]]\nname = \"low urgency is noise\"\nurgency = [\"low\"]\naction = \"ignore\"\n";
    let marks =
        format!("deployments = true\nchange_failures = true\napplication_key = {{ value = \"{KEY}\" }}\n");
    format!("{rule}{}{}{marks}", hooks::CONFIGURATION, backend.entry("metrics"))
}

/// A daemon whose store has rows in every table that survives a restart.
async fn filled() -> Daemon {
    let backend = Backend::start().await;
    filled_under(&configuration(&backend), &backend).await
}

/// The same, under this configuration, which forwards to the backend.
pub(crate) async fn filled_under(configuration: &str, backend: &Backend) -> Daemon {
    backend.will_answer(&[(400, &[])]);
    let daemon = Daemon::start(configuration).await;
    for name in WEBHOOKS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/story/{name}.json"));
        daemon.deliver(std::fs::read(path).unwrap()).await;
    }
    daemon.expect("<b>not</b> understood", "quarantined").await;
    deploy(
        &daemon,
        "v1",
        "08:00",
        json!({ "started_at": "2026-11-02T09:00:00Z", "custom_tags": ["tier:1"] }),
    )
    .await;
    deploy(&daemon, "v2", "09:00", json!({ "env": "staging" })).await;
    let mut hooks = Hooks::default();
    for (state, number, at) in
        [("in_progress", 7, "10:01:05"), ("success", 7, "10:03:30"), ("failure", 8, "11:00:00")]
    {
        hooks::deliver_github(&daemon, &hooks.github(state, number, at), "accepted").await;
    }
    let attributes = json!({
        "id": "submitted-by-a-script", "services": ["search"], "env": "production", "severity": "SEV-2",
        "name": "search: no results", "started_at": "2026-11-02T10:00:00Z", "finished_at": "2026-11-02T10:20:00Z",
        "git": { "commit_sha": "0123456789abcdef0123456789abcdef01234567", "repository_url": "https://github.com/acme/search" },
    });
    let answer =
        daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": attributes } })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    daemon.until(Probe::is_drained).await;
    store_edit::relate_change(&daemon.store, RELATED, CHANGES);
    daemon
}

#[test]
fn released_migrations_never_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/engine/migrations");
    for (name, digest) in RELEASED {
        let migration = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(
            hex::encode(Sha256::digest(migration)),
            digest,
            "{name} is released: add a migration instead"
        );
    }
}

#[tokio::test]
async fn the_fixture_of_the_newest_schema_is_up_to_date() {
    if is_only_of_sqlite("stores of earlier schemas, which only SQLite has") {
        return;
    }
    let daemon = filled().await;
    let store = daemon.store.clone();
    let folder = daemon.stop_and_keep().await;
    if std::env::var_os("WRITE_FIXTURE_STORE").is_some() {
        std::fs::create_dir_all(file(newest()).parent().unwrap()).unwrap();
        std::fs::write(file(newest()), sql::as_sql(&store)).unwrap();
    }
    let kept = folder.path().join("kept.db");
    sql::put(&kept, &read(newest()));
    assert_eq!(sql::schema(&kept), sql::schema(&store), "the schema has changed: {ADVICE}");
    assert_eq!(sql::filled_tables(&kept), sql::filled_tables(&store), "a table is empty: {ADVICE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_every_schema_opens_and_works() {
    if is_only_of_sqlite("stores of earlier schemas, which only SQLite has") {
        return;
    }
    for schema in 1..=newest() {
        let backend = Backend::start().await;
        let configuration = configuration(&backend);
        let daemon = Daemon::start(&configuration).await;
        let store = daemon.store.clone();
        let daemon = daemon.restart_after(&configuration, || sql::put(&store, &read(schema))).await;

        let failures = daemon.failures().await;
        insta::assert_snapshot!(format!("failures_of_schema_{schema}"), listing(&failures));
        for failure in &failures {
            let id = failure["id"].as_str().unwrap();
            let explained = daemon.get(&format!("/api/v1/failures/{id}")).await.json();
            assert_eq!(&explained["failure"], failure);
            let has_events =
                explained["events"].as_array().unwrap().is_empty() != (failure["source"] == "pagerduty");
            let related = (id == RELATED).then(|| serde_json::from_str::<Value>(CHANGES).unwrap());
            assert_eq!(explained["related_changes"], json!(related));
            assert!(has_events && !explained["why"].as_array().unwrap().is_empty(), "{explained}");
        }
        let outbox = daemon.get("/api/v1/outbox?limit=1000").await.json();
        let of_state = |state: &str| {
            outbox["rows"].as_array().unwrap().iter().filter(|row| row["state"] == state).count()
        };
        assert!(of_state("sent") >= 5 && of_state("dead") == 1, "{outbox}");
        let quarantine = daemon.get("/api/v1/quarantine").await.json();
        assert_eq!(quarantine["rows"][0]["bytes"], "<b>not</b> understood".len());
        let report = daemon.get("/api/v1/report?since=2026-11-01&env=all&by=none").await.json();
        let is_told = schema >= FIRST_WITH_TOLD;
        assert_eq!(report["rows"][0]["deployments"], if is_told { 3 } else { 2 }, "{report}");
        let ignored = daemon.get("/api/v1/deployments?ignored=true").await.json();
        let reason = if is_told { json!("it failed") } else { Value::Null };
        assert_eq!(ignored["deployments"][0]["reason"], reason, "{ignored}");

        let failed = daemon.get("/api/v1/deployments?failed=true").await.json()["deployments"].clone();
        assert_eq!((failed.as_array().unwrap().len(), &failed[0]["version"]), (1, &json!("v1")), "{failed}");

        // All facts can be read, and still give the same failures.
        let again = Program::of(&daemon).run(&configuration, &["reevaluate", "--format", "json"]);
        let again: Value = serde_json::from_str(&stdout(&again)).unwrap();
        assert_eq!(again["looked_at"], failures.len());
        assert_eq!(listing(&daemon.failures().await), listing(&failures));

        let open = failures.iter().find(|failure| failure["state"] == "open").unwrap();
        let mut resolve: Value =
            serde_json::from_str(&event_of("incident.resolved", open["incident"].as_str().unwrap())).unwrap();
        resolve["event"]["occurred_at"] = "2026-11-02T23:00:00Z".into();
        daemon.expect(resolve.to_string(), "accepted").await;
        let ended = daemon.failures().await.into_iter().find(|failure| failure["id"] == open["id"]).unwrap();
        assert_ne!(ended["finished_at"], Value::Null, "{ended}");
    }
}

/// The most important fields of each failure, one failure a line.
fn listing(failures: &[Value]) -> String {
    let line = |failure: &Value| {
        let fields =
            ["id", "state", "started_at", "finished_at", "services", "severity", "merged_into", "deployment"];
        fields.map(|field| failure[field].to_string()).join(" ")
    };
    failures.iter().map(line).collect::<Vec<_>>().join("\n")
}
