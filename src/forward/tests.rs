use bytes::Bytes;

use super::*;
use crate::backend::tests::that_panics;
use crate::clock::ManualClock;
use crate::sources;
use crate::sources::pagerduty::{SOURCE, payload};
use crate::store::{Delivery, OutboxFilter, OutboxRow, Reader, RowState, Settings};

#[tokio::test]
async fn a_panic_counts_as_a_failed_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (backend, metrics) = (Arc::new(that_panics()), Metrics::new(["panics".to_owned()]));
    let settings = Settings {
        destinations: vec![Arc::clone(&backend) as Arc<dyn Destination>],
        sources: sources::ALL,
        observer: Arc::clone(&metrics) as _,
        ..Settings::default()
    };
    let store = Store::open(&path, settings).unwrap();
    let clock = ManualClock::at(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    let body = include_bytes!("../../fixtures/pagerduty/incident.resolved.json");
    let delivery = Delivery {
        source: &SOURCE,
        id: None,
        received_at: clock.now(),
        body: Bytes::from_static(body),
        reservation: None,
    };
    store.record(payload::heading(body).unwrap(), delivery).await.unwrap();
    store.wait_until_folded().await;

    let forwarder = Forwarder { backend, store, clock: Arc::clone(&clock) as _, metrics };
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(forwarder.run(stopped));
    let reader = Reader::open(&path).unwrap();
    let row = || -> OutboxRow {
        reader.outbox(&OutboxFilter { limit: 1, ..OutboxFilter::default() }).unwrap().rows.remove(0)
    };
    for _ in 0..100_000 {
        if row().attempts >= 3 {
            break;
        }
        clock.advance(Duration::from_mins(1));
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    let row = row();
    assert!(row.attempts >= 3, "its claim never ends");
    assert_eq!((row.state, row.last_status), (RowState::Pending, None));
    assert!(row.last_error.unwrap().contains("as no backend should"));
}
