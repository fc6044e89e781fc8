//! Direct changes of a store: damage, lost work, and rows that would take too long to make through the daemon.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::engine::Link;

pub(crate) mod sql;

fn run(store: &Path, sql: &str) {
    Link::to(store).batch(sql).unwrap();
}

/// Runs the statement of the engine that the suite runs on.
fn run_one_of(store: &Path, sqlite: &str, postgres: &str) {
    let mut db = Link::to(store);
    let sql = db.choose(sqlite, postgres);
    db.batch(sql).unwrap();
}

/// Makes the store refuse every event, as a full disk does. Other writes succeed.
pub(crate) fn refuse_events(store: &Path) {
    run_one_of(
        store,
        "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no room for it'); END",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no room for it' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
}

/// Makes the store refuse a failure, as damage to its rows does.
pub(crate) fn poison(store: &Path, failure: &str) {
    let sqlite = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON failure WHEN new.failure_id = '{failure}'
        BEGIN SELECT RAISE(ABORT, 'poison'); END"
    );
    let postgres = format!(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'integrity_constraint_violation'; END $$;
        CREATE TRIGGER poison BEFORE INSERT ON failure FOR EACH ROW
            WHEN (new.failure_id = '{failure}') EXECUTE FUNCTION poison()"
    );
    run_one_of(store, &sqlite, &postgres);
}

/// Ends the effect of `poison`.
pub(crate) fn cure(store: &Path) {
    run_one_of(store, "DROP TRIGGER poison", "DROP FUNCTION poison CASCADE");
}

/// Makes the events and the quarantine unreadable.
pub(crate) fn hide_events(store: &Path) {
    run(store, "ALTER TABLE quarantine RENAME TO gone; ALTER TABLE event RENAME TO away");
}

/// Makes the failures and the outbox unreadable.
pub(crate) fn hide_failures(store: &Path) {
    run(store, "ALTER TABLE failure RENAME TO gone; ALTER TABLE outbox RENAME TO gone_too");
}

/// Undoes all folding, as a crash before it leaves the store.
pub(crate) fn unfold(store: &Path) {
    const UNFOLD: &str = "DELETE FROM failure_event; DELETE FROM named_deployment; DELETE FROM failure";
    run_one_of(
        store,
        &format!("{UNFOLD}; DELETE FROM progress WHERE name = 'folded_up_to'"),
        &format!(
            "INSERT INTO unfolded SELECT event, min(failure_key) FROM failure_event
                JOIN failure ON failure.id = failure GROUP BY event;
            {UNFOLD}"
        ),
    );
}

/// Undoes the folding of events about deployments: their histories are empty, and are made again.
pub(crate) fn unfold_deployments(store: &Path) {
    const UNFOLD: &str =
        "DELETE FROM source_deployment_event; UPDATE source_deployment SET history = '{\"entries\":[]}'";
    run_one_of(
        store,
        &format!("{UNFOLD}; DELETE FROM progress WHERE name = 'folded_up_to'"),
        // The key of a deployment as the store computes it.
        &format!(
            "INSERT INTO unfolded SELECT event,
                ('x' || encode(substr(sha256(convert_to(id_at_source, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
                FROM source_deployment_event JOIN source_deployment ON source_deployment.id = source_deployment_event.source_deployment;
            {UNFOLD}"
        ),
    );
}

/// Sets the source of every event.
pub(crate) fn attribute_events_to(store: &Path, source: &str) {
    Link::to(store).run("UPDATE event SET source = ?1", &[source.into()]);
}

/// Damages the facts of the failures whose id contains this text.
pub(crate) fn damage_failures(store: &Path, text: &str) {
    let sql =
        "UPDATE failure SET facts = '{', evaluated = '{}' WHERE replace(failure_id, ?1, '') <> failure_id";
    assert!(Link::to(store).run(sql, &[text.into()]) > 0);
}

/// Replaces the body of a quarantined row, as if an older program had not understood it.
pub(crate) fn put_in_quarantine(store: &Path, row: i64, body: &str) {
    let sql = "UPDATE quarantine SET body = ?2 WHERE id = ?1";
    assert_eq!(Link::to(store).run(sql, &[row.into(), body.as_bytes().into()]), 1);
}

/// Replaces the reason of every quarantined row.
pub(crate) fn put_reason_in_quarantine(store: &Path, reason: &str) {
    Link::to(store).run("UPDATE quarantine SET reason = ?1", &[reason.into()]);
}

/// Adds a list of changes that are related to a failure, as JSON.
pub(crate) fn relate_change(store: &Path, failure: &str, changes: &str) {
    let sql =
        "INSERT INTO related_changes (failure, changes) SELECT id, ?2 FROM failure WHERE failure_id = ?1";
    assert_eq!(Link::to(store).run(sql, &[failure.into(), changes.into()]), 1);
}

/// Renames the failures whose id contains this text.
pub(crate) fn rename_failure(store: &Path, text: &str, id: &str) {
    let sql = "UPDATE failure SET failure_id = ?2, failure_key = ?3 WHERE replace(failure_id, ?1, '') <> failure_id";
    let key = i64::from_be_bytes(Sha256::digest(id)[..8].try_into().unwrap());
    assert_eq!(Link::to(store).run(sql, &[text.into(), id.into(), key.into()]), 1);
}

/// Gives a row of the outbox another number.
pub(crate) fn renumber_row(store: &Path, from: i64, to: i64) {
    let mut db = Link::to(store);
    // The row's attempts keep the old number.
    let unchecked = db.choose("PRAGMA foreign_keys = OFF", "SET session_replication_role = replica");
    db.batch(unchecked).unwrap();
    assert_eq!(db.run("UPDATE outbox SET id = ?2 WHERE id = ?1", &[from.into(), to.into()]), 1);
}

/// Discards every row of the outbox.
pub(crate) fn discard_all(store: &Path) {
    run(store, "UPDATE outbox SET state = 'discarded', due_at_ns = NULL");
}

/// Adds this many failures with a dead row for a backend. The last failure has a second dead row, of its next revision.
pub(crate) fn add_dead_rows(store: &Path, backend: &str, count: i64) {
    let db = Link::to(store);
    let failures = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO failure (id, failure_id, failure_key, facts) SELECT 1000 + i, 'f' || i, -i, '{}' FROM n";
    db.run(failures, &[count.into()]);
    let body = db.choose("x''", "CAST('' AS BYTEA)");
    let dead = format!(
        "INSERT INTO outbox (backend, topic, failure, revision, state, created_at_ns, lane, action, body)
        SELECT CAST(?3 AS TEXT), 'failure', id, CAST(?1 AS BIGINT), 'dead', 0, 'main', 'replace', {body}
        FROM failure WHERE id > ?2"
    );
    for (revision, after) in [(1, 1_000), (2, 1_000 + count - 1)] {
        db.run(&dead, &[revision.into(), after.into(), backend.into()]);
    }
}

/// Adds this many deployments at one time, each in an env of its own.
pub(crate) fn add_deployments(store: &Path, count: i64, at_ns: i64) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO stored_deployment (deployment_id, service, env, started_at_ns, finished_at_ns, facts)
        SELECT 'many:' || i, 'service-' || (i % 7), 'preview-' || i, CAST(?2 AS BIGINT), CAST(?2 AS BIGINT), '{}' FROM n";
    Link::to(store).run(sql, &[count.into(), at_ns.into()]);
}

/// Moves the content of SQLite's WAL into the database file, with all syncs.
pub(crate) fn checkpoint(store: &Path) {
    run(store, "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(PASSIVE)");
}

/// Makes the store one of another version of the program.
pub(crate) fn set_schema(store: &Path, version: u32) {
    let sqlite = format!("PRAGMA user_version = {version}");
    run_one_of(store, &sqlite, &format!("UPDATE turn SET schema = {version}"));
}

/// The write lock of a store. Until it is dropped, nobody else can write.
pub(crate) struct Lock {
    _db: Link,
}

impl Lock {
    pub(crate) fn take(store: &Path) -> Self {
        let mut db = Link::to(store);
        // Every transaction of a daemon that writes changes one of these tables, if only with a sign of life.
        let lock = db.choose(
            "BEGIN IMMEDIATE",
            "BEGIN; LOCK TABLE turn, event, quarantine, progress, replica IN EXCLUSIVE MODE",
        );
        db.batch(lock).unwrap();
        Self { _db: db }
    }
}

/// Adds rows to the tables in which a daemon's work leaves none, and rows of the outbox in every state.
pub(crate) fn fill_the_rest(store: &Path) {
    run(
        store,
        "INSERT INTO unread_incident VALUES ('pagerduty:QUNREAD0000001');
        INSERT OR IGNORE INTO named_deployment SELECT 'v1', min(id) FROM failure;
        INSERT OR IGNORE INTO progress VALUES
            ('backfilled_since_ns', 1), ('backfilled_up_to_ns', 2), ('imported_since_ns:metrics', 3);
        INSERT INTO outbox (backend, topic, failure, revision, state, due_at_ns, created_at_ns, claimed_by, lane, action, body)
            SELECT 'gone', 'failure', id, 1, 'pending', 5, 4, 1, 'main', 'replace', x'00ff' FROM failure WHERE id < 3;
        INSERT INTO outbox (backend, topic, failure, revision, state, created_at_ns, lane, action, body)
            SELECT 'gone', 'failure', id, 1, 'discarded', 4, 'main', 'replace', x'' FROM failure WHERE id = 3;
        INSERT INTO outbox (backend, topic, failure, revision, state, created_at_ns, lane, action, body)
            SELECT 'gone', 'failure', id, 1, 'superseded', 4, 'main', 'replace', x'' FROM failure WHERE id = 4;",
    );
}

/// Adds this many events, which need no folding.
pub(crate) fn add_events(store: &Path, count: i64) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO event (source, event_id, event_type, occurred_at_ns, received_at_ns, body)
        SELECT 'pagerduty', 'many-' || i, 'pagey.ping', i, i, randomblob(200) FROM n";
    let db = Link::to(store);
    db.run(sql, &[count.into()]);
    db.run("INSERT OR REPLACE INTO progress SELECT 'folded_up_to', max(id) FROM event", &[]);
}

/// Puts NUL characters into some texts.
pub(crate) fn put_nuls(store: &Path) {
    run(
        store,
        "UPDATE quarantine SET reason = 'a' || char(0) || 'b'; UPDATE lane SET error = char(0) WHERE lane = 'main'",
    );
}

/// Makes completed failures end a minute later, in the columns that figures read.
pub(crate) fn finish_later(store: &Path) {
    run(store, "UPDATE failure SET finished_at_ns = finished_at_ns + 60000000000 WHERE state = 'completed'");
}

/// Changes the result of the evaluation of one failure.
pub(crate) fn change_evaluated(store: &Path) {
    run(
        store,
        "UPDATE failure SET evaluated = json_set(evaluated, '$.env', 'elsewhere')
        WHERE id = (SELECT min(id) FROM failure WHERE state = 'completed')",
    );
}
