//! Work on many rows is done in parts.

use std::sync::Arc;
use std::time::Duration;

use super::claim::ClaimOrder;
use super::commands::RetryCursor;
use super::{lane, reconcile};
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::lane::Lane;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::sql::params;
use crate::store::{CommitObserver, MAX_BACKLOG, Settings, Store};

struct Nobody;

impl CommitObserver for Nobody {
    fn committed(&self, _: usize, _: Duration) {}
}

/// A store with this many deployments, in rows from 1 on.
pub(in crate::store) async fn store_with(deployments: i64, folder: &tempfile::TempDir) -> Store {
    let settings = Settings {
        policy: Arc::new(Policy::default()),
        destinations: Vec::new(),
        sources: Sources::new(&[]),
        fingerprint: None,
        is_daemon: false,
        max_backlog: MAX_BACKLOG,
        observer: Arc::new(Nobody),
    };
    let store = Store::open(&folder.path().join("store.db"), settings).unwrap();
    for n in 1..=deployments {
        let made = deployment(&n.to_string(), "", "00:00", "00:10");
        store.record_deployment(made, time("01:00")).await.unwrap();
    }
    store
}

async fn run(store: &Store, sql: &'static str) -> usize {
    store.queue(move |session| session.run(sql, params![])).await.unwrap()
}

#[tokio::test]
async fn known_marks_are_found_without_looking_at_many_deployments_at_a_time() {
    /// Deployments with a mark at the backend: 2, 4, 5 and 6.
    const ROWS: &str = "INSERT INTO outbox
        (backend, topic, deployment, revision, state, created_at_ns, lane, action, body) VALUES
        ('metrics', 'deployment', 1, 1, 'sent', 0, 'main', 'replace', x''),
        ('metrics', 'mark', 2, 1, 'sent', 0, 'main', 'mark', x''),
        ('metrics', 'mark', 3, 1, 'superseded', 0, 'main', 'mark', x''),
        ('metrics', 'mark', 4, 1, 'superseded', 0, 'main', 'mark', x''),
        ('metrics', 'mark', 4, 2, 'dead', 0, 'main', 'unmark', x''),
        ('metrics', 'mark', 5, 1, 'pending', 0, 'main', 'mark', x''),
        ('metrics', 'mark', 6, 1, 'sent', 0, 'main', 'mark', x''),
        ('others', 'mark', 7, 1, 'sent', 0, 'main', 'mark', x'')";
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(7, &folder).await;
    run(&store, ROWS).await;
    let look = async |after| {
        let look = store.queue(move |session| {
            let last = reconcile::known_marks(session, "metrics", after, time("02:00"))?;
            Ok((last, std::mem::take(&mut session.changes.marks).into_keys().collect::<Vec<_>>()))
        });
        look.await.unwrap()
    };
    assert_eq!(look(0).await, (Some(3), vec![2]));
    assert_eq!(look(3).await, (Some(5), vec![4, 5]));
    assert_eq!(look(5).await, (Some(7), vec![6]));
    assert_eq!(look(7).await, (None, vec![]));
    assert_eq!(look(0).await, (None, vec![]), "it is done");
}

/// Rows of the deployments 1 to 6 that wait until 05:00 because of an attempt, the last of them as suspect.
const WAITING: &str = "INSERT INTO outbox
    (backend, topic, deployment, revision, created_at_ns, due_at_ns, attempts, suspect, lane, action, body)
    SELECT 'metrics', 'deployment', id, 1, 0, finished_at_ns + 17400000000000, 1, id = 6, 'main', 'replace', x''
    FROM stored_deployment WHERE id <= 6";

/// Times of the waiting rows, by row.
async fn due_at(store: &Store) -> Vec<Timestamp> {
    const DUE: &str = "SELECT due_at_ns FROM outbox ORDER BY id";
    let times =
        store.queue(|session| session.db().all(DUE, params![], |row| Ok(Timestamp::from_nanos(row.get(0)?))));
    times.await.unwrap()
}

#[tokio::test]
async fn waiting_rows_are_released_in_parts_until_all_are_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(6, &folder).await;
    run(&store, WAITING).await;
    let (now, later) = (time("02:00"), time("05:00"));
    assert_eq!(due_at(&store).await, [later; 6]);
    let part = store.queue(move |session| lane::release(session, "metrics", (Lane::Main, false), now));
    assert_eq!(part.await.unwrap(), 2);
    store.release("metrics", Lane::Main, now).await.unwrap();
    assert_eq!(due_at(&store).await, [now, now, now, now, now, later]);
}

#[tokio::test]
async fn a_retry_of_waiting_rows_counts_those_of_all_parts() {
    const LANES: &str = "INSERT INTO lane (backend, lane, condition, not_before_ns, failed_probes) VALUES
        ('idle', 'main', 'delivering', NULL, 0), ('metrics', 'application_key', 'delivering', NULL, 0),
        ('metrics', 'main', 'unreachable', 9000000000000000000, 1)";
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(7, &folder).await;
    run(&store, WAITING).await;
    run(&store, LANES).await;
    // It is due, and waits for a probe.
    run(&store, "INSERT INTO outbox (backend, topic, deployment, revision, created_at_ns, due_at_ns, lane, action, body)
        VALUES ('metrics', 'deployment', 7, 1, 0, 0, 'main', 'replace', x'')").await;
    let now = time("02:00");
    let (mut waiting, mut next) = (Vec::new(), Some(RetryCursor::default()));
    while let Some(last) = next {
        let (part, after) = store.request_retry_of_some(None, last, now).await.unwrap();
        waiting.push(part.waiting);
        next = after;
    }
    assert_eq!(waiting, [0, 0, 0, 0, 0, 7, 0], "two lanes without rows, and three parts of the third");
    assert_eq!(due_at(&store).await[..6], [now; 6]);
    let most = store.waiting("metrics", Lane::Main, 5).await;
    assert_eq!((most, store.waiting("metrics", Lane::Main, 8).await), (Ok(5), Ok(7)));
    assert_eq!(store.lane_health("metrics", Lane::Main).await.unwrap().not_before, Some(now));
}

#[tokio::test]
async fn claims_make_rows_due_in_parts_after_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(6, &folder).await;
    run(&store, WAITING).await;
    let epoch = store.begin_claims("metrics").await.unwrap().unwrap();
    let (now, later) = (time("02:00"), time("05:00"));
    let claim = async || {
        let claim = store.claim(("metrics", epoch), Lane::Main, ClaimOrder::All, || 0, now);
        claim.await.unwrap();
        due_at(&store).await.iter().filter(|due_at| **due_at < later).count()
    };
    assert_eq!([claim().await, claim().await, claim().await, claim().await], [2, 4, 6, 6]);
}
