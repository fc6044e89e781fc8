//! A replica that is frozen while it sends to the backend, and perhaps has the turn. The others go on: they take webhooks
//! in at once, and take over from it. When it wakes up, it sends nothing that is older.

use fastrand::Rng;

use super::running::Replicas;
use crate::engine::PostgresStore;
use crate::kill_under_load::number;

/// Number of replicas that are frozen, one after the other.
const ROUNDS: u64 = 2;
/// Answers that the others give meanwhile.
const ANSWERS: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn the_others_take_over_from_a_frozen_replica_and_keep_the_order() {
    let Some(store) = PostgresStore::new() else { return };
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut replicas = Replicas::start(store, &mut rng).await;
    for _ in 0..number("ROUNDS").unwrap_or(ROUNDS) {
        let frozen = replicas.take_sender().await;
        // Before, at or after any message to the server.
        replicas.answers(rng.u64(..100)).await;
        frozen.process.signal("STOP");
        replicas.answers(ANSWERS).await;
        replicas.sender("another replica that sends to the backend").await;
        frozen.process.signal("CONT");
        replicas.put_back(frozen);
        replicas.answers(ANSWERS).await;
    }
    eprintln!("{}", replicas.finish().await);
}
