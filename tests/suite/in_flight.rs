//! Tests of changes while an attempt is under way: new revisions, `outbox` commands, a stop, other backends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::corrections::changed;
use crate::harness::{self, Daemon, KEY, PATIENCE, event_of, eventually};
use crate::store_probe::Probe;

/// A backend that answers a request when the test says so.
struct ManualBackend {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<WaitingRequest>,
}

/// A request that waits for its answer.
struct WaitingRequest {
    bytes: Bytes,
    answer: oneshot::Sender<u16>,
}

impl WaitingRequest {
    fn attribute(&self, name: &str) -> Value {
        let body: Value = serde_json::from_slice(&self.bytes).unwrap();
        body["data"]["attributes"][name].clone()
    }

    fn answer(self, status: u16) {
        self.answer.send(status).expect("it waits");
    }
}

impl ManualBackend {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let router = Router::new().fallback(Self::answer).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, requests }
    }

    async fn answer(State(sender): State<mpsc::UnboundedSender<WaitingRequest>>, bytes: Bytes) -> StatusCode {
        let (answer, answered) = oneshot::channel();
        let _ = sender.send(WaitingRequest { bytes, answer });
        match answered.await {
            Ok(status) => StatusCode::from_u16(status).unwrap(),
            Err(_) => std::future::pending().await,
        }
    }

    async fn next(&mut self) -> WaitingRequest {
        tokio::time::timeout(PATIENCE, self.requests.recv()).await.expect("no request").unwrap()
    }

    /// The next request that is due only after some time.
    async fn next_after_waiting(&mut self, daemon: &Daemon) -> WaitingRequest {
        daemon.after_waiting("another request", || self.requests.try_recv().ok()).await
    }

    fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// An entry with a timeout that is longer than any test.
    fn entry(&self, name: &str) -> String {
        format!(
            "[[backend]]\nname = \"{name}\"\nkind = \"datadog\"\nurl = \"http://{}\"\n\
             api_key = {{ value = \"{KEY}\" }}\ntimeout = \"1h\"\n",
            self.address
        )
    }
}

/// An event of the fixtures with its own id and time.
fn at(event_type: &str, incident: &str, time: &str) -> String {
    changed(event_type, incident, &format!("01KB-{incident}-{time}"), |event| {
        event["occurred_at"] = time.into();
    })
}

async fn post(daemon: &Daemon, action: &str) -> u16 {
    let url = format!("http://{}/api/v1/outbox/{action}", daemon.admin);
    daemon.client.post(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_attempt_under_way_ends_before_the_next_revision_and_holds_up_no_other_failure() {
    let mut backend = ManualBackend::start().await;
    let daemon = Daemon::start(&backend.entry("slow")).await;
    daemon.expect(event_of("incident.resolved", "QFIRST0001"), "accepted").await;
    let first = backend.next().await;
    daemon.expect(at("incident.reopened", "QFIRST0001", "2026-11-01T11:00:00Z"), "accepted").await;
    daemon.expect(at("incident.resolved", "QFIRST0001", "2026-11-01T12:00:00Z"), "accepted").await;
    daemon.expect(event_of("incident.resolved", "QOTHER0001"), "accepted").await;
    let other = backend.next().await;
    assert_eq!(other.attribute("id"), "pagerduty:QOTHER0001");
    other.answer(202);
    daemon.until(|store| store.sent() == 1).await;
    assert_eq!(daemon.probe().superseded(), 1, "the revision of the reopen");
    assert!(backend.is_quiet(), "one revision of a failure at a time");

    // The request may have arrived, so it is sent again, with the same bytes, before the next revision.
    let bytes = first.bytes.clone();
    first.answer(503);
    daemon.until(|store| store.answered_with(503) == 1).await;
    let again = backend.next_after_waiting(&daemon).await;
    assert_eq!(again.bytes, bytes);
    assert!(backend.is_quiet());
    again.answer(202);
    let last = backend.next().await;
    let end = Timestamp::parse("2026-11-01T12:00:00Z").unwrap().as_nanos();
    assert_eq!(last.attribute("finished_at"), end);
    last.answer(202);
    daemon.until(Probe::is_all_sent).await;
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_row_under_way_cannot_be_retried_or_discarded() {
    let mut backend = ManualBackend::start().await;
    let daemon = Daemon::start(&backend.entry("slow")).await;
    daemon.expect(event_of("incident.resolved", "QFIRST0001"), "accepted").await;
    let first = backend.next().await;
    assert_eq!((post(&daemon, "1/retry").await, post(&daemon, "1/discard").await), (409, 409));
    first.answer(400);
    daemon.until(|store| store.dead() == 1).await;
    assert_eq!(post(&daemon, "1/discard").await, 200);
    let forwarded = daemon.failures().await[0]["forwarded"][0].clone();
    assert_eq!(forwarded["state"], "dead", "the contract has no other state for a discarded row");
    assert_eq!(post(&daemon, "1/retry").await, 409);
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_backend_that_is_silent_holds_up_no_other() {
    let mut silent = ManualBackend::start().await;
    let mut good = harness::Backend::start().await;
    let daemon = Daemon::start(&format!("{}{}", silent.entry("silent"), good.entry("good"))).await;
    for n in 0..20 {
        daemon.expect(event_of("incident.resolved", &format!("QSILENT{n:03}")), "accepted").await;
        good.next().await;
    }
    daemon.until(|store| store.sent_to("good") == 20).await;
    let mut requests = Vec::new();
    while let Ok(one) = silent.requests.try_recv() {
        requests.push(one);
    }
    assert_eq!(requests.len(), 4, "as many at once as `concurrency` allows");
}

#[tokio::test]
async fn a_silent_backend_does_not_keep_the_program_from_ending() {
    let mut backend = ManualBackend::start().await;
    let configuration = backend.entry("silent");
    let daemon = Daemon::start(&configuration).await;
    daemon.expect(event_of("incident.resolved", "QSILENT001"), "accepted").await;
    let first = backend.next().await;
    let clock = Arc::clone(&daemon.clock);
    let restarted = tokio::spawn(async move { daemon.restart(&configuration).await });
    eventually("the end of the program", async || {
        clock.advance(Duration::from_secs(1));
        restarted.is_finished().then_some(())
    })
    .await;
    let daemon = restarted.await.unwrap();
    let again = backend.next().await;
    assert_eq!(again.bytes, first.bytes, "the next process sends the same request");
    again.answer(202);
    daemon.until(Probe::is_all_sent).await;
    assert_eq!(daemon.probe().most_attempts(), 2);
}

#[tokio::test]
async fn an_added_backend_gets_no_old_failures_and_a_restored_one_gets_its_queue() {
    let (mut first, mut second) = (ManualBackend::start().await, ManualBackend::start().await);
    let daemon = Daemon::start(&first.entry("first")).await;
    daemon.expect(event_of("incident.resolved", "QOLD000001"), "accepted").await;
    first.next().await.answer(503);
    daemon.until(|store| store.answered_with(503) == 1).await;

    let daemon = daemon.restart(&second.entry("second")).await;
    daemon.expect(event_of("incident.resolved", "QNEW000001"), "accepted").await;
    let request = second.next_after_waiting(&daemon).await;
    assert_eq!(request.attribute("id"), "pagerduty:QNEW000001");
    request.answer(202);
    daemon.until(|store| store.sent() == 1).await;
    daemon.clock.advance(Duration::from_hours(1));
    daemon.until(|store| store.pending() == 1).await;
    assert!(first.is_quiet() && second.is_quiet());
    let waiting = daemon.get("/api/v1/outbox?state=pending").await.json()["rows"].clone();
    assert_eq!((&waiting[0]["backend"], &waiting[0]["attempts"]), (&"first".into(), &1.into()));

    let daemon = daemon.restart(&format!("{}{}", first.entry("first"), second.entry("second"))).await;
    let request = first.next().await;
    assert_eq!(request.attribute("id"), "pagerduty:QOLD000001");
    request.answer(202);
    daemon.until(Probe::is_all_sent).await;
    assert!(first.is_quiet() && second.is_quiet());
}
