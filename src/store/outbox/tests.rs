//! Work on many rows is done in parts.

use std::sync::Arc;
use std::time::Duration;

use super::reconcile;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
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
