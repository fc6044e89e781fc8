//! Marks that are switched on later, or off for a while.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{marked, marking, marks, marks_received, sent, unmarked};
use crate::deployments::deploy;
use crate::harness::{Backend, Daemon};

/// The same entry without marks.
fn without_marks(backend: &Backend) -> String {
    marking(backend).replace("change_failures = true\n", "")
}

/// Submits an open failure that the deployment of 08:00 caused.
async fn fail(daemon: &Daemon, id: &str) {
    let failure = json!({ "data": { "attributes": {
        "id": id, "services": ["Checkout API"], "started_at": "2026-11-01T08:30:00Z",
    } } });
    assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
}

async fn withdraw(daemon: &Daemon, id: &str) {
    let answer = daemon.events_api("DELETE", &format!("/failure/{id}"), &Value::Null).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test]
async fn a_failure_from_before_is_not_marked_but_keeps_a_mark() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&without_marks(&backend)).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon, "one-failure-before").await;
    let daemon = daemon.restart(&marking(&backend)).await;
    assert_eq!(marks_received(&daemon, &mut backend).await, BTreeMap::new(), "past failures are not marked");
    fail(&daemon, "one-failure-after").await;
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
    withdraw(&daemon, "one-failure-after").await;
    assert_eq!(
        marks_received(&daemon, &mut backend).await,
        BTreeMap::new(),
        "the other failure is still linked to it"
    );
    withdraw(&daemon, "one-failure-before").await;
    assert_eq!(marks_received(&daemon, &mut backend).await, unmarked(&id));
}

#[tokio::test]
async fn failures_are_linked_even_without_marks() {
    const FAILURES: i64 = 3;
    let backend = Backend::start().await;
    let daemon = Daemon::start(&without_marks(&backend)).await;
    for n in 0..FAILURES {
        fail(&daemon, &format!("a-failure-before-{n:03}")).await;
    }
    assert_eq!(daemon.probe().failures_with_cause(), 0);
    deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(
        daemon.probe().failures_with_cause(),
        FAILURES,
        "failures are linked to a late deployment too"
    );
}

#[tokio::test]
async fn a_deployment_that_was_never_sent_is_sent_before_its_mark() {
    let mut backend = Backend::start().await;
    let without_deployments = without_marks(&backend).replace("deployments = true\n", "");
    let daemon = Daemon::start(&without_deployments).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    let daemon = daemon.restart(&marking(&backend)).await;
    fail(&daemon, "one-failure-after").await;
    let requests = sent(&daemon, &mut backend).await;
    let lines: Vec<&str> = requests.iter().map(|request| request.line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["POST", "PATCH"]);
    assert_eq!((&requests[0].attributes()["id"], marks(&requests)), (&json!(id), marked(&id)));
}

#[tokio::test]
async fn marks_are_corrected_once_they_are_on_again() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon, "the-only-failure").await;
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
    let daemon = daemon.restart(&without_marks(&backend)).await;
    withdraw(&daemon, "the-only-failure").await;
    // This deployment was never marked, so it gets no request once marks are on again.
    deploy(&daemon, "v1", "08:00", json!({ "service": "Search", "id": "deployment:of-search" })).await;
    assert_eq!(marks_received(&daemon, &mut backend).await, BTreeMap::new());
    let daemon = daemon.restart(&marking(&backend)).await;
    assert_eq!(marks(&[backend.next().await]), unmarked(&id));
    let daemon = daemon.restart(&marking(&backend)).await;
    assert_eq!(marks_received(&daemon, &mut backend).await, BTreeMap::new());
}
