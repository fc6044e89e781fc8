//! One history that is delivered through one, two and three replicas, in any split.

use fastrand::Rng;
use pagerduty_dora::store::Store;

use crate::engine::{PostgresStore, of_a_daemon};
use crate::histories::{close, history, listed, record, settings};
use crate::kill_under_load::{CONFIGURED, number};
use crate::model::IncidentEvent;

/// Number of histories, unless `HISTORIES` says another one.
const HISTORIES: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_history_gives_the_same_failures_through_any_number_of_replicas() {
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let histories = number("HISTORIES").unwrap_or(HISTORIES);
    let events: Vec<IncidentEvent> =
        (0..histories).flat_map(|n| history(rng.u64(..), &format!("H{n}"))).collect();
    let mut expected = None;
    for replicas in 1..=3 {
        let Some(store) = PostgresStore::new() else { return };
        let open = || Store::open(store.address(), of_a_daemon(settings(CONFIGURED))).unwrap();
        let stores: Vec<Store> = (0..replicas).map(|_| open()).collect();
        let mut parts = vec![Vec::new(); replicas];
        for event in &events {
            // Some events are delivered to two replicas, in different groups.
            for _ in 0..rng.usize(1..=2) {
                parts[rng.usize(..replicas)].push(event.body());
            }
        }
        let recorded = stores.iter().zip(parts).map(|(store, mut bodies)| {
            rng.shuffle(&mut bodies);
            record(store, bodies)
        });
        futures_util::future::join_all(recorded).await;
        for store in stores {
            close(store).await;
        }
        // Whatever is not folded yet is folded by the next start.
        let last = open();
        last.wait_until_folded().await;
        close(last).await;
        let failures = listed(&store.path());
        assert!(!failures.is_empty());
        assert_eq!(&failures, expected.get_or_insert_with(|| failures.clone()), "{replicas} replicas");
    }
}
