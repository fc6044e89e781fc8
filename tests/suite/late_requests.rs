//! A request without an answer that reaches the backend late, after newer ones. In the end the backend still has the
//! newest state.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use bytes::Bytes;
use pagerduty_dora::clock::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::corrections::{changed, merged_into};
use crate::harness::{Daemon, KEY, event_of, eventually};
use crate::store_edit;
use crate::store_probe::Probe;

/// A backend behind a proxy. The proxy holds back the first request and hangs up. It passes the request on when the
/// test says so.
struct Delaying {
    address: SocketAddr,
    shared: Arc<Shared>,
    arrived: mpsc::UnboundedReceiver<()>,
}

struct Shared {
    arrives: mpsc::UnboundedSender<()>,
    state: Mutex<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    /// The request that is held back, once it has arrived.
    late: Option<(Method, String, Bytes)>,
    /// `true` if every further request is rejected with 400.
    refuses: bool,
    /// The failures that the backend has, by id.
    failures: BTreeMap<String, Value>,
}

impl ProxyState {
    fn apply(&mut self, method: &Method, path: &str, bytes: &Bytes) {
        if method == Method::DELETE {
            self.failures.remove(path.rsplit('/').next().unwrap());
            return;
        }
        let body: Value = serde_json::from_slice(bytes).unwrap();
        let attributes = body["data"]["attributes"].clone();
        // Only Datadog's requests have an id there.
        if let Some(id) = attributes["id"].as_str() {
            self.failures.insert(id.to_owned(), attributes.clone());
        }
    }
}

impl Delaying {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arrived) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { arrives: sender, state: Mutex::default() });
        let router = Router::new().fallback(Self::answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, arrived }
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn answer(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, bytes: Bytes) -> StatusCode {
        let (is_first, refuses) = {
            let mut held = shared.state.lock().unwrap();
            let is_first = held.late.is_none();
            if is_first {
                held.late = Some((method, uri.path().to_owned(), bytes));
            } else if !held.refuses {
                held.apply(&method, uri.path(), &bytes);
            }
            (is_first, held.refuses)
        };
        let _ = shared.arrives.send(());
        if is_first {
            // Ends the connection without an answer.
            std::panic::resume_unwind(Box::new("hung up"));
        }
        if refuses { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED }
    }

    fn refuses(&self, refuses: bool) {
        self.shared.state.lock().unwrap().refuses = refuses;
    }

    fn entry(&self) -> String {
        format!(
            "[[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{}\"\ntimeout = \"20s\"\n\
             api_key = {{ value = \"{KEY}\" }}\napplication_key = {{ value = \"{KEY}-2\" }}\n",
            self.address
        )
    }

    /// Waits for the next request, and advances the clock meanwhile.
    async fn next(&mut self, daemon: &Daemon) {
        eventually("another request", async || {
            let arrived = self.arrived.try_recv().ok();
            if arrived.is_none() {
                daemon.clock.advance(Duration::from_secs(1));
                daemon.get("/readyz").await;
            }
            arrived
        })
        .await;
    }

    /// Has the proxy pass on the request that it held back.
    fn pass_on_the_late_request(&self) {
        let mut held = self.shared.state.lock().unwrap();
        let (method, path, bytes) = held.late.clone().unwrap();
        held.apply(&method, &path, &bytes);
    }

    fn holds(&self, id: &str) -> Option<Value> {
        self.shared.state.lock().unwrap().failures.get(id).cloned()
    }
}

/// The event that reopens an incident of these tests.
fn reopened() -> String {
    changed("incident.reopened", "QLATE00001", "01KB-LATE", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
    })
}

/// A daemon whose failure was deleted at the backend, after a merge, while the proxy held back the failure's first
/// request.
async fn deleted_before_the_late_request(backend: &mut Delaying) -> Daemon {
    let daemon = Daemon::start(&backend.entry()).await;
    daemon.expect(event_of("incident.resolved", "QLATE00001"), "accepted").await;
    backend.next(&daemon).await;
    daemon.expect(merged_into("QLATE00001", "QTARGET001"), "accepted").await;
    // The first revision is sent again, then deleted.
    backend.next(&daemon).await;
    backend.next(&daemon).await;
    until_sent(&daemon).await;
    daemon
}

/// Waits until everything is sent, except rows that are to be sent once more.
async fn until_sent(daemon: &Daemon) {
    daemon.until_as_time_passes(Duration::from_millis(100), Probe::is_drained).await;
}

#[tokio::test]
async fn a_reopened_incident_does_not_keep_its_old_end() {
    let mut backend = Delaying::start().await;
    let daemon = Daemon::start(&backend.entry()).await;
    daemon.expect(event_of("incident.resolved", "QLATE00001"), "accepted").await;
    backend.next(&daemon).await;
    backend.next(&daemon).await;
    daemon.expect(reopened(), "accepted").await;
    backend.next(&daemon).await;
    until_sent(&daemon).await;
    assert!(backend.holds("pagerduty:QLATE00001").unwrap().get("finished_at").is_none());
    backend.pass_on_the_late_request();
    assert!(
        backend.holds("pagerduty:QLATE00001").unwrap().get("finished_at").is_some(),
        "the late request restores the old end"
    );
    let before = daemon.clock.now();
    backend.next(&daemon).await;
    assert!(daemon.clock.now().duration_since(before) <= Duration::from_mins(2));
    assert!(backend.holds("pagerduty:QLATE00001").unwrap().get("finished_at").is_none());
    // Nothing is in doubt any more.
    daemon.until(|store| store.in_doubt() == 0).await;
    // Two revisions, and the second once more.
    assert_eq!(daemon.probe().sent(), 3);
}

#[tokio::test]
async fn a_merged_incident_does_not_come_back_after_its_deletion() {
    let mut backend = Delaying::start().await;
    let daemon = deleted_before_the_late_request(&mut backend).await;
    assert_eq!(backend.holds("pagerduty:QLATE00001"), None);
    backend.pass_on_the_late_request();
    backend.next(&daemon).await;
    assert_eq!(backend.holds("pagerduty:QLATE00001"), None);
}

#[tokio::test]
async fn a_rejected_repeat_can_be_retried() {
    let mut backend = Delaying::start().await;
    let daemon = deleted_before_the_late_request(&mut backend).await;
    backend.pass_on_the_late_request();
    backend.refuses(true);
    backend.next(&daemon).await;
    daemon.until(|store| store.dead() == 1).await;
    let dead = daemon.get("/api/v1/outbox?state=dead").await.json()["rows"][0].clone();
    assert_eq!((&dead["repeats"], &dead["last_status"]), (&json!(true), &json!(400)));
    assert!(backend.holds("pagerduty:QLATE00001").is_some(), "the backend shows the older state");
    backend.refuses(false);
    let retry = format!("http://{}/api/v1/outbox/{}/retry", daemon.admin, dead["id"]);
    assert_eq!(daemon.client.post(retry).send().await.unwrap().status(), 200);
    backend.next(&daemon).await;
    daemon.until(|store| store.dead() == 0 && store.in_doubt() == 0).await;
    assert_eq!(backend.holds("pagerduty:QLATE00001"), None);
}

#[tokio::test]
async fn a_revision_is_sent_once_more_even_after_a_restart() {
    let mut backend = Delaying::start().await;
    let daemon = deleted_before_the_late_request(&mut backend).await;
    let daemon = daemon.restart(&backend.entry()).await;
    backend.pass_on_the_late_request();
    backend.next(&daemon).await;
    assert_eq!(backend.holds("pagerduty:QLATE00001"), None);
}

#[tokio::test]
async fn kinds_that_keep_every_revision_get_no_repeat() {
    for kind in ["http", "cdevents"] {
        let mut backend = Delaying::start().await;
        let entry = format!(
            "[[backend]]\nname = \"metrics\"\nkind = \"{kind}\"\nurl = \"http://{}/\"\ntimeout = \"20s\"\n",
            backend.address
        );
        let daemon = Daemon::start(&entry).await;
        daemon.expect(event_of("incident.resolved", "QLATE00001"), "accepted").await;
        backend.next(&daemon).await;
        daemon.until(|store| store.failed_with_unknown_outcome() > 0).await;
        // The first is given up, so that the next revision is the next request.
        store_edit::discard_all(&daemon.store);
        daemon.expect(reopened(), "accepted").await;
        until_sent(&daemon).await;
        assert_eq!(daemon.probe().to_be_sent_again(), 0, "{kind}");
    }
}
