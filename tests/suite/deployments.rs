//! Deployments from the event API, and the failures that are linked to them.

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::harness::{Daemon, event_of};

pub(crate) async fn deploy(daemon: &Daemon, version: &str, at: &str, more: Value) -> String {
    let mut attributes = json!({
        "service": "Checkout API",
        "started_at": format!("2026-11-01T{at}:00Z"),
        "version": version,
    });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer =
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    assert_eq!(
        (answer.status, &answer.json()["data"]["type"]),
        (200, &json!("dora_deployment")),
        "{answer:?}"
    );
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// The deployment that an incident is linked to, and the reason.
async fn linked(daemon: &Daemon, incident: &str) -> (Value, String) {
    let story = daemon.get(&format!("/api/v1/failures/{incident}")).await.json();
    let why =
        story["why"].as_array().unwrap().iter().find(|why| why["about"] == "deployment").unwrap().clone();
    let listed = daemon.failures().await;
    let listed = listed.iter().find(|failure| failure["incident"] == incident).unwrap();
    assert_eq!(listed["deployment"], story["failure"]["deployment"]);
    (listed["deployment"].clone(), why["because"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_failure_is_linked_to_the_latest_deployment_before_it_even_if_reported_late() {
    let daemon = Daemon::start("").await;
    // Created at 10:00.
    daemon.expect(event_of("incident.resolved", "QLINKED001"), "accepted").await;
    assert_eq!(linked(&daemon, "QLINKED001").await.0, Value::Null);
    let earlier = deploy(&daemon, "v1", "08:00", json!({})).await;
    assert_eq!(linked(&daemon, "QLINKED001").await.0, json!(earlier));
    deploy(&daemon, "v3", "10:01", json!({})).await;
    deploy(&daemon, "v4", "09:59", json!({ "env": "staging" })).await;
    assert_eq!(
        linked(&daemon, "QLINKED001").await.0,
        json!(earlier),
        "neither a later deployment nor one of another env"
    );
    let latest = deploy(&daemon, "v2", "09:30", json!({})).await;
    let (id, why) = linked(&daemon, "QLINKED001").await;
    assert_eq!(id, json!(latest));
    assert!(why.starts_with("the latest deployment of the failure's services"), "{why}");
}

#[tokio::test]
async fn a_note_can_name_the_cause() {
    let daemon = Daemon::start("").await;
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let git = json!({ "git": { "commit_sha": sha, "repository_url": "https://github.com/acme/checkout" } });
    let first = deploy(&daemon, "v1", "07:00", git).await;
    let latest = deploy(&daemon, "v2", "09:30", json!({})).await;
    deploy(&daemon, "v3", "09:00", json!({ "env": "staging" })).await;
    deploy(&daemon, "v4", "23:00", json!({})).await;
    daemon.expect(event_of("incident.resolved", "QNAMED0001"), "accepted").await;
    for (n, (name, expected, because)) in [
        ("v1", json!(first), "its version was named"),
        ("`V1`. (rolled back)", json!(first), "its version was named"),
        ("1", json!(first), "its version was named"),
        (&*sha.to_uppercase(), json!(first), "its commit was named"),
        (&sha[..7], json!(first), "its commit was named"),
        (&*first.to_uppercase(), json!(first), "its id was named"),
        ("none", Value::Null, "\"none\" was named"),
        ("v9", json!(latest), "named, but not known: v9"),
        (&sha[..6], json!(latest), "named, but not known: 012345"),
        ("v3", json!(latest), "named, but deployed to staging: v3"),
        ("v4", json!(latest), "named, but started after the failure had ended: v4"),
    ]
    .into_iter()
    .enumerate()
    {
        let note = changed("incident.annotated", "QNAMED0001", &format!("01KB-NOTE-{n}"), |event| {
            event["occurred_at"] = format!("2026-11-01T11:{n:02}:00Z").into();
            event["data"]["content"] = format!("deployment: {name}").into();
        });
        daemon.expect(note, "accepted").await;
        let (id, why) = linked(&daemon, "QNAMED0001").await;
        assert_eq!(id, expected, "{name}: {why}");
        assert!(why.contains(because), "{name}: {why}");
    }
}

#[tokio::test]
async fn a_submitted_failure_is_linked_by_its_version() {
    let daemon = Daemon::start("").await;
    let first = deploy(&daemon, "v1", "07:00", json!({})).await;
    let latest = deploy(&daemon, "v2", "09:30", json!({})).await;
    let failure = |more: Value| {
        let mut attributes = json!({
            "id": "a-failure-of-the-api", "services": ["Checkout API"], "started_at": "2026-11-01T10:00:00Z",
        });
        attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "data": { "attributes": attributes } })
    };
    daemon.events_api("POST", "/failure", &failure(json!({ "version": "v1" }))).await;
    let deployment = async || daemon.failures().await[0]["deployment"].clone();
    assert_eq!(deployment().await, json!(first));
    daemon.events_api("POST", "/failure", &failure(json!({ "version": "v9" }))).await;
    assert_eq!(deployment().await, json!(latest), "an unknown version falls back to the latest deployment");
}

#[tokio::test]
async fn deployments_are_replaced_whole_and_refused_as_by_datadog() {
    let daemon = Daemon::start("").await;
    let id = json!({ "id": "a-deployment-of-ours" });
    deploy(&daemon, "v1", "08:00", id.clone()).await;
    deploy(&daemon, "v2", "09:00", id).await;
    deploy(&daemon, "v3", "09:10", json!({})).await;
    deploy(&daemon, "v3", "09:10", json!({})).await;
    assert_eq!(daemon.probe().deployments(), 2);
    assert_eq!(daemon.probe().deployments_of_version("v1"), 0);
    let refused = daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": {} } })).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["title"]), (400, &json!("Bad Request")));
    let url = format!("http://{}/api/v2/dora/deployment", daemon.public);
    let forbidden = daemon.client.post(url).header("dd-api-key", "wrong").body("{}").send().await.unwrap();
    assert_eq!(forbidden.status(), 403);
}

#[tokio::test]
async fn an_unchanged_deployment_changes_no_link() {
    let daemon = Daemon::start("").await;
    let sent = json!({ "id": "deployment:sent-again-1" });
    let id = deploy(&daemon, "v1", "08:00", sent.clone()).await;
    daemon.expect(event_of("incident.triggered", "QLINKED001"), "accepted").await;
    assert_eq!(linked(&daemon, "QLINKED001").await.0, json!(id));
    let daemon = daemon.restart("[dora]\nlink_window = \"10m\"\n").await;
    deploy(&daemon, "v1", "08:00", sent).await;
    let (kept, why) = linked(&daemon, "QLINKED001").await;
    assert_eq!(kept, json!(id), "a changed window applies to past failures only by reevaluate");
    assert!(why.contains("run `reevaluate` to decide it again"), "{why}");
}
