//! Copies of the store, made while the daemon writes to it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::NamedTempFile;

use super::engine::error::DatabaseError;
use super::engine::schema::{OpenError, PAGE_BYTES, is_store, open_to_read};

/// Number of pages that are copied between two reports of the progress.
const PAGES_AT_ONCE: i32 = 256;

/// Reason why there is no backup. What was at the path before is still there, or is `FILE.1` if the new file could not
/// get its name after older ones were renamed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The path is the store's own.
    #[error("{} is the store itself: name another file", .0.display())]
    IsStore(PathBuf),
    /// The path is taken by something that is no store of this program.
    #[error("{} is no backup of this program, and is not replaced: name another file", .0.display())]
    IsForeign(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The copy, or its folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The database engine reports an error.
    #[error("cannot copy the store: {0}")]
    Database(#[from] DatabaseError),
    /// The copy differs from the store.
    #[error("the copy is damaged, and was removed: {0}")]
    Damaged(String),
}

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
    check_place(store, file)?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = |error| BackupError::Write { path: folder.to_owned(), error };
    let copy = NamedTempFile::with_prefix_in(".backup-", folder).map_err(written)?;
    copy_to(&source, copy.path(), &mut progress).map_err(DatabaseError::from)?;
    let summary = check(&source, copy.path())?;
    copy.as_file().set_permissions(PermissionsExt::from_mode(0o600)).map_err(written)?;
    copy.as_file().sync_all().map_err(written)?;
    rotate(file, keep).map_err(written)?;
    copy.persist(file).map_err(|error| written(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(written)?;
    Ok(summary)
}

/// Refuses a path whose content must not be replaced.
fn check_place(store: &Path, file: &Path) -> Result<(), BackupError> {
    if !file.exists() {
        return Ok(());
    }
    if fs::canonicalize(store).is_ok_and(|store| fs::canonicalize(file).is_ok_and(|file| file == store)) {
        return Err(BackupError::IsStore(file.to_owned()));
    }
    // An older version of this program may have written it.
    if file.is_file() && is_store(file) { Ok(()) } else { Err(BackupError::IsForeign(file.to_owned())) }
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
    .map_err(|error: rusqlite::Error| DatabaseError::from(error))?;
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

/// Renames the older backups, each to the next number. The oldest is replaced.
fn rotate(file: &Path, keep: u32) -> io::Result<()> {
    let numbered = |number: u32| match number {
        0 => file.to_owned(),
        number => {
            let mut name = file.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        }
    };
    for number in (0..keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
