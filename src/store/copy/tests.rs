//! Copies from file to file. `tests/suite/store_copy.rs` has those to PostgreSQL and back.

use std::path::Path;

use super::*;
use crate::store::engine::open_store::{open_to_read, open_to_write};

/// A store with a few rows.
fn filled(path: &Path) -> Db {
    let db = open_to_write(path).unwrap();
    db.run("BEGIN", params![]).unwrap();
    for id in 1..=3000_i64 {
        let insert =
            "INSERT INTO event (id, source, event_id, event_type, occurred_at_ns, received_at_ns, body)
            VALUES (?1, 'pagerduty', ?2, 'incident.triggered', 0, 0, ?3)";
        let body = (id % 2 == 0).then(|| vec![0_u8, 255]);
        db.run(insert, params![id * 2, id.to_string(), body]).unwrap();
    }
    let failure = "INSERT INTO failure (id, failure_id, failure_key, facts) VALUES (7, 'a', 1, '{}')";
    db.run(failure, params![]).unwrap();
    for id in 1..=3000_i64 {
        db.run("INSERT INTO failure_event VALUES (7, ?1)", params![id * 2]).unwrap();
    }
    for sql in [
        "INSERT INTO outbox (id, backend, topic, failure, revision, created_at_ns, claimed_by, lane, action, body)
            VALUES (4, 'metrics', 'failure', 7, 1, 0, 5, 'main', 'replace', x'00')",
        "INSERT INTO quarantine (id, source, received_at_ns, reason, body) VALUES (9, 's', 0, '', x'')",
        "INSERT INTO quarantine (id, source, received_at_ns, reason, body) VALUES (12, 's', 0, '', x'')",
        "DELETE FROM quarantine WHERE id = 12",
        "INSERT INTO progress VALUES ('folded_up_to', 6000), ('epoch', 3), ('written_at_ns', 4)",
        "COMMIT",
    ] {
        db.run(sql, params![]).unwrap();
    }
    db
}

fn source(path: &Path) -> CopySource {
    CopySource::alone(path.into()).unwrap()
}

#[test]
fn a_copy_has_the_same_rows_and_goes_on_with_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let [path, file] = ["store.db", "copy.db"].map(|name| folder.path().join(name));
    drop(filled(&path));
    let mut seen = Vec::new();
    let copied = copy(&source(&path), &file.as_path().into(), None, |progress| seen.push(progress)).unwrap();
    let rows: u64 = copied.tables.iter().map(|(_, digest)| digest.rows).sum();
    assert_eq!(rows, 6_004);
    assert_eq!(copied.bytes, Some(std::fs::metadata(&file).unwrap().len()));
    let last = |stage| *seen.iter().rfind(|progress: &&CopyProgress| progress.stage == stage).unwrap();
    assert_eq!((last(CopyStage::Copying).done, last(CopyStage::Copying).all), (rows, rows));
    assert_eq!((last(CopyStage::Comparing).done, last(CopyStage::Comparing).all), (2 * rows, 2 * rows));

    let db = open_to_write(&file).unwrap();
    let number = |sql| db.only(sql, params![], |row| row.get::<Option<i64>>(0)).unwrap();
    assert_eq!(number("SELECT claimed_by FROM outbox"), None);
    assert_eq!(number("SELECT value FROM progress WHERE name = 'folded_up_to'"), Some(6_000));
    assert_eq!(number("SELECT max(value) FROM progress WHERE name = 'epoch'"), None);
    assert_eq!(number("SELECT value FROM progress WHERE name = 'written_at_ns'"), Some(4));
    let insert = "INSERT INTO quarantine (source, received_at_ns, reason, body) VALUES ('s', 0, '', x'')";
    assert_eq!(db.insert(insert, params![]).unwrap(), Some(13), "12 was used");
}

#[test]
fn a_changed_a_missing_and_another_row_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let [path, file] = ["store.db", "copy.db"].map(|name| folder.path().join(name));
    drop(filled(&path));
    copy(&source(&path), &file.as_path().into(), None, |_| {}).unwrap();
    for (change, table) in [
        ("UPDATE event SET body = x'00fe' WHERE id = 4", "event"),
        ("DELETE FROM failure_event WHERE event = 6000", "failure_event"),
        ("INSERT INTO marked_backend VALUES ('metrics')", "marked_backend"),
        ("UPDATE failure SET state = ''", "failure"),
        ("UPDATE quarantine SET id = 8", "quarantine"),
    ] {
        let changed = open_to_write(&file).unwrap();
        changed.run("BEGIN", params![]).unwrap();
        changed.run(change, params![]).unwrap();
        match compare(source(&path).db(), &changed, |_, _| {}) {
            Err(CopyError::Differs(tables)) => {
                assert!(tables.len() == 1 && tables[0].starts_with(&format!("{table}: ")), "{tables:?}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
    assert_eq!(
        compare(source(&path).db(), &open_to_read(&file.as_path().into()).unwrap(), |_, _| {}).unwrap().len(),
        17
    );
}

#[test]
fn a_target_that_is_not_empty_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(filled(&path));
    let source = source(&path);
    let refused = |name: &str| {
        let error = copy(&source, &folder.path().join(name).as_path().into(), None, |_| {}).unwrap_err();
        error.to_string()
    };
    assert!(refused("store.db").contains("is the store itself"));
    std::os::unix::fs::symlink(&path, folder.path().join("link.db")).unwrap();
    assert!(refused("link.db").contains("is the store itself"));
    std::fs::write(folder.path().join("notes"), "keep me").unwrap();
    assert!(refused("notes").contains("exists already"));
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling.db")).unwrap();
    assert!(refused("dangling.db").contains("exists already"));
    std::fs::write(folder.path().join("copy.db-wal"), "of another store").unwrap();
    assert!(refused("copy.db").contains("copy.db-wal is beside"));
    assert!(refused("missing/copy.db").contains("cannot write"));
    assert_eq!(std::fs::read_to_string(folder.path().join("notes")).unwrap(), "keep me");
    drop(source);
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["copy.db-wal", "dangling.db", "link.db", "notes", "store.db"]);
}

#[test]
fn events_that_are_not_folded_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let db = filled(&path);
    db.run("UPDATE progress SET value = 5998 WHERE name = 'folded_up_to'", params![]).unwrap();
    drop(db);
    assert!(matches!(CopySource::alone(path.as_path().into()).map(drop), Err(CopyError::NotFolded(_))));
    // The copy of a store that is in use folds them, too.
    let file = folder.path().join("copy.db");
    let source = CopySource::beside_writers(path.as_path().into()).unwrap();
    copy(&source, &file.as_path().into(), Some(0), |_| {}).unwrap();
    copy(&source, &file.as_path().into(), Some(1), |_| {}).unwrap();
    assert!(folder.path().join("copy.db.1").exists());
    assert!(matches!(CopySource::alone(file.as_path().into()).map(drop), Err(CopyError::NotFolded(_))));
}

#[test]
fn texts_with_nul_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = filled(&folder.path().join("store.db"));
    db.run(
        "INSERT INTO lane (backend, lane, condition, failed_probes, error) VALUES ('b', 'main', '', 0, 'a' || char(0))",
        params![],
    )
    .unwrap();
    let table = TABLES.iter().find(|table| table.name == "lane").unwrap();
    let found: Vec<String> = Page::read(&db, table, None).unwrap().nuls().collect();
    assert_eq!(found, ["table lane, row \"b\", \"main\", column error"]);
}

#[test]
fn rows_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = filled(&folder.path().join("store.db"));
    let table = TABLES.iter().find(|table| table.name == "failure_event").unwrap();
    let page = Page::read(&db, table, None).unwrap();
    assert_eq!(page.rows(), 2_048);
    let message = page.write(&db).unwrap_err().to_string();
    assert!(
        message.starts_with("cannot write table failure_event, rows 7, 2 to 7, 4096: UNIQUE"),
        "{message}"
    );
}
