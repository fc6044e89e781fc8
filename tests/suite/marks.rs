//! Marks of failed deployments: which deployments are marked, with what, and when a mark is removed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::backends::shown;
use crate::corrections::{changed, merged_into};
use crate::deployments::deploy;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, KEY, Program, Request, event_of, stdout};
use crate::store_probe::Probe;

mod by_version;
mod later;
mod random;
mod refused;

/// The entry of a backend that gets deployments and marks.
fn marking(backend: &Backend) -> String {
    backend.entry("metrics")
        + &format!(
            "application_key = {{ value = \"{KEY}-2\" }}\ndeployments = true\nchange_failures = true\n"
        )
}

/// Waits until nothing is left to send, and returns the requests since the last call.
async fn sent(daemon: &Daemon, backend: &mut Backend) -> Vec<Request> {
    daemon.until(Probe::is_drained).await;
    std::iter::from_fn(|| backend.try_next()).collect()
}

/// The marks among some requests: the last one of each deployment.
fn marks(requests: &[Request]) -> BTreeMap<String, Value> {
    let of = |request: &Request| {
        let id = request.line.strip_prefix("PATCH /api/v2/dora/deployments/")?.to_owned();
        let body: Value = serde_json::from_slice(&request.bytes).unwrap();
        assert_eq!(body["data"]["id"], json!(id));
        Some((id, request.attributes()))
    };
    requests.iter().filter_map(of).collect()
}

/// The marks that were set or removed since the last call.
async fn marks_received(daemon: &Daemon, backend: &mut Backend) -> BTreeMap<String, Value> {
    marks(&sent(daemon, backend).await)
}

fn marked(id: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([(id.to_owned(), json!({ "change_failure": true }))])
}

fn unmarked(id: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([(id.to_owned(), json!({ "change_failure": false }))])
}

#[tokio::test]
async fn a_failed_deployment_is_marked_and_later_gets_its_remediation() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:one-of-eight" })).await;
    deploy(&daemon, "v2", "09:30", json!({ "id": "deployment:half-past-9" })).await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 2);
    // Created at 10:00, resolved at 10:42.
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    insta::assert_snapshot!("mark", shown(&backend.next().await));
    assert!(sent(&daemon, &mut backend).await.is_empty());
    deploy(&daemon, "v3", "10:10", json!({ "id": "deployment:ten-past-ten" })).await;
    deploy(&daemon, "v1", "10:20", json!({ "id": "deployment:rolled-back" })).await;
    assert_eq!(
        marks_received(&daemon, &mut backend).await,
        BTreeMap::new(),
        "another deployment may still fix the failure"
    );
    daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
    let requests = sent(&daemon, &mut backend).await;
    let mark = requests.iter().find(|request| request.line.starts_with("PATCH")).unwrap();
    insta::assert_snapshot!("mark_with_remediation", shown(mark));
    let story = daemon.get("/api/v1/failures/QMARKED001").await.json();
    let why = |about: &str| {
        let whys = story["why"].as_array().unwrap();
        whys.iter().find(|why| why["about"] == about).map(|why| why["value"].clone()).unwrap()
    };
    assert_eq!(why("remediation"), "deployment:rolled-back");
    assert_eq!(why("change_failure"), "metrics: sent");
    // With a late deployment of v1 at 10:15, the one at 10:20 changes no version, so it is no rollback any more.
    deploy(&daemon, "v1", "10:15", json!({ "id": "deployment:in-between" })).await;
    let latest = marks_received(&daemon, &mut backend).await;
    assert_eq!(latest["deployment:half-past-9"]["remediation"]["type"], "rollforward", "{latest:?}");
}

#[tokio::test]
async fn a_late_deployment_takes_over_the_mark_until_it_moves_to_another_env() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
    assert_eq!(marks_received(&daemon, &mut backend).await, BTreeMap::new());
    let first = deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&first));
    let id = json!({ "id": "deployment:half-past-9" });
    let second = deploy(&daemon, "v2", "09:30", id.clone()).await;
    let mut moved = unmarked(&first);
    moved.extend(marked(&second));
    assert_eq!(marks_received(&daemon, &mut backend).await, moved);
    // A replaced deployment may have lost its mark at the backend, so the mark is sent again.
    deploy(&daemon, "v3", "09:30", id.clone()).await;
    let requests = sent(&daemon, &mut backend).await;
    let lines: Vec<&str> = requests.iter().map(|request| request.line.split(' ').next().unwrap()).collect();
    assert_eq!((lines, marks(&requests)), (vec!["POST", "PATCH"], marked(&second)));
    let staging = json!({ "id": "deployment:half-past-9", "env": "staging" });
    deploy(&daemon, "v3", "09:30", staging).await;
    let mut back = unmarked(&second);
    back.extend(marked(&first));
    assert_eq!(marks_received(&daemon, &mut backend).await, back);
}

#[tokio::test]
async fn a_mark_is_removed_when_its_link_ends() {
    let rule = "[[rule]]\nname = \"noise\"\npriority = [\"P5\"]\naction = \"ignore\"\n";
    let lowered = changed("incident.priority_updated", "QMARKED001", "01KB-LOWERED", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
        event["data"]["priority"] = json!({ "id": "PPRIO05", "summary": "P5", "type": "priority_reference" });
    });
    let denied = changed("incident.annotated", "QMARKED001", "01KB-NOTE", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
        event["data"]["content"] = "deployment: none".into();
    });
    let moved = changed("incident.service_updated", "QMARKED001", "01KB-MOVED", |event| {
        event["occurred_at"] = "2026-11-01T10:50:00Z".into();
        event["data"]["service"]["summary"] = "Search".into();
    });
    for event in [lowered, denied, moved, merged_into("QMARKED001", "QTARGET001")] {
        let mut backend = Backend::start().await;
        let daemon = Daemon::start(&format!("{rule}{}", marking(&backend))).await;
        let id = deploy(&daemon, "v1", "08:00", json!({})).await;
        daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
        assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
        daemon.expect(event.clone(), "accepted").await;
        assert_eq!(marks_received(&daemon, &mut backend).await, unmarked(&id), "{event}");
        daemon.expect(event, "duplicate").await;
        assert_eq!(marks_received(&daemon, &mut backend).await, BTreeMap::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_removed_by_reevaluation_and_by_deletion() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
    let failure = json!({ "data": { "attributes": {
        "id": "a-failure-of-the-api", "services": ["Checkout API"], "started_at": "2026-11-01T08:30:00Z",
    } } });
    assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
    let rule = "[[rule]]\nname = \"noise\"\nurgency = [\"high\"]\naction = \"ignore\"\n";
    let configuration = format!("{rule}{}", marking(&backend));
    let daemon = daemon.restart(&configuration).await;
    let changed = stdout(&Program::of(&daemon).run(&configuration, &["reevaluate"]));
    assert!(changed.contains("1 of 2 failures changed"), "{changed}");
    assert_eq!(
        marks_received(&daemon, &mut backend).await,
        BTreeMap::new(),
        "the other failure is still linked to it"
    );
    let withdrawn = daemon.events_api("DELETE", "/failure/a-failure-of-the-api", &Value::Null).await;
    assert_eq!(withdrawn.status, 202);
    assert_eq!(marks_received(&daemon, &mut backend).await, unmarked(&id));
    assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id), "the failure with this id is back");
}

#[tokio::test]
async fn a_mark_answered_404_is_retried_and_needs_no_removal() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 1);
    backend.will_answer(&[(404, &[]), (404, &[])]);
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    assert!(backend.next().await.line.starts_with("PATCH"));
    let refused = async |attempts: i64| {
        daemon.until(|store| store.most_attempts_refused_with(404) >= attempts).await;
    };
    refused(1).await;
    assert!(next_after_waiting(&daemon, &mut backend).await.line.starts_with("PATCH"));
    refused(2).await;
    let denied = changed("incident.annotated", "QMARKED001", "01KB-NOTE", |event| {
        event["occurred_at"] = "2026-11-01T10:20:00Z".into();
        event["data"]["content"] = "deployment: none".into();
    });
    daemon.expect(denied, "accepted").await;
    assert!(sent(&daemon, &mut backend).await.is_empty(), "after a 404 there is certainly no mark");
    let named = changed("incident.annotated", "QMARKED001", "01KB-NOTE-2", |event| {
        event["occurred_at"] = "2026-11-01T10:21:00Z".into();
        event["data"]["content"] = "deployment: v1".into();
    });
    daemon.expect(named, "accepted").await;
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
}

#[tokio::test]
async fn a_refused_mark_holds_up_nothing_else() {
    let mut backend = Backend::start().await;
    let mut daemon = Daemon::start(&marking(&backend)).await;
    deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 1);
    backend.will_answer(&[(403, &[])]);
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    assert!(backend.next().await.line.starts_with("PATCH"));
    daemon.until(|store| store.answered_with(403) > 0).await;
    for id in ["deployment:before-a-restart", "deployment:after-one"] {
        deploy(&daemon, "v1", "08:00", json!({ "service": "Search", "id": id })).await;
        assert_eq!(backend.next().await.attributes()["id"], id);
        daemon = daemon.restart(&marking(&backend)).await;
    }
}

#[tokio::test]
async fn explain_shows_the_state_of_a_mark() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&marking(&backend)).await;
    deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 1);
    let mark = async || {
        let story = daemon.get("/api/v1/failures/QMARKED001").await.json();
        let whys = story["why"].as_array().unwrap();
        whys.iter().find(|why| why["about"] == "change_failure").unwrap()["value"].clone()
    };
    backend.will_answer(&[(400, &[])]);
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 1);
    assert_eq!(mark().await, "metrics: dead");
    let row = daemon.probe().mark_id();
    let discard = format!("http://{}/api/v1/outbox/{row}/discard", daemon.admin);
    assert_eq!(daemon.client.post(discard).send().await.unwrap().status(), 200);
    assert_eq!(mark().await, "metrics: dead", "a discarded mark is shown like a discarded failure");
}

#[tokio::test]
async fn a_mark_does_not_overtake_its_deployment() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(503, &[])]);
    let daemon = Daemon::start(&marking(&backend)).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(backend.next().await.line, "POST /api/v2/dora/deployment");
    daemon.until(|store| store.answered_with(503) > 0).await;
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    assert!(backend.is_quiet());
    assert_eq!(next_after_waiting(&daemon, &mut backend).await.line, "POST /api/v2/dora/deployment");
    assert_eq!(marks_received(&daemon, &mut backend).await, marked(&id));
}

#[tokio::test]
async fn a_mark_is_filtered_by_the_services_of_its_deployment_and_deleted_with_it() {
    let mut backend = Backend::start().await;
    let filtered = marking(&backend) + "services = [\"Checkout API\"]\n";
    let daemon = Daemon::start(&filtered).await;
    deploy(&daemon, "v1", "08:00", json!({ "service": "Search", "id": "deployment:of-search" })).await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:of-checkout" })).await;
    let failure = |id: &str, version: &str, service: &str| {
        json!({ "data": { "attributes": {
        "id": id, "services": [service], "version": version, "started_at": "2026-11-01T08:30:00Z",
    } } })
    };
    for (id, named) in
        [("a-failure-of-search", "deployment:of-search"), ("a-failure-of-both", "deployment:of-checkout")]
    {
        let answer = daemon.events_api("POST", "/failure", &failure(id, named, "Search")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(marks_received(&daemon, &mut backend).await, marked("deployment:of-checkout"));
    deploy(&daemon, "v1", "08:00", json!({ "service": "Search", "id": "deployment:of-checkout" })).await;
    let requests = sent(&daemon, &mut backend).await;
    let lines: Vec<&str> = requests.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(lines, ["DELETE /api/v2/dora/deployment/deployment:of-checkout"]);
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:of-checkout" })).await;
    assert_eq!(marks_received(&daemon, &mut backend).await, marked("deployment:of-checkout"));
}

#[tokio::test]
async fn a_backend_without_change_failures_gets_no_marks() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&format!("{}deployments = true\n", backend.entry("metrics"))).await;
    deploy(&daemon, "v1", "08:00", json!({})).await;
    daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
    assert_eq!(sent(&daemon, &mut backend).await.len(), 2);
    assert_eq!(daemon.probe().failures_with_cause(), 1, "the link is kept all the same");
}
