//! `datadog-events`: which events a failure has at its start, at its end, and when it does not count any more.

use std::time::Duration;

use serde_json::{Value, json};

use super::{entry, progress, reopened};
use crate::corrections::{changed, merged_into};
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, Request, event_of, time};
use crate::store_probe::Probe;

fn with_open(backend: &Backend) -> String {
    entry(backend, "datadog-events") + "open = true\n"
}

/// The status, the state and the time of an event.
fn told(request: &Request) -> (String, String, Option<String>) {
    assert_eq!(request.line, "POST /api/v2/events");
    let attributes = request.attributes();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let inner = &attributes["attributes"];
    let timestamp = attributes.get("timestamp").map(text);
    (text(&inner["status"]), text(&inner["custom"]["dora"]["state"]), timestamp)
}

fn event(status: &str, state: &str, timestamp: Option<&str>) -> (String, String, Option<String>) {
    (status.to_owned(), state.to_owned(), timestamp.map(str::to_owned))
}

/// A daemon whose clock shows the day of the fixtures.
async fn on_the_day(configuration: &str) -> Daemon {
    let daemon = Daemon::start(configuration).await;
    daemon.clock.set(time("2026-11-01T10:43:00Z"));
    daemon
}

#[tokio::test]
async fn a_failure_is_an_error_when_it_starts_and_ok_when_it_ends() {
    let mut backend = Backend::start().await;
    let daemon = on_the_day(&with_open(&backend)).await;
    daemon.expect(event_of("incident.triggered", "QEVENTS001"), "accepted").await;
    let first = backend.next().await;
    assert_eq!(told(&first), event("error", "open", Some("2026-11-01T10:00:00Z")));
    daemon.expect(event_of("incident.resolved", "QEVENTS001"), "accepted").await;
    let second = backend.next().await;
    assert_eq!(told(&second), event("ok", "completed", Some("2026-11-01T10:42:10.500Z")));
    let key = |request: &Request| request.attributes()["aggregation_key"].clone();
    assert_eq!([key(&first), key(&second)], [json!("pagerduty:QEVENTS001"), json!("pagerduty:QEVENTS001")]);
    daemon.expect(reopened("QEVENTS001"), "accepted").await;
    assert_eq!(told(&backend.next().await), event("error", "open", None));
    assert_eq!(progress(&daemon, "datadog-events").await["state"], "sent");
    let mut merged: Value = serde_json::from_str(&merged_into("QEVENTS001", "QTARGET001")).unwrap();
    merged["event"]["occurred_at"] = "2026-11-01T10:50:00Z".into();
    daemon.expect(merged.to_string(), "accepted").await;
    let last = backend.next().await;
    assert_eq!(told(&last), event("ok", "merged", None));
    assert_eq!(last.attributes()["attributes"]["custom"]["dora"]["merged_into"], "QTARGET001");
    assert_eq!(key(&last), "pagerduty:QEVENTS001");
}

#[tokio::test]
async fn without_open_a_failure_is_told_once_it_has_ended() {
    let mut backend = Backend::start().await;
    let daemon = on_the_day(&entry(&backend, "datadog-events")).await;
    daemon.expect(event_of("incident.triggered", "QEVENTS002"), "accepted").await;
    daemon.until(Probe::is_drained).await;
    assert!(backend.is_quiet());
    daemon.expect(event_of("incident.resolved", "QEVENTS002"), "accepted").await;
    assert_eq!(told(&backend.next().await).0, "ok");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn an_ignored_failure_gets_one_more_event_that_cannot_take_the_others_back() {
    let mut backend = Backend::start().await;
    let rule = "[[rule]]\nname = \"noise\"\npriority = [\"P5\"]\naction = \"ignore\"\n";
    let daemon = on_the_day(&(rule.to_owned() + &with_open(&backend))).await;
    daemon.expect(event_of("incident.triggered", "QEVENTS003"), "accepted").await;
    assert_eq!(told(&backend.next().await).0, "error");
    let lowered = changed("incident.priority_updated", "QEVENTS003", "01KB-LOWERED", |event| {
        event["occurred_at"] = "2026-11-01T10:20:00Z".into();
        event["data"]["priority"] = json!({ "id": "PPRIO05", "summary": "P5", "type": "priority_reference" });
    });
    daemon.expect(lowered, "accepted").await;
    let last = backend.next().await;
    assert_eq!(told(&last), event("ok", "ignored", None));
    assert_eq!(last.attributes()["attributes"]["custom"]["dora"]["reason"], "noise");
    assert_eq!(progress(&daemon, "datadog-events").await["state"], "cannot_be_corrected");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn an_open_failure_that_was_never_sent_and_is_ignored_is_not_told() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(429, &[("x-ratelimit-reset", "60")])]);
    let rule = "[[rule]]\nname = \"noise\"\npriority = [\"P5\"]\naction = \"ignore\"\n";
    let daemon = on_the_day(&(rule.to_owned() + &with_open(&backend))).await;
    daemon.expect(event_of("incident.triggered", "QEVENTS004"), "accepted").await;
    assert_eq!(told(&backend.next().await).0, "error");
    daemon.until(|store| store.answered_with(429) > 0).await;
    let lowered = changed("incident.priority_updated", "QEVENTS004", "01KB-LOWERED", |event| {
        event["occurred_at"] = "2026-11-01T10:20:00Z".into();
        event["data"]["priority"] = json!({ "id": "PPRIO05", "summary": "P5", "type": "priority_reference" });
    });
    daemon.expect(lowered, "accepted").await;
    daemon.until(Probe::is_drained).await;
    assert!(backend.is_quiet(), "a 429 proves that Datadog has no event");
}

#[tokio::test]
async fn an_event_that_waits_too_long_is_sent_without_its_time() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(503, &[])]);
    let daemon = on_the_day(&with_open(&backend)).await;
    daemon.expect(event_of("incident.triggered", "QEVENTS005"), "accepted").await;
    let first = backend.next().await;
    assert_eq!(told(&first).2.as_deref(), Some("2026-11-01T10:00:00Z"));
    daemon.until(|store| store.answered_with(503) > 0).await;
    daemon.clock.advance(Duration::from_hours(18));
    let again = next_after_waiting(&daemon, &mut backend).await;
    assert_eq!(told(&again), event("error", "open", None));
    let start =
        |request: &Request| request.attributes()["attributes"]["custom"]["dora"]["started_at"].clone();
    assert_eq!(start(&again), start(&first), "the true time is kept");
}
