//! Work on many rows is done in parts, which leave no row out, and take none twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::claim::ClaimOrder;
use super::commands::RetryCursor;
use super::{lane, reconcile};
use crate::backend::{Backend, Outgoing};
use crate::config::Config;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::lane::Lane;
use crate::domain::submission::tests::submission;
use crate::domain::tell::{TellOrder, TellPlace, TellStep, ToldRows};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::sql::params;
use crate::store::tests::store_with;
use crate::store::{
    CommandCursor, CommandTotals, GroupKind, OutboxFilter, Reader, RowCommand, RowGroup, RowState, Settings,
    Store,
};

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
async fn waiting_rows_are_made_due_in_parts_until_all_are_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with(6, &folder).await;
    run(&store, WAITING).await;
    let (now, later) = (time("02:00"), time("05:00"));
    assert_eq!(due_at(&store).await, [later; 6]);
    let part = store.queue(move |session| lane::make_due(session, "metrics", (Lane::Main, false), now));
    assert_eq!(part.await.unwrap().rows, 2);
    store.make_due("metrics", Lane::Main, now).await.unwrap();
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
pub(super) const MANY: usize = 5;

/// A store that is told of deployments and of failures before it has a backend.
pub(super) async fn filled(path: &Path) -> Store {
    let config = Config::parse(BACKEND).unwrap();
    let (policy, backend) =
        (config.policy(), Backend::from_config(&config.backend[0], &Outgoing::default()).unwrap());
    let settings = Settings { policy: Arc::new(policy), ..Settings::default() };
    let policy = Arc::clone(&settings.policy);
    let store = Store::open(path, settings).unwrap();
    for n in 0..MANY {
        // Some have the same end.
        let at = format!("00:{:02}", n / 2);
        let deployment = deployment(&n.to_string(), &format!("service {n}"), "00:00", &at);
        let failure = submission(&n.to_string(), &deployment.service, "00:10", Some("00:20"));
        store.record_deployment(deployment, time("01:00")).await.unwrap();
        store.submit(failure, time("01:00")).await.unwrap();
    }
    store.configure(policy, vec![Arc::new(backend)], None);
    store
}

/// Tells everything since a time. Returns the number of steps, and what was put into the outbox.
pub(super) async fn tell_all(store: &Store, since: Timestamp) -> (usize, ToldRows) {
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
pub(super) fn states(reader: &Reader) -> BTreeMap<&'static str, usize> {
    let page = reader.outbox(&OutboxFilter { limit: 100, ..OutboxFilter::default() }).unwrap();
    let mut states = BTreeMap::new();
    for row in page.rows {
        *states.entry(row.state.as_str()).or_default() += 1;
    }
    states
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
