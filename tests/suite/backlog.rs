//! What happens to events whose failures cannot be brought up to date.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pagerduty_dora::domain::event::Event;
use pagerduty_dora::domain::id::IncidentId;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::pagerduty::payload;
use pagerduty_dora::store::{CommitObserver, Delivery, Settings, Store, StoreError};
use tokio::task::JoinSet;

use crate::harness::{event_of, time};

/// `MOST_UNFOLDED` of `store/writer.rs`, a batch that was folded before it met the poison, and a group more.
const MORE_THAN_FIT: usize = 5 * 4_096 + 512;

struct Nobody;

impl CommitObserver for Nobody {
    fn committed(&self, _: usize, _: Duration) {}
}

async fn record(store: Store, template: Arc<Event>, n: usize, incident: String) -> Result<(), StoreError> {
    let mut event = Event::clone(&template);
    event.id = format!("01KB{n}");
    event.subject.as_mut().unwrap().incident = IncidentId::parse(&incident).unwrap();
    let body = "{}";
    let received_at = time("2026-11-20T00:00:00Z");
    let delivery =
        Delivery { id: None, received_at, body: Bytes::from_static(body.as_bytes()), reservation: None };
    store.record(event, delivery).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_folded_is_refused_before_it_fills_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let settings = || Settings {
        policy: Arc::new(Policy::default()),
        destinations: Vec::new(),
        link_window: Duration::from_hours(24),
        parse: |body| payload::parse(body).ok(),
        observer: Arc::new(Nobody),
    };
    let store = Store::open(&path, settings()).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TRIGGER poison BEFORE INSERT ON failure WHEN new.failure_id = 'pagerduty:QPOISON01'
        BEGIN SELECT RAISE(ABORT, 'poison'); END",
    )
    .unwrap();
    let template = Arc::new(payload::parse(event_of("incident.triggered", "QFINE").as_bytes()).unwrap());
    let mut accepted = 0;
    let mut waiting = JoinSet::new();
    for n in 0..MORE_THAN_FIT {
        let incident = if n == 40 { "QPOISON01".to_owned() } else { format!("QFINE{n:05}") };
        waiting.spawn(record(store.clone(), Arc::clone(&template), n, incident));
        if waiting.len() == 64 {
            match waiting.join_next().await.unwrap().unwrap() {
                Ok(()) => accepted += 1,
                Err(StoreError::NotCommitted(_)) if accepted > 100 => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!((4 * 4_096 - 64..MORE_THAN_FIT - 64).contains(&accepted), "{accepted}");
    waiting.join_all().await.into_iter().for_each(drop);
    // Once the cause is gone, so is the backlog.
    db.execute_batch("DROP TRIGGER poison").unwrap();
    record(store, template, MORE_THAN_FIT, "QAFTER0001".to_owned()).await.unwrap();
    let unfolded = "SELECT (SELECT max(id) FROM event) - (SELECT up_to FROM folded)";
    for _ in 0..2_000 {
        if db.query_row(unfolded, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the backlog stays");
}
