//! Tests of events whose failures cannot be brought up to date.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::pagerduty::payload;
use pagerduty_dora::store::{CommitObserver, Delivery, Settings, Store, StoreError};
use tokio::task::JoinSet;

use crate::harness::{event_of, time};

const MOST_UNFOLDED: usize = 2_048;
/// Events that fit, as many again that were folded before the poison was met, and a group more.
const MORE_THAN_FIT: usize = 2 * MOST_UNFOLDED + 512;

struct Nobody;

impl CommitObserver for Nobody {
    fn committed(&self, _: usize, _: Duration) {}
}

async fn record(store: Store, incident: String) -> Result<(), StoreError> {
    let body = Bytes::from(event_of("incident.triggered", &incident));
    let heading = payload::heading(&body).unwrap();
    let received_at = time("2026-11-20T00:00:00Z");
    store.record(heading, Delivery { id: None, received_at, body, reservation: None }).await.map(drop)
}

fn open(path: &Path, most_unfolded: usize) -> Store {
    let settings = Settings {
        policy: Arc::new(Policy::default()),
        destinations: Vec::new(),
        link_window: Duration::from_hours(24),
        parse: payload::stored,
        most_unfolded,
        observer: Arc::new(Nobody),
    };
    Store::open(path, settings).unwrap()
}

fn all_is_folded(db: &rusqlite::Connection) {
    const UNFOLDED: &str =
        "SELECT (SELECT max(id) FROM event) - (SELECT coalesce(max(up_to), 0) FROM folded)";
    for _ in 0..1_000_000 {
        if db.query_row(UNFOLDED, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the backlog stays");
}

/// On one thread, so that it can be said when everything spawned has been handed to the writer.
#[tokio::test]
async fn what_cannot_be_folded_is_refused_before_it_fills_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, MOST_UNFOLDED);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TRIGGER poison BEFORE INSERT ON failure WHEN new.failure_id = 'pagerduty:QPOISON01'
        BEGIN SELECT RAISE(ABORT, 'poison'); END",
    )
    .unwrap();
    let mut accepted = 0;
    let mut waiting = JoinSet::new();
    // The poison comes in a rush: among a few it would be folded, and refused, at once.
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..MORE_THAN_FIT {
        let incident = if n == 40 { "QPOISON01".to_owned() } else { format!("QFINE{n:05}") };
        waiting.spawn(record(store.clone(), incident));
        if waiting.len() == 64 {
            if !db.is_autocommit() {
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
                db.execute_batch("COMMIT").unwrap();
            }
            match waiting.join_next().await.unwrap().unwrap() {
                Ok(()) => accepted += 1,
                Err(StoreError::NotCommitted(_)) if accepted > 100 => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!((MOST_UNFOLDED - 64..MORE_THAN_FIT - 64).contains(&accepted), "{accepted}");
    waiting.join_all().await.into_iter().for_each(drop);
    // Once the cause is gone, so is the backlog.
    db.execute_batch("DROP TRIGGER poison").unwrap();
    record(store, "QAFTER0001".to_owned()).await.unwrap();
    all_is_folded(&db);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_rush_of_more_than_may_wait_everything_is_folded_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, 100);
    let db = rusqlite::Connection::open(&path).unwrap();
    // Events that a start after a crash would have to fold.
    let unfolded = "SELECT (SELECT count(*) FROM event) - (SELECT coalesce(max(up_to), 0) FROM folded)";
    let mut waiting = JoinSet::new();
    for n in 0..1_000 {
        waiting.spawn(record(store.clone(), format!("QRUSH{n:05}")));
        if waiting.len() == 64 {
            waiting.join_next().await.unwrap().unwrap().unwrap();
            let unfolded: i64 = db.query_row(unfolded, [], |row| row.get(0)).unwrap();
            assert!(unfolded <= 100, "{unfolded}");
        }
    }
    waiting.join_all().await.into_iter().for_each(Result::unwrap);
    all_is_folded(&db);
    let failures: i64 = db.query_row("SELECT count(*) FROM failure", [], |row| row.get(0)).unwrap();
    assert_eq!(failures, 1_000);
}
