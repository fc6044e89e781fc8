//! Opening a store: settings, migrations, and files that are refused.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::migrations::MIGRATIONS;
use crate::store::engine::open_error::{OpenError, in_file};
use crate::store::engine::schema::SCHEMA;

/// SQLite 3.51.3: older ones can corrupt a WAL that two connections checkpoint at once.
const OLDEST_SQLITE: i32 = 3_051_003;

/// A page holds several bodies, so that a group of events is a few large writes instead of many small ones.
pub(super) const PAGE_BYTES: u32 = 8 * 1024;

/// The writer's page cache. Small, because the operating system caches the file as well.
const WRITER_CACHE_KIB: u32 = 8 * 1024;
const READER_CACHE_KIB: u32 = 1024;
/// Rows of indexes come in another order than those of their tables, so a copy changes many pages again and again.
const COPY_CACHE_KIB: u32 = 128 * 1024;

/// Length to which the WAL is cut after a long read made it grow. More than its usual length (`checkpoint.rs`), because
/// a disk syncs overwritten blocks faster than blocks that make a file longer.
const WAL_LIMIT_BYTES: u32 = 16 * 1024 * 1024;

/// Number of statements that a connection keeps prepared. More than the program has, so that each is prepared once.
const STATEMENTS: usize = 512;

/// Longest wait of a connection for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the store for writing, creating and migrating it as needed.
pub(in crate::store::engine) fn open_to_write(path: &Path) -> Result<Connection, OpenError> {
    let version = rusqlite::version_number();
    if version < OLDEST_SQLITE {
        return Err(OpenError::UnsafeSqlite(rusqlite::version()));
    }
    let mut db = open_writable(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // Checked before any setting: the journal mode is stored in the file.
    if is_foreign(&db).map_err(in_file(path))? {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    prepare_writer(&db)
        .map_err(in_file(path))?
        .map_err(|mode| OpenError::NoWal { path: path.to_owned(), mode })?;
    migrate(&mut db).map_err(in_file(path))?.map_err(newer(path))?;
    Ok(db)
}

/// The store has this schema, which is not known here.
fn newer(path: &Path) -> impl Fn(u32) -> OpenError {
    move |found| OpenError::Newer { store: path.display().to_string(), found, known: SCHEMA }
}

/// Makes a store in an empty file that only this process knows. Without a journal: a file that is not finished is removed.
pub(super) fn open_new(path: &Path) -> Result<Connection, OpenError> {
    let mut db = open_writable(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    (|| {
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update(None, "journal_mode", "OFF")?;
        db.pragma_update(None, "synchronous", "OFF")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "cache_size", -i64::from(COPY_CACHE_KIB))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        migrate(&mut db)
    })()
    .map_err(in_file(path))?
    .map_err(newer(path))?;
    Ok(db)
}

/// Opens an existing store for reading only.
pub(in crate::store::engine) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    // Read-write and then query-only: a read-only connection cannot recover the WAL of a killed writer.
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let (found, is_foreign) = (|| {
        db.pragma_update(None, "query_only", true)?;
        db.pragma_update(None, "cache_size", -i64::from(READER_CACHE_KIB))?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok::<_, rusqlite::Error>((schema_version(&db)?, is_foreign(&db)?))
    })()
    .map_err(in_file(path))?;
    match found {
        _ if is_foreign => Err(OpenError::Foreign { path: path.to_owned() }),
        0 => Err(OpenError::Empty { path: path.to_owned() }),
        found if found > SCHEMA => Err(newer(path)(found)),
        _ => Ok(db),
    }
}

/// Opens a connection for checkpoints only.
pub(super) fn open_to_checkpoint(path: &Path) -> Result<Connection, OpenError> {
    let db = open_writable(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(in_file(path))?;
    Ok(db)
}

/// Opens a file for writing, or fails. If SQLite cannot write to a file, it opens the file for reading and reports no
/// error.
fn open_writable(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let db = open(path, flags)?;
    if db.is_readonly("main").map_err(in_file(path))? {
        return Err(OpenError::ReadOnly { path: path.to_owned() });
    }
    Ok(db)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let db =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(in_file(path))?;
    db.busy_timeout(BUSY_TIMEOUT).map_err(in_file(path))?;
    // Without this SQLite plans some statements again for each bound value, because the value might allow a better
    // plan. The plans here do not depend on values.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(in_file(path))?;
    Ok(db)
}

/// Sets up the writer's connection. `Ok(Err(mode))` if the store stays in this journal mode instead of WAL.
fn prepare_writer(db: &Connection) -> rusqlite::Result<Result<(), String>> {
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode = switch_to_wal(db)?;
    if mode != "wal" {
        return Ok(Err(mode));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", WAL_LIMIT_BYTES)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))?;
    // A page that is spilled from the cache before its commit is written twice.
    db.pragma_update(None, "cache_spill", false)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(Ok(()))
}

/// Switches to WAL, and returns the journal mode after that. In other modes the removal of the journal ends a commit,
/// and is not synced: a power loss could bring the journal back and undo acknowledged writes.
fn switch_to_wal(db: &Connection) -> rusqlite::Result<String> {
    let mut statement = db.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    let mut mode = String::new();
    // Read to the end: the switch is committed after the row. If that commit fails, the connection still reports WAL.
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    Ok(mode)
}

/// Applies the missing migrations in one transaction. `Ok(Err(found))` if the store is newer than the program.
fn migrate(db: &mut Connection) -> rusqlite::Result<Result<(), u32>> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = schema_version(&transaction)?;
    let Some(missing) = MIGRATIONS.get(found as usize..) else {
        return Ok(Err(found));
    };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    if !missing.is_empty() {
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit().map(Ok)
}

fn schema_version(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// `true` if the file is a store of this program, of any schema version.
pub(super) fn is_store(path: &Path) -> bool {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
    db.is_some_and(|db| {
        schema_version(&db).is_ok_and(|version| version > 0) && is_foreign(&db).is_ok_and(|is| !is)
    })
}

/// `true` if the database has content and is not a store. This program writes the schema version together with the
/// first tables, so a store has both.
fn is_foreign(db: &Connection) -> rusqlite::Result<bool> {
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, u32>(0));
    let ours = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('event', 'failure')";
    Ok(match schema_version(db)? {
        0 => count("SELECT count(*) FROM sqlite_schema")? > 0,
        _ => count(ours)? < 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_another_program_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for (name, sql) in [
            ("no version", "CREATE TABLE notes (text TEXT)"),
            ("a version", "CREATE TABLE notes (text TEXT); PRAGMA user_version = 1"),
            ("a late version", "CREATE TABLE event (text TEXT); PRAGMA user_version = 99"),
        ] {
            let path = folder.path().join(name);
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            let before = std::fs::read(&path).unwrap();
            for refusal in [open_to_write(&path).unwrap_err(), open_to_read(&path).unwrap_err()] {
                assert!(matches!(refusal, OpenError::Foreign { .. }), "{name}: {refusal}");
            }
            assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
        }
    }

    #[test]
    fn a_newer_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let db = open_to_write(&path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let refusals = [open_to_write(&path).unwrap_err(), open_to_read(&path).unwrap_err()];
        for refusal in refusals {
            assert!(matches!(refusal, OpenError::Newer { found: 99, .. }), "{refusal}");
        }
    }

    #[test]
    fn the_error_for_a_file_that_is_no_store_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "not a database, and long enough to be taken for one by its size").unwrap();
        let error = open_to_write(&path).unwrap_err().to_string();
        assert!(error.contains("notes.txt") && error.contains("not a database"), "{error}");
    }

    #[test]
    fn a_store_that_stays_without_a_wal_is_refused() {
        // A database in memory has no WAL, and SQLite reports no error.
        let error = open_to_write(Path::new(":memory:")).map(drop).unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
        assert!(matches!(error, OpenError::NoWal { .. }), "{error}");
    }

    #[test]
    fn a_store_that_can_only_be_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open_to_write(&path).unwrap());
        let error = open_writable(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");
    }

    #[test]
    fn a_switch_to_wal_that_is_not_committed_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Connection::open(folder.path().join("store.db")).unwrap();
        db.commit_hook(Some(|| true)).unwrap();
        assert!(switch_to_wal(&db).is_err());
    }

    #[test]
    fn every_table_is_strict_and_every_commit_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        let loose = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                     AND strict = 0 AND name NOT LIKE 'sqlite_%'";
        assert_eq!(db.query_row(loose, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((pragma("synchronous"), pragma("foreign_keys")), (2, 1));
    }

    #[test]
    fn a_wal_that_grew_during_a_long_read_shrinks_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let writer = open_to_write(&path).unwrap();
        let wal_bytes = || std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len();
        let reader = open_to_read(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM progress").unwrap();
        let insert = "INSERT INTO quarantine (source, received_at_ns, reason, body)
            VALUES ('', 0, '', zeroblob(1000000))";
        for _ in 0..30 {
            writer.execute(insert, []).unwrap();
        }
        assert!(wal_bytes() > u64::from(WAL_LIMIT_BYTES));
        reader.execute_batch("COMMIT").unwrap();
        writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        writer.execute(insert, []).unwrap();
        assert_eq!(wal_bytes(), u64::from(WAL_LIMIT_BYTES));
    }

    #[test]
    fn the_error_for_a_damaged_store_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open_to_write(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100..2 * PAGE_BYTES as usize].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let error = open_to_write(&path).unwrap_err().to_string();
        assert!(error.contains(".recover") && error.contains("restore a backup"), "{error}");
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open_to_write(&path).unwrap());
        let reader = open_to_read(&path).unwrap();
        assert!(reader.execute("DELETE FROM event", []).is_err());
    }
}
