//! Forwarding of deployments: the requests to each kind of backend, and when they are sent again.

use serde_json::{Value, json};

use crate::backends::{entry, json_of, shown};
use crate::deployments::deploy;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, KEY};

const ID: &str = "deployment:checkout:42";

/// All attributes that a deployment can have.
fn details() -> Value {
    json!({
        "id": ID,
        "finished_at": "2026-11-01T09:05:00.25Z",
        "team": "payments",
        "git": { "commit_sha": "0123456789abcdef0123456789abcdef01234567", "repository_url": "https://github.com/acme/checkout" },
        "custom_tags": ["tier:1", "region:eu"],
    })
}

fn entry_with_deployments(backend: &Backend, kind: &str) -> String {
    entry(backend, kind) + "deployments = true\n"
}

/// Waits until this many rows are finished, and checks that none is pending.
async fn until_finished(daemon: &Daemon, rows: i64) {
    daemon.until(|store| store.finished() >= rows).await;
    assert_eq!(daemon.probe().pending(), 0);
}

#[tokio::test]
async fn each_kind_gets_deployments_in_its_own_form() {
    for kind in ["datadog", "datadog-metrics", "devlake"] {
        let mut backend = Backend::start().await;
        let daemon = Daemon::start(&entry_with_deployments(&backend, kind)).await;
        daemon.clock.set(crate::harness::time("2026-11-01T09:10:00Z"));
        deploy(&daemon, "v42", "09:00", details()).await;
        insta::assert_snapshot!(format!("{kind}_deployment"), shown(&backend.next().await));
        until_finished(&daemon, 1).await;
        assert!(backend.is_quiet());
    }
}

#[tokio::test]
async fn an_unchanged_deployment_is_not_sent_again_and_a_changed_one_is() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&entry_with_deployments(&backend, "datadog")).await;
    deploy(&daemon, "v42", "09:00", details()).await;
    let first = backend.next().await.attributes();
    deploy(&daemon, "v42", "09:00", details()).await;
    deploy(&daemon, "v43", "09:00", details()).await;
    let replaced = backend.next().await.attributes();
    assert_eq!((&first["id"], &first["version"]), (&json!(ID), &json!("v42")));
    assert_eq!((&replaced["id"], &replaced["version"]), (&json!(ID), &json!("v43")));
    until_finished(&daemon, 2).await;
    let rows = daemon.get("/api/v1/outbox").await.json()["rows"].clone();
    assert_eq!(
        (&rows[1]["revision"], &rows[1]["failure"], &rows[1]["deployment"]),
        (&json!(2), &Value::Null, &json!(ID))
    );
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_deployment_that_was_never_accepted_is_replaced_even_after_a_restart() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(403, &[])]);
    let configuration = entry_with_deployments(&backend, "datadog");
    let daemon = Daemon::start(&configuration).await;
    deploy(&daemon, "v42", "09:00", details()).await;
    backend.next().await;
    daemon.until(|store| store.answered_with(403) > 0).await;
    deploy(&daemon, "v43", "09:00", details()).await;
    assert_eq!(daemon.probe().superseded(), 1);
    backend.will_answer(&[(503, &[])]);
    let daemon = daemon.restart(&configuration).await;
    let first = next_after_waiting(&daemon, &mut backend).await;
    assert_eq!(first.attributes()["version"], "v43");
    daemon.until(|store| store.answered_with(503) > 0).await;
    assert_eq!(
        next_after_waiting(&daemon, &mut backend).await.bytes,
        first.bytes,
        "a retry sends the same bytes"
    );
    until_finished(&daemon, 1).await;
}

#[tokio::test]
async fn a_backend_gets_only_deployments_that_its_filter_and_configuration_allow() {
    let (mut filtered, mut silent) = (Backend::start().await, Backend::start().await);
    let own = entry_with_deployments(&filtered, "datadog")
        + &format!("application_key = {{ value = \"{KEY}-2\" }}\n")
        + "services = [\"Checkout API\"]\nteams = [\"payments\"]\nenvs = [\"production\"]\n";
    let daemon = Daemon::start(&(own + &silent.entry("silent"))).await;
    for other in
        [json!({ "service": "Search" }), json!({ "env": "staging" }), json!({ "team": "storefront" })]
    {
        let mut more = json!({ "team": "payments" });
        more.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        deploy(&daemon, "v1", "09:00", more).await;
    }
    deploy(&daemon, "v42", "09:00", details()).await;
    assert_eq!(filtered.next().await.attributes()["id"], ID);
    until_finished(&daemon, 1).await;
    let mut moved = details();
    moved["service"] = "Search".into();
    deploy(&daemon, "v42", "09:00", moved.clone()).await;
    let deleted = filtered.next().await;
    assert_eq!(deleted.line, format!("DELETE /api/v2/dora/deployment/{ID}"));
    assert_eq!(deleted.headers["dd-application-key"], format!("{KEY}-2"));
    deploy(&daemon, "v43", "09:00", moved).await;
    until_finished(&daemon, 2).await;
    assert!(filtered.is_quiet() && silent.is_quiet());
}

#[tokio::test]
async fn devlake_gets_no_deployment_without_a_commit() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&entry_with_deployments(&backend, "devlake")).await;
    deploy(&daemon, "v41", "08:00", json!({})).await;
    deploy(&daemon, "v42", "09:00", details()).await;
    assert_eq!(json_of(&backend.next().await)["id"], ID);
    until_finished(&daemon, 1).await;
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_counted_deployment_is_not_counted_again() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&entry_with_deployments(&backend, "datadog-metrics")).await;
    deploy(&daemon, "v42", "09:00", details()).await;
    backend.next().await;
    until_finished(&daemon, 1).await;
    let mut later = details();
    later["finished_at"] = "2026-11-01T09:30:00Z".into();
    deploy(&daemon, "v42", "09:00", later.clone()).await;
    deploy(&daemon, "v42", "09:00", later).await;
    until_finished(&daemon, 2).await;
    assert!(backend.is_quiet(), "a sample cannot be changed");
}
