//! `kill -9` of one of three replicas after the other, under load, while the backend fails at random. A client that sends
//! a webhook to the next replica is never refused, no event is lost or counts twice, and the backend gets the revisions of
//! each failure in order.
//!
//! `REPLICA_KILLS=1000 cargo test a_replica_is_killed` kills 1,000 times. `SEED=` repeats a run, except for the moments.

use std::time::Duration;

use fastrand::Rng;

use super::running::Replicas;
use crate::engine::PostgresStore;
use crate::kill_under_load::number;

/// Number of kills that share a store. Much of what they leave to be sent is sent at the end.
const KILLS_IN_A_STORE: u64 = 50;
/// Longest time between two kills.
const KILL_EVERY_MILLIS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_killed_again_and_again_and_nobody_notices() {
    let kills = number("REPLICA_KILLS").unwrap_or(KILLS_IN_A_STORE);
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut done = 0;
    while done < kills {
        let Some(store) = PostgresStore::new() else { return };
        let kills_here = KILLS_IN_A_STORE.min(kills - done);
        let summary = play(store, kills_here, &mut rng).await;
        done += kills_here;
        eprintln!("{done} kills: {summary}");
    }
}

/// Kills some replicas. Returns a summary.
async fn play(store: PostgresStore, kills: u64, rng: &mut Rng) -> String {
    let mut replicas = Replicas::start(store, rng).await;
    for _ in 0..kills {
        let moment = Duration::from_millis(rng.u64(..KILL_EVERY_MILLIS));
        replicas.answers_or(rng.u64(1..400), moment).await;
        let killed = replicas.take(rng);
        replicas.start_again(killed);
    }
    replicas.finish().await
}
