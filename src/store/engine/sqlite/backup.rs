//! Copies of the store, made while the daemon writes to it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::open::{PAGE_BYTES, is_store, open_to_read};
use crate::store::engine::open_error::OpenError;
use crate::store::engine::sql;

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
    /// A file beside the path belongs to an older copy that is or was open.
    #[error(
        "{} is beside {}, and its content would be added to the new copy: close the program that has the older copy open, \
         or remove the file", .beside.display(), .file.display()
    )]
    InUse {
        /// The path.
        file: PathBuf,
        /// The file beside it.
        beside: PathBuf,
    },
    /// Another backup to the same path is being made.
    #[error("another backup to {} is being made: wait for its end", .0.display())]
    Busy(PathBuf),
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
    Database(#[from] sql::Error),
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
    (0..=keep).try_for_each(|number| check_place(store, &numbered(file, number)))?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = |error| BackupError::Write { path: folder.to_owned(), error };
    let copy = Unfinished::begin(file, folder)?;
    copy_to(&source, &copy.path, &mut progress).map_err(sql::Error::from)?;
    let summary = check(&source, &copy.path)?;
    copy.file.sync_all().map_err(written)?;
    rotate(file, keep).map_err(written)?;
    fs::rename(&copy.path, file).map_err(written)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(written)?;
    Ok(summary)
}

/// A copy that is being made. Its name is always the same, so that the next backup replaces what a killed one left.
struct Unfinished {
    path: PathBuf,
    /// Locked, so that two backups to one place do not mix.
    file: File,
}

impl Unfinished {
    fn begin(target: &Path, folder: &Path) -> Result<Self, BackupError> {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".unfinished");
        let path = folder.join(name);
        let write = |error: io::Error| BackupError::Write { path: path.clone(), error };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(write)?;
        file.try_lock().map_err(|_| BackupError::Busy(target.to_owned()))?;
        file.set_len(0).map_err(write)?;
        for end in ENDINGS {
            remove_if_there(&with_end(&path, end)).map_err(write)?;
        }
        Ok(Self { path, file })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a backup that succeeded there is nothing to remove.
        for end in ENDINGS.into_iter().chain([""]) {
            let _ = remove_if_there(&with_end(&self.path, end));
        }
    }
}

/// Endings of the files that SQLite keeps beside a database.
const ENDINGS: [&str; 3] = ["-journal", "-wal", "-shm"];

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Name of an older backup. 0: the newest backup.
fn numbered(file: &Path, number: u32) -> PathBuf {
    if number == 0 { file.to_owned() } else { with_end(file, &format!(".{number}")) }
}

/// Refuses a path whose content must not be replaced.
fn check_place(store: &Path, file: &Path) -> Result<(), BackupError> {
    if fs::canonicalize(store).is_ok_and(|store| fs::canonicalize(file).is_ok_and(|file| file == store)) {
        return Err(BackupError::IsStore(file.to_owned()));
    }
    // SQLite would add the content of these files to the new copy.
    if let Some(beside) = ENDINGS.into_iter().map(|end| with_end(file, end)).find(|beside| beside.exists()) {
        return Err(BackupError::InUse { file: file.to_owned(), beside });
    }
    if !file.exists() {
        return Ok(());
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

/// Renames the older backups, each to the next number. The oldest is replaced.
fn rotate(file: &Path, keep: u32) -> io::Result<()> {
    for number in (0..keep).rev() {
        match fs::rename(numbered(file, number), numbered(file, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
