//! A later version of the program, or another configuration, while webhooks come: the others only take them in, and decide
//! again when it has gone.

use fastrand::Rng;

use super::running::Replicas;
use crate::engine::PostgresStore;
use crate::kill_under_load::number;
use crate::postgres::ask;

/// Answers of the replicas while they only take in.
const ANSWERS: u64 = 200;

/// Traces of a later version in the database, as statements that make and remove them.
struct Later {
    begins: &'static str,
    ends: &'static str,
}

/// It has migrated the database, and is not there.
const MIGRATED: Later =
    Later { begins: "UPDATE turn SET schema = schema + 1", ends: "UPDATE turn SET schema = schema - 1" };

/// It lives, and has changed no table.
const LIVES: Later = Later {
    begins: "INSERT INTO replica (name, fingerprint, alive_until)
        VALUES ('later', 'a later version', clock_timestamp() + INTERVAL '1 hour')",
    ends: "UPDATE replica SET alive_until = clock_timestamp() WHERE name = 'later'",
};

/// Number of turns so far, and of leases that have not ended.
fn deciding(store: &PostgresStore) -> (i64, i64) {
    let number = |sql| ask(&store.url(), sql).parse::<i64>().unwrap();
    (
        number("SELECT number FROM turn;"),
        number("SELECT count(*) FROM lease WHERE until > clock_timestamp();"),
    )
}

/// Plays a later version that begins, and ends, while webhooks come.
async fn only_taken_in_meanwhile(later: &[Later]) {
    let Some(store) = PostgresStore::new() else { return };
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("SEED={seed}");
    let mut replicas = Replicas::start(store, &mut Rng::with_seed(seed)).await;
    replicas.answers(ANSWERS).await;
    let script = |script: &dyn Fn(&Later) -> &'static str| {
        let statements: Vec<&str> = later.iter().map(script).collect();
        format!("BEGIN; {}; COMMIT;", statements.join("; "))
    };
    let url = replicas.store.url();
    ask(&url, &script(&|later| later.begins));
    replicas.until_all_have("stepped_back", 1).await;
    let page = replicas.page("/").await;
    assert!(page.contains("This replica takes events in, and decides nothing"), "{page}");
    let (turns, _) = deciding(&replicas.store);
    let unfolded = || ask(&url, "SELECT count(*) FROM unfolded;").parse::<i64>().unwrap();
    let before = unfolded();
    replicas.answers(ANSWERS).await;
    assert!(unfolded() > before, "{} events after {before}", unfolded());
    // Time passes for the leases. A replica tries to take each of them once a second.
    ask(&url, "UPDATE lease SET until = clock_timestamp();");
    replicas.answers(ANSWERS).await;
    assert_eq!(deciding(&replicas.store).1, 0);
    assert_eq!(deciding(&replicas.store).0, turns);
    // The store is well: what they do not decide counts as no trouble, of which a person is told.
    replicas.until_all_have("writes_refused_total", 0).await;
    ask(&url, &script(&|later| later.ends));
    replicas.until_all_have("stepped_back", 0).await;
    assert!(!replicas.page("/").await.contains("decides nothing"));
    println!("{}", replicas.finish().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_only_take_in_after_a_later_version_has_migrated_the_database() {
    only_taken_in_meanwhile(&[MIGRATED]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_only_take_in_while_a_later_version_lives() {
    only_taken_in_meanwhile(&[LIVES]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_only_take_in_while_a_later_version_lives_that_has_migrated_the_database() {
    only_taken_in_meanwhile(&[LIVES, MIGRATED]).await;
}
