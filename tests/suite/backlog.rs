//! Tests of the backlog: events that are stored but not folded into failures yet.

use std::path::Path;

use bytes::Bytes;
use pagerduty_dora::sources;
use pagerduty_dora::sources::pagerduty::{SOURCE, payload};
use pagerduty_dora::store::{Delivery, Settings, Store, StoreError};
use tokio::task::JoinSet;

use crate::engine::{is_only_of_sqlite, store_address};
use crate::harness::{event_of, time};
use crate::store_edit::{self, Lock};
use crate::store_probe::Probe;

const MAX_BACKLOG: usize = 2_048;
/// A full backlog, as many events that may be folded before the poisoned one, and one more group.
const MORE_THAN_FIT: usize = 2 * MAX_BACKLOG + 512;

/// Part of SQLite that these tests are about.
const IN_MEMORY: &str = "the backlog is in memory, and limited; that of PostgreSQL is a table";

async fn record(store: Store, incident: String) -> Result<(), StoreError> {
    let body = Bytes::from(event_of("incident.triggered", &incident));
    let heading = payload::heading(&body).unwrap();
    let received_at = time("2026-11-20T00:00:00Z");
    store
        .record(heading, Delivery { source: &SOURCE, id: None, received_at, body, reservation: None })
        .await
        .map(drop)
}

fn open(path: &Path, max_backlog: usize) -> Store {
    let settings = Settings { sources: sources::ALL, max_backlog, ..Settings::default() };
    Store::open(store_address(path), settings).unwrap()
}

/// Runs on one thread, so that after 64 yields all spawned tasks have reached the writer.
#[tokio::test]
async fn events_are_refused_once_the_backlog_is_full() {
    if is_only_of_sqlite(IN_MEMORY) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, MAX_BACKLOG);
    store_edit::poison(&path, "pagerduty:QPOISON01");
    let mut accepted = 0;
    let mut waiting = JoinSet::new();
    // The poisoned event arrives among many: among a few it would be folded, and refused, at once.
    let mut lock = Some(Lock::take(&path));
    for n in 0..MORE_THAN_FIT {
        let incident = if n == 40 { "QPOISON01".to_owned() } else { format!("QFINE{n:05}") };
        waiting.spawn(record(store.clone(), incident));
        if waiting.len() == 64 {
            if let Some(lock) = lock.take() {
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
                drop(lock);
            }
            match waiting.join_next().await.unwrap().unwrap() {
                Ok(()) => accepted += 1,
                Err(StoreError::NotCommitted(_)) if accepted > 100 => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!((MAX_BACKLOG - 64..MORE_THAN_FIT - 64).contains(&accepted), "{accepted}");
    waiting.join_all().await.into_iter().for_each(drop);
    // Once the failure can be written again, the backlog is folded.
    store_edit::cure(&path);
    record(store, "QAFTER0001".to_owned()).await.unwrap();
    Probe::open(&path).until(Probe::is_folded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_than_the_backlog_holds_are_all_folded() {
    if is_only_of_sqlite(IN_MEMORY) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, 100);
    let probe = Probe::open(&path);
    let mut waiting = JoinSet::new();
    for n in 0..1_000 {
        waiting.spawn(record(store.clone(), format!("QRUSH{n:05}")));
        if waiting.len() == 64 {
            waiting.join_next().await.unwrap().unwrap().unwrap();
            let unfolded = probe.unfolded();
            assert!(unfolded <= 100, "a start after a crash would have to fold {unfolded}");
        }
    }
    waiting.join_all().await.into_iter().for_each(Result::unwrap);
    probe.until(Probe::is_folded).await;
    assert_eq!(probe.failures(), 1_000);
}
