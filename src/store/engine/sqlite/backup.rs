//! Copies of the store, made while the daemon writes to it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

pub use super::backup_error::BackupError;
use super::open::{PAGE_BYTES, open_to_read};
use super::unfinished::{Unfinished, check_places};
use crate::store::engine::sql;

/// Number of pages that are copied between two reports of the progress.
const PAGES_AT_ONCE: i32 = 256;

/// A finished backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    /// Length of the copy.
    pub bytes: u64,
    /// Number of events in it.
    pub events: i64,
    /// Number of failures in it.
    pub failures: i64,
}

/// Copies the store as it is now to a new file, checks the copy, and only then gives it its name. `keep` older backups
/// are kept as `FILE.1` (the newest) to `FILE.N`. `progress` is told the copied and all bytes.
pub fn backup(
    store: &Path,
    file: &Path,
    keep: u32,
    mut progress: impl FnMut(u64, u64),
) -> Result<BackupSummary, BackupError> {
    let source = open_to_read(store)?;
    check_places(Some(store), file, keep)?;
    let copy = Unfinished::begin(file)?;
    copy_to(&source, copy.path(), &mut progress).map_err(sql::Error::from)?;
    let summary = check(&source, copy.path())?;
    copy.finish(keep)?;
    Ok(summary)
}

/// Copies one state of the store: the transaction keeps the writes of others out of it.
fn copy_to(source: &Connection, copy: &Path, progress: &mut impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    let mut copy = Connection::open(copy)?;
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let backup = Backup::new(source, &mut copy)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE)?;
        let pages = backup.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(PAGE_BYTES);
        progress(bytes(pages.pagecount - pages.remaining), bytes(pages.pagecount));
        match step {
            StepResult::More => {}
            StepResult::Done => break,
            // Nobody else has opened the copy, and readers of the store wait for nobody.
            _ => std::thread::yield_now(),
        }
    }
    drop(backup);
    // One file, without a WAL beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")
}

/// Compares the copy with the state that was copied, and ends the transaction.
fn check(source: &Connection, copy: &Path) -> Result<BackupSummary, BackupError> {
    let (expected, found, integrity) = (|| {
        let expected = counts(source)?;
        source.execute_batch("COMMIT")?;
        let copy = Connection::open(copy)?;
        let integrity: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        Ok((expected, counts(&copy)?, integrity))
    })()
    .map_err(|error: rusqlite::Error| sql::Error::from(error))?;
    if integrity != "ok" {
        return Err(BackupError::Damaged(integrity));
    }
    if expected != found {
        return Err(BackupError::Damaged(format!("it has {found:?} events and failures, not {expected:?}")));
    }
    let bytes = fs::metadata(copy).map(|file| file.len());
    let bytes = bytes.map_err(|error| BackupError::Write { path: copy.to_owned(), error })?;
    Ok(BackupSummary { bytes, events: found.0, failures: found.1 })
}

/// Numbers of events and failures.
fn counts(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    const COUNTS: &str = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM failure)";
    db.query_row(COUNTS, [], |row| Ok((row.get(0)?, row.get(1)?)))
}
