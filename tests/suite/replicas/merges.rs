//! Merges that other replicas have stored are known without reading all of them.

use pagerduty_dora::store::Store;

use crate::engine::{PostgresStore, of_a_daemon};
use crate::harness::eventually;
use crate::histories::{close, record, settings};
use crate::kill_under_load::CONFIGURED;
use crate::model::IncidentEvent;
use crate::postgres::ask;

/// Incidents that are merged, each into another one.
const MERGED: usize = 200;
/// Turns that follow. Each is that of another replica than the one before.
const TURNS: usize = 100;
/// Most entries of the index that are read, of which about one is needed for each incident.
const MOST_ENTRIES: usize = 10 * MERGED;

fn merged(n: usize) -> Vec<u8> {
    let event = IncidentEvent {
        id: format!("01MERGED{n}"),
        incident: format!("QMERGED{n}"),
        event_type: "resolved",
        at: 60_000,
        created_at: Some(0),
        reopened_at: None,
        title: None,
        service: None,
        urgency: None,
        priority: None,
        merged_into: Some(Some(format!("QTARGET{n}"))),
    };
    event.body()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_after_that_of_another_replica_does_not_read_all_merges() {
    const READ: &str = "SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes
        WHERE schemaname = current_schema() AND indexrelname = 'failure_by_target';";
    let Some(store) = PostgresStore::new() else { return };
    let replicas = [(); 2].map(|()| Store::open(store.address(), of_a_daemon(settings(CONFIGURED))).unwrap());
    record(&replicas[0], (0..MERGED).map(merged).collect()).await;
    replicas[0].wait_until_folded().await;
    for turn in 0..TURNS {
        // Any write that needs a turn.
        replicas[turn % 2].forget_unmarked().await.unwrap();
    }
    for replica in replicas {
        close(replica).await;
    }
    // A session says what it has read when it ends, at the latest.
    let read = eventually("the searches for merges", async || {
        let answer = ask(&store.url(), READ);
        let (searches, entries) = answer.split_once('|').unwrap();
        (searches.parse::<usize>().unwrap() >= MERGED).then(|| entries.parse::<usize>().unwrap())
    });
    let read = read.await;
    assert!(read < MOST_ENTRIES, "{read} entries of the index are read");
}
