//! Forwarding: the requests to a backend, and what happens when the backend does not accept one.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Backend, Daemon, KEY, Request, event_of, eventually, fixture, time};

#[tokio::test]
async fn a_completed_failure_is_forwarded_with_exact_times() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    let request = backend.next().await;
    assert_eq!(request.headers["dd-api-key"], KEY);
    let sent = request.attributes();
    assert_eq!(sent["id"], "pagerduty:Q1FXSAMPLE0001");
    assert_eq!(sent["started_at"], json!(1_793_527_200_000_000_000_i64));
    assert_eq!(sent["finished_at"], json!(1_793_529_730_500_000_000_i64));
    settled(&daemon, "sent").await;
    assert!(backend.is_quiet());
}

/// Waits until every row of the outbox is in this state. Each try waits for the writer's next commit.
async fn settled(daemon: &Daemon, state: &str) -> serde_json::Value {
    eventually(format!("a row of the outbox, and all of them {state}"), async || {
        assert_eq!(daemon.get("/readyz").await.status, 200);
        let failures = daemon.failures().await;
        let mut forwarded = failures.iter().flat_map(|f| f["forwarded"].as_array().unwrap()).peekable();
        let is_settled = forwarded.peek().is_some() && forwarded.all(|row| row["state"] == state);
        is_settled.then(|| failures[0]["forwarded"].clone())
    })
    .await
}

#[tokio::test]
async fn each_backend_gets_its_own_copy() {
    let (mut first, mut second) = (Backend::start().await, Backend::start().await);
    second.will_answer(&[(400, &[])]);
    let daemon = Daemon::start(&format!("{}{}", first.entry("first"), second.entry("second"))).await;
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    assert_eq!(first.next().await.bytes, second.next().await.bytes);
    daemon.until(|store| store.sent_to("first") == 1 && store.dead_of("second") == 1).await;
    let forwarded = daemon.failures().await[0]["forwarded"].clone();
    assert_eq!((&forwarded[0]["state"], &forwarded[1]["state"]), (&json!("sent"), &json!("dead")));
}

#[tokio::test]
async fn the_same_bytes_are_sent_until_they_are_accepted() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(500, &[]), (429, &[("retry-after", "40")]), (408, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    let first = backend.next().await;
    for attempts in 1..=3 {
        recorded(&daemon, attempts).await;
        assert_eq!(next_after_waiting(&daemon, &mut backend).await.bytes, first.bytes);
    }
    let forwarded = settled(&daemon, "sent").await;
    assert_eq!(forwarded[0]["attempts"], 4);
}

/// Waits until this many attempts are recorded.
async fn recorded(daemon: &Daemon, attempts: i64) {
    // An attempt is counted when it begins. Its answer is stored once it has ended.
    daemon.until(|store| store.most_attempts() == attempts && store.failed_and_pending() == 1).await;
}

#[tokio::test]
async fn forwarding_continues_after_a_restart() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(503, &[])]);
    let configuration = backend.entry("metrics");
    let daemon = Daemon::start(&configuration).await;
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    let first = backend.next().await;
    let daemon = daemon.restart(&configuration).await;
    assert_eq!(next_after_waiting(&daemon, &mut backend).await.bytes, first.bytes);
    settled(&daemon, "sent").await;
}

#[tokio::test]
async fn a_rejected_failure_holds_up_no_other() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(event_of("incident.resolved", "QPOISON1"), "accepted").await;
    backend.next().await;
    daemon.expect(event_of("incident.resolved", "QGOOD001"), "accepted").await;
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QGOOD001");
}

#[tokio::test]
async fn refused_credentials_are_tried_once_a_minute_with_one_failure() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(403, &[]), (401, &[])]);
    let daemon = Daemon::start(&format!("{}concurrency = 1\n", backend.entry("metrics"))).await;
    for n in 1..=5 {
        daemon.expect(event_of("incident.resolved", &format!("QREFUSED{n}")), "accepted").await;
    }
    backend.next().await;
    daemon.until(|store| store.answered_with(403) > 0).await;
    assert!(backend.is_quiet(), "no minute has passed");
    next_after_waiting(&daemon, &mut backend).await;
    for _ in 0..5 {
        next_after_waiting(&daemon, &mut backend).await;
    }
    let forwarded = settled(&daemon, "sent").await;
    assert!(backend.is_quiet(), "two were refused and five accepted");
    assert_eq!(forwarded[0]["attempts"], 1, "an answer 401 or 403 does not count as an attempt");
}

/// The next request, which is due only after some time.
pub(crate) async fn next_after_waiting(daemon: &Daemon, backend: &mut Backend) -> Request {
    daemon.after_waiting("another request", || backend.try_next()).await
}

#[tokio::test]
async fn a_changed_failure_is_forwarded_again_whole() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    assert!(backend.next().await.attributes()["finished_at"].is_i64());
    // A note changes nothing. A late trigger changes nothing that is sent to a backend.
    daemon.expect(fixture("incident.annotated"), "accepted").await;
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    daemon.expect(fixture("incident.reopened"), "accepted").await;
    let reopened = backend.next().await.attributes();
    assert_eq!((reopened.get("finished_at"), &reopened["id"]), (None, &json!("pagerduty:Q1FXSAMPLE0001")));
    assert_eq!(settled(&daemon, "sent").await[0]["revision"], 2);
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_merged_incident_is_not_forwarded() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    let merge = json!({ "type": "merge_resolve_reason", "incident": { "id": "QTARGET1", "type": "incident_reference" } });
    for (incident, reason) in [("QMERGED1", merge), ("QMERGED2", json!("merged"))] {
        let mut body: serde_json::Value =
            serde_json::from_str(&event_of("incident.resolved", incident)).unwrap();
        body["event"]["data"]["resolve_reason"] = reason;
        daemon.expect(body.to_string(), "accepted").await;
    }
    let failures = daemon.get("/api/v1/failures?state=merged").await.json()["failures"].clone();
    assert_eq!(failures.as_array().unwrap().len(), 2);
    daemon.expect(event_of("incident.resolved", "QREAL001"), "accepted").await;
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QREAL001");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_failure_that_no_backend_has_needs_no_correction() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(403, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(event_of("incident.resolved", "QNEVER01"), "accepted").await;
    backend.next().await;
    daemon.until(|store| store.answered_with(403) > 0).await;
    // Answered 403, the failure was never accepted. Then it is reopened, so it is not to be sent any more.
    daemon.expect(event_of("incident.reopened", "QNEVER01"), "accepted").await;
    assert_eq!(daemon.probe().pending(), 0);
    daemon.expect(event_of("incident.resolved", "QOTHER01"), "accepted").await;
    assert_eq!(next_after_waiting(&daemon, &mut backend).await.attributes()["id"], "pagerduty:QOTHER01");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_change_of_the_clock_holds_nothing_up() {
    const TRIES_A_MINUTE: usize = 100;
    let years = ["2026-11-20T00:00:00Z", "2036-11-20T00:00:00Z"];
    // A row that waits for its next attempt, and a row whose backend gets a probe once a minute.
    for status in [503, 403] {
        for [at, then] in [years, [years[1], years[0]]] {
            let mut backend = Backend::start().await;
            backend.will_answer(&[(status, &[])]);
            let daemon = Daemon::start(&backend.entry("metrics")).await;
            daemon.clock.set(time(at));
            daemon.expect(fixture("incident.resolved"), "accepted").await;
            let first = backend.next().await;
            daemon.until(|store| store.answered_with(status) > 0).await;
            assert!(daemon.probe().last_due_at_ns() >= time(at).as_nanos());
            daemon.clock.set(time(then));
            // Minutes, not years. Each is left to the program for a while, because the time of the next attempt may count
            // from the moment when a busy machine sees the clock.
            let mut tries = 0..30 * TRIES_A_MINUTE;
            let again = eventually("another request", async || {
                if tries.next().is_some_and(|tried| tried % TRIES_A_MINUTE == 0) {
                    daemon.clock.advance(Duration::from_mins(1));
                }
                daemon.get("/healthz").await;
                backend.try_next()
            });
            assert_eq!(again.await.bytes, first.bytes);
            settled(&daemon, "sent").await;
        }
    }
}
