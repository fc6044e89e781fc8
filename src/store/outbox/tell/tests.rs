//! Commands whose parts end after each row leave no row out, and take none twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::backend::{Backend, Outgoing};
use crate::config::Config;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::id::FailureId;
use crate::domain::source::Sources;
use crate::domain::submission::Submission;
use crate::domain::tell::ToldCounts;
use crate::store::{
    CommandCursor, CommandTotals, CommitObserver, GroupKind, MAX_BACKLOG, OutboxFilter, Reader, RowCommand,
    RowGroup, RowState, Settings, Store,
};

const BACKEND: &str = r#"
[[backend]]
name = "datadog"
kind = "datadog"
url = "http://127.0.0.1:9"
api_key = { value = "a" }
application_key = { value = "b" }
deployments = true
change_failures = true
"#;

/// Number of deployments, and of failures, each of which is caused by another deployment.
const MANY: usize = 5;

struct Nobody;

impl CommitObserver for Nobody {
    fn committed(&self, _: usize, _: Duration) {}
}

/// A store that is told of deployments and of failures before it has a backend.
async fn filled(path: &Path) -> Store {
    let config = Config::parse(BACKEND).unwrap();
    let (policy, backend) =
        (config.policy(), Backend::from_config(&config.backend[0], &Outgoing::default()).unwrap());
    let settings = Settings {
        policy: Arc::new(policy),
        destinations: Vec::new(),
        sources: Sources::new(&[]),
        fingerprint: None,
        is_daemon: false,
        max_backlog: MAX_BACKLOG,
        observer: Arc::new(Nobody),
    };
    let policy = Arc::clone(&settings.policy);
    let store = Store::open(path, settings).unwrap();
    for n in 0..MANY {
        // Some have the same end.
        let at = format!("00:{:02}", n / 2);
        let deployment = deployment(&n.to_string(), &format!("service {n}"), "00:00", &at);
        let failure = Submission {
            id: FailureId::parse(&format!("failure:{n:0>9}")).unwrap(),
            services: vec![deployment.service.clone()],
            env: deployment.env.clone(),
            started_at: time("00:10"),
            finished_at: Some(time("00:20")),
            team: None,
            name: None,
            severity: None,
            version: None,
            commit_sha: None,
            repository_url: None,
            tags: BTreeSet::new(),
            in_the_future: false,
        };
        store.record_deployment(deployment, time("01:00")).await.unwrap();
        store.submit(failure, time("01:00")).await.unwrap();
    }
    store.configure(policy, vec![Arc::new(backend)], None);
    store
}

/// Tells everything since a time. Returns the number of steps, and what was put into the outbox.
async fn tell_all(store: &Store, since: Timestamp) -> (usize, ToldRows) {
    let (mut steps, mut rows) = (0, TellStep::default());
    let mut from = Some(TellPlace::default());
    while let Some(place) = from {
        let order = TellOrder { since, backend: None, from: place, is_dry_run: false };
        let step = store.tell(order, time("02:00")).await.unwrap();
        from = step.next;
        rows.add(step);
        steps += 1;
    }
    (steps, rows.backends[0].rows)
}

/// The number of rows of the outbox in each state.
fn states(reader: &Reader) -> BTreeMap<&'static str, usize> {
    let page = reader.outbox(&OutboxFilter { limit: 100, ..OutboxFilter::default() }).unwrap();
    let mut states = BTreeMap::new();
    for row in page.rows {
        *states.entry(row.state.as_str()).or_default() += 1;
    }
    states
}

#[tokio::test]
async fn each_step_of_telling_goes_on_after_the_last_subject() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = filled(&path).await;
    let new = ToldCounts { new: MANY as u64, ..ToldCounts::default() };
    // One step for each subject, and one more for each part, which finds none.
    let parts = TellPart::ALL.len();
    let since = time("00:00");
    let told = ToldRows { failures: new, deployments: new, marks: new };
    assert_eq!(tell_all(&store, since).await, (2 * MANY + parts, told));
    assert_eq!(states(&Reader::open(&path).unwrap()), BTreeMap::from([("pending", 3 * MANY)]));
}

#[tokio::test]
async fn marks_of_older_deployments_are_told_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("store.db")).await;
    let new = ToldCounts { new: MANY as u64, ..ToldCounts::default() };
    let (steps, told) = tell_all(&store, time("00:15")).await;
    assert_eq!((steps, told.failures, told.marks), (2 * MANY + TellPart::ALL.len(), new, new));
}

/// A store whose rows are all dead.
async fn with_dead_rows(path: &Path) -> (Store, Reader) {
    const DIE: &str = "UPDATE outbox SET state = 'dead', due_at_ns = NULL, last_status = 400";
    let store = filled(path).await;
    tell_all(&store, time("00:00")).await;
    store.queue(|session| session.run(DIE, params![]).map(drop)).await.unwrap();
    (store, Reader::open(path).unwrap())
}

#[tokio::test]
async fn commands_for_all_dead_rows_go_on_after_the_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reader) = with_dead_rows(&folder.path().join("store.db")).await;
    let (mut totals, mut after, mut steps) = (CommandTotals::default(), Some(CommandCursor::default()), 0);
    while let Some(last) = after {
        let (part, next) =
            store.apply_command_to_some(None, RowCommand::Retry, last, time("03:00")).await.unwrap();
        totals += part;
        after = next;
        steps += 1;
    }
    assert_eq!((steps, totals.done, totals.outdated), (3 * MANY + 1, 3 * MANY as u64, 0));
    assert_eq!(states(&reader), BTreeMap::from([("pending", 3 * MANY)]));
}

#[tokio::test]
async fn commands_for_a_group_go_on_after_the_last_row() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reader) = with_dead_rows(&folder.path().join("store.db")).await;
    let (mut totals, mut after, mut steps) = (CommandTotals::default(), Some(0), 0);
    while let Some(last) = after {
        let group = RowGroup {
            backend: "datadog".to_owned(),
            kind: GroupKind::Dead,
            last_status: Some(400),
            last_error: None,
        };
        let (part, next) =
            store.apply_command_to_group(group, RowCommand::Discard, last, time("03:00")).await.unwrap();
        totals += part;
        after = next;
        steps += 1;
    }
    assert_eq!((steps, totals.done, totals.outdated), (3 * MANY + 1, 3 * MANY as u64, 0));
    assert_eq!(states(&reader), BTreeMap::from([(RowState::Discarded.as_str(), 3 * MANY)]));
}
