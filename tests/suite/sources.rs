//! Tests with a made-up source beside PagerDuty: events, incidents and refusals of the two are kept apart.

use std::path::Path;
use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use pagerduty_dora::clock::{Clock, ManualClock};
use pagerduty_dora::domain::event::{
    AboutIncident, Event, EventKind, EventSubject, Heading, Origin, Snapshot,
};
use pagerduty_dora::domain::id::IncidentId;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::source::{Source, Sources};
use pagerduty_dora::domain::source_name::SourceName;
use pagerduty_dora::http::{
    self, BodyBudget, EventsApi, Keys, Limits, ListenerService, Requests, SourceRequests, WebhookIntake,
};
use pagerduty_dora::sources::{RefusalReason, RefusalText, SignatureError, Verify, Webhooks, pagerduty};
use pagerduty_dora::store::{Delivery, QuarantineRetry, Reader, Recorded, Settings, Store, StoryContext};
use pagerduty_dora::telemetry::connections::Listener;
use pagerduty_dora::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::engine::{is_only_of_sqlite, store_address};
use crate::harness::{client, event_of, time};
use crate::store_edit;

/// A source whose bodies are four words: the event's id, its type, the incident's id, and a time.
static MADE_UP: Source = Source {
    name: SourceName::new("madeup"),
    incidents_of: Some(SourceName::new("madeup")),
    title: "Made-up",
    heading,
    parse,
};

static TABLE: &[&Source] = &[&pagerduty::SOURCE, &MADE_UP];
const SOURCES: Sources = Sources::new(TABLE);
const INCIDENT: &str = "QSHARED001";

fn parse(body: &[u8]) -> Option<Event> {
    let text = std::str::from_utf8(body).ok()?;
    let [id, event_type, incident, at] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let kind = match event_type {
        "began" => EventKind::Triggered,
        "ended" => EventKind::Resolved,
        _ => return None,
    };
    let snapshot = Snapshot { title: Some("made up".to_owned()), ..Snapshot::default() };
    let incident = IncidentId::parse(&MADE_UP.name, incident)?;
    let subject = AboutIncident { incident, kind, snapshot: Some(Box::new(snapshot)), deployment: None };
    Some(Event {
        origin: Origin::Sent,
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        occurred_at: time(at),
        subject: Some(EventSubject::Incident(subject)),
    })
}

fn heading(body: &[u8]) -> Result<Heading, String> {
    let event = parse(body).ok_or("not four words")?;
    Ok(Heading {
        id: event.id,
        event_type: event.event_type.into(),
        occurred_at: Some(event.occurred_at),
        subject: event.subject.as_ref().map(EventSubject::id),
        has_placeholder_time: false,
        is_test: false,
    })
}

fn settings() -> Settings {
    Settings { sources: SOURCES, ..Settings::default() }
}

fn open(path: &Path) -> Store {
    Store::open(store_address(path), settings()).unwrap()
}

fn delivery(source: &'static Source, body: &str) -> Delivery {
    let body = Bytes::from(body.to_owned());
    Delivery { source, id: None, received_at: time("2026-11-20T00:00:00Z"), body, reservation: None }
}

async fn record(store: &Store, source: &'static Source, body: &str) -> Recorded {
    let heading = (source.heading)(body.as_bytes()).unwrap();
    store.record(heading, delivery(source, body)).await.unwrap()
}

/// The event id in a body from PagerDuty.
fn id_of(body: &str) -> String {
    (pagerduty::SOURCE.heading)(body.as_bytes()).unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_unique_within_their_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let theirs = event_of("incident.resolved", INCIDENT);
    let ours = format!("{} began {INCIDENT} 2026-11-19T10:00:00Z", id_of(&theirs));
    for expected in [Recorded::Accepted, Recorded::Duplicate] {
        assert_eq!(record(&store, &pagerduty::SOURCE, &theirs).await, expected);
        assert_eq!(record(&store, &MADE_UP, &ours).await, expected);
    }

    let reader = Reader::open(store_address(&path)).unwrap();
    let listed =
        reader.failures(&pagerduty_dora::store::FailureFilter { limit: 10, ..Default::default() }).unwrap();
    let mut shown: Vec<_> = listed.failures.iter().map(|listed| &listed.failure).collect();
    shown.sort_by_key(|failure| failure.id.to_string());
    let names: Vec<_> = shown
        .iter()
        .map(|failure| (failure.id.as_str(), failure.source.as_str(), failure.incident.as_deref()))
        .collect();
    assert_eq!(
        names,
        [
            ("madeup:QSHARED001", "madeup", Some(INCIDENT)),
            ("pagerduty:QSHARED001", "pagerduty", Some(INCIDENT))
        ]
    );
    assert_eq!(shown[0].title.as_deref(), Some("made up"), "each body is read by its own source");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_found_by_its_id_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    record(&store, &MADE_UP, "1 began ALONE 2026-11-19T10:00:00Z").await;
    let reader = Reader::open(store_address(&path)).unwrap();
    let policy = Policy::default();
    let now = time("2026-11-20T00:00:00Z");
    let context = StoryContext { policy: &policy, backend_entries: &[], now, sources: SOURCES };
    for id in ["ALONE", "madeup:ALONE"] {
        let explained = reader.story(id, context).unwrap().unwrap();
        assert_eq!(explained.failure.unwrap().failure.id.as_str(), "madeup:ALONE", "{id}");
    }
    for id in ["alone", "al", "madeup:al"] {
        let found = reader.find(id, SOURCES, 2).unwrap();
        assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ["madeup:ALONE"], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_is_read_again_by_its_own_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let ours = "2 began QUARANTINED1 2026-11-19T10:00:00Z";
    for (source, body) in [(&pagerduty::SOURCE, ours), (&MADE_UP, ours)] {
        store.quarantine("not understood".to_owned(), delivery(source, body)).await.unwrap();
    }
    assert!(matches!(store.retry_quarantined(1).await.unwrap(), QuarantineRetry::NotUnderstood(_)));
    assert_eq!(store.retry_quarantined(2).await.unwrap(), QuarantineRetry::Recorded(Recorded::Accepted));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_unknown_source_are_an_error() {
    if is_only_of_sqlite("replicas fold what is left after their start, not before") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    record(&store, &MADE_UP, "1 began UNKNOWN 2026-11-19T10:00:00Z").await;
    let mut ended = store.ended();
    drop(store);
    ended.wait_for(|ended| *ended != pagerduty_dora::store::WriterState::Running).await.unwrap();
    store_edit::unfold(&path);
    store_edit::attribute_events_to(&path, "gone");
    let error = Store::open(store_address(&path), settings()).err().unwrap().to_string();
    assert!(error.contains("\"gone\""), "{error}");
}

/// A verifier that compares a password in a header.
struct Password(&'static str);

impl Verify for Password {
    fn verify(&self, headers: &HeaderMap, _: &[u8]) -> Result<(), SignatureError> {
        let sent = headers.get("x-madeup-password").ok_or(SignatureError::Missing)?;
        if sent == self.0 { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

fn made_up_webhooks() -> Webhooks {
    Webhooks {
        source: &MADE_UP,
        path: "/webhooks/madeup".to_owned(),
        delivery_id_header: "x-madeup-id",
        retry_unverified: false,
        verifier: Box::new(Password("open sesame")),
        recognizes: |headers| headers.contains_key("x-madeup-password"),
        refusal_text: |reason| RefusalText {
            cause: if reason == RefusalReason::NoSignature { "No password" } else { "Refused" },
            advice_for_sender: "",
            remedy: "Ask",
        },
        resend_sentence: "It sends again",
        is_read_from_api: false,
        advice_after_test: |_| None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_has_its_route_its_words_and_its_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let clock: Arc<dyn Clock> = ManualClock::at(time("2026-11-20T00:00:00Z"));
    let metrics = Metrics::new([]);
    let source = SourceRequests::new(made_up_webhooks(), Arc::clone(&metrics), Arc::clone(&clock), None);
    let requests = Requests::new(Arc::clone(&metrics), Arc::clone(&clock), vec![Arc::clone(&source)]);
    let intake = WebhookIntake {
        store: store.clone(),
        budget: BodyBudget::default(),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        source,
    };
    let events_api = EventsApi {
        store: store.clone(),
        budget: BodyBudget::default(),
        clock: Arc::clone(&clock),
        policy: Arc::new(Policy::default()),
        requests: Arc::clone(&requests),
        keys: Keys::new([]),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/madeup", listener.local_addr().unwrap());
    let (stop, stopped) = watch::channel(false);
    let router = http::public(vec![intake], events_api, requests);
    let service = ListenerService {
        routes: watch::channel(router).1,
        tls: watch::channel(None).1,
        refused: metrics.connections.of(Listener::Public),
    };
    let server = tokio::spawn(http::serve(listener, service, Limits::default(), stopped));

    let body = "1 began BYHTTP 2026-11-19T10:00:00Z";
    let send = async |url: &str, password: Option<&str>| {
        let mut request = client().post(url).body(body);
        if let Some(password) = password {
            request = request.header("x-madeup-password", password);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(send(&url, Some("open sesame")).await, (202, r#"{"status":"accepted"}"#.to_owned()));
    let (status, text) = send(&url, None).await;
    assert!(status == 401 && text.contains("No password."), "{status} {text}");
    assert_eq!(send(&format!("{url}/elsewhere"), Some("open sesame")).await.0, 404);
    stop.send_replace(true);
    server.await.unwrap();

    let text = metrics.text("").unwrap();
    for (status, count) in [("accepted", 1), ("no_signature", 1), ("no_such_path", 1), ("duplicate", 0)] {
        let line =
            format!("pagerduty_dora_webhooks_total{{source=\"madeup\",status=\"{status}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(!text.contains("source=\"pagerduty\""), "{text}");
}
