//! Direct changes of a store: damage, lost work, and rows that would take too long to make through the daemon.

use std::path::Path;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

pub(crate) mod sql;

fn run(store: &Path, sql: &str) {
    Connection::open(store).unwrap().execute_batch(sql).unwrap();
}

/// Makes the store refuse every event, as a full disk does. Other writes succeed.
pub(crate) fn refuse_events(store: &Path) {
    run(store, "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no room for it'); END");
}

/// Makes the store refuse a failure, as damage to its rows does.
pub(crate) fn poison(store: &Path, failure: &str) {
    let sql = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON failure WHEN new.failure_id = '{failure}'
        BEGIN SELECT RAISE(ABORT, 'poison'); END"
    );
    run(store, &sql);
}

/// Ends the effect of `poison`.
pub(crate) fn cure(store: &Path) {
    run(store, "DROP TRIGGER poison");
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
    run(
        store,
        "DELETE FROM failure_event; DELETE FROM named_deployment; DELETE FROM failure; DELETE FROM progress WHERE name = 'folded_up_to'",
    );
}

/// Undoes the folding of events about deployments: their histories are empty, and are made again.
pub(crate) fn unfold_deployments(store: &Path) {
    run(
        store,
        "DELETE FROM source_deployment_event; UPDATE source_deployment SET history = '{\"entries\":[]}';
        DELETE FROM progress WHERE name = 'folded_up_to'",
    );
}

/// Sets the source of every event.
pub(crate) fn attribute_events_to(store: &Path, source: &str) {
    Connection::open(store).unwrap().execute("UPDATE event SET source = ?1", [source]).unwrap();
}

/// Damages the facts of the failures whose id contains this text.
pub(crate) fn damage_failures(store: &Path, text: &str) {
    let sql = "UPDATE failure SET facts = '{', evaluated = '{}' WHERE instr(failure_id, ?1) > 0";
    assert!(Connection::open(store).unwrap().execute(sql, [text]).unwrap() > 0);
}

/// Replaces the body of a quarantined row, as if an older program had not understood it.
pub(crate) fn put_in_quarantine(store: &Path, row: i64, body: &str) {
    let db = Connection::open(store).unwrap();
    let sql = "UPDATE quarantine SET body = ?2 WHERE id = ?1";
    assert_eq!(db.execute(sql, (row, body.as_bytes())).unwrap(), 1);
}

/// Replaces the reason of every quarantined row.
pub(crate) fn put_reason_in_quarantine(store: &Path, reason: &str) {
    Connection::open(store).unwrap().execute("UPDATE quarantine SET reason = ?1", [reason]).unwrap();
}

/// Adds a list of changes that are related to a failure, as JSON.
pub(crate) fn relate_change(store: &Path, failure: &str, changes: &str) {
    let sql =
        "INSERT INTO related_changes (failure, changes) SELECT id, ?2 FROM failure WHERE failure_id = ?1";
    assert_eq!(Connection::open(store).unwrap().execute(sql, (failure, changes)).unwrap(), 1);
}

/// Renames the failures whose id contains this text.
pub(crate) fn rename_failure(store: &Path, text: &str, id: &str) {
    let sql = "UPDATE failure SET failure_id = ?2, failure_key = ?3 WHERE instr(failure_id, ?1) > 0";
    let key = i64::from_be_bytes(Sha256::digest(id)[..8].try_into().unwrap());
    assert_eq!(Connection::open(store).unwrap().execute(sql, (text, id, key)).unwrap(), 1);
}

/// Gives a row of the outbox another number.
pub(crate) fn renumber_row(store: &Path, from: i64, to: i64) {
    let db = Connection::open(store).unwrap();
    // The row's attempts keep the old number.
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    assert_eq!(db.execute("UPDATE outbox SET id = ?2 WHERE id = ?1", [from, to]).unwrap(), 1);
}

/// Discards every row of the outbox.
pub(crate) fn discard_all(store: &Path) {
    run(store, "UPDATE outbox SET state = 'discarded', due_at_ns = NULL");
}

/// Adds this many failures with a dead row for a backend. The last failure has a second dead row, of its next revision.
pub(crate) fn add_dead_rows(store: &Path, backend: &str, count: i64) {
    let db = Connection::open(store).unwrap();
    let failures = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO failure (id, failure_id, failure_key, facts) SELECT 1000 + i, 'f' || i, -i, '{}' FROM n";
    db.execute(failures, [count]).unwrap();
    let dead =
        "INSERT INTO outbox (backend, topic, failure, revision, state, created_at_ns, lane, action, body)
        SELECT ?3, 'failure', id, ?1, 'dead', 0, 'main', 'replace', x'' FROM failure WHERE id > ?2";
    db.execute(dead, (1, 1_000, backend)).unwrap();
    db.execute(dead, (2, 1_000 + count - 1, backend)).unwrap();
}

/// Adds this many deployments at one time, each in an env of its own.
pub(crate) fn add_deployments(store: &Path, count: i64, at_ns: i64) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO stored_deployment (deployment_id, service, env, started_at_ns, finished_at_ns, facts)
        SELECT 'many:' || i, 'service-' || (i % 7), 'preview-' || i, ?2, ?2, '{}' FROM n";
    Connection::open(store).unwrap().execute(sql, (count, at_ns)).unwrap();
}

/// Moves the content of the WAL into the database file, with all syncs.
pub(crate) fn checkpoint(store: &Path) {
    let db = Connection::open(store).unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
}

/// Makes the store one of another version of the program.
pub(crate) fn set_schema(store: &Path, version: u32) {
    Connection::open(store).unwrap().pragma_update(None, "user_version", version).unwrap();
}

/// The write lock of a store. Until it is dropped, nobody else can write.
pub(crate) struct Lock {
    _db: Connection,
}

impl Lock {
    pub(crate) fn take(store: &Path) -> Self {
        let db = Connection::open(store).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self { _db: db }
    }
}
