//! The store's files: locks the database file against other processes, and notices files that were moved.
//!
//! The lock is on the database file itself, so that it holds for every name of the file: a hard link, a symbolic link,
//! or a mount in a container. It is a lock of flock(2). SQLite's own locks are those of fcntl(2), and the two kinds do
//! not conflict. But closing any descriptor of the file drops all locks of fcntl(2) that the process has on it. So a
//! descriptor of the database file is never closed here while the file has a name. After an unlock the descriptor is
//! kept for the next lock.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::engine::open_error::OpenError;

/// Only the owner may read the store: it has titles of incidents and requests to backends.
const MODE: u32 = 0o600;

/// The descriptors of database files that this process has opened to lock them.
static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

struct Opened {
    id: FileId,
    file: File,
    is_locked: bool,
}

/// Identity of a file, independent of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// The file at a path. `None` if there is none.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Lock of a store for writing. One process can hold it at a time. It is released when this value is dropped or the
/// process ends.
#[derive(Debug)]
pub(super) struct Lock(FileId);

impl Lock {
    /// Takes the lock, before SQLite opens the file. Creates the file if there is none.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                OpenError::ReadOnly { path: path.to_owned() }
            }
            _ => OpenError::NoFile { path: path.to_owned(), error },
        };
        let mut opened = opened();
        // A file without a name cannot be opened any more, so its descriptor can be closed.
        opened.retain(|it| it.is_locked || it.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0));
        let id = FileId::at(path).map_err(failed)?;
        let known = opened.iter().position(|it| Some(it.id) == id);
        let place = if let Some(place) = known {
            place
        } else {
            let file = open_or_create(path).map_err(failed)?;
            let id = FileId::of(&file.metadata().map_err(failed)?);
            opened.push(Opened { id, file, is_locked: false });
            opened.len() - 1
        };
        let it = &mut opened[place];
        if it.is_locked {
            return Err(OpenError::InUse { path: path.to_owned() });
        }
        match it.file.try_lock() {
            Ok(()) => {
                it.is_locked = true;
                Ok(Self(it.id))
            }
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// `true` if another process has the store open for writing. Only for programs that have no store open: closing the
/// file drops SQLite's locks on it.
pub fn is_in_use(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

impl Drop for Lock {
    fn drop(&mut self) {
        for it in opened().iter_mut().filter(|it| it.is_locked && it.id == self.0) {
            it.is_locked = it.file.unlock().is_err();
        }
    }
}

/// Locks [`OPENED`]. A poisoned lock is no problem: each change to the list is one step.
fn opened() -> MutexGuard<'static, Vec<Opened>> {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the database file, or creates it with the mode [`MODE`]. SQLite gives the WAL and its index the same mode.
fn open_or_create(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Ok(file) if file.metadata()?.len() == 0 => {
            log_new(path);
            return Ok(file);
        }
        opened => return opened,
    }
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)?;
    log_new(path);
    // The umask may have removed bits.
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

fn log_new(path: &Path) {
    tracing::info!(
        path = %path.display(),
        "created a new, empty store. If one with your data should be there, stop the program and put it back"
    );
}

/// The files of an open store, to notice that one was moved, removed or replaced. Data written after that is lost when
/// the process ends, or is in a file under another name.
pub(super) struct Files {
    known: Vec<(PathBuf, FileId)>,
}

impl Files {
    /// The files of a store that was just opened.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        // SQLite puts the other files beside the file that a symbolic link points to.
        let real = fs::canonicalize(path)?;
        let beside = |suffix: &str| {
            let mut path = real.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        let mut known = Vec::new();
        for path in [path.to_owned(), beside("-wal"), beside("-shm")] {
            if let Some(id) = FileId::at(&path)? {
                known.push((path, id));
            }
        }
        Ok(Self { known })
    }

    /// The first file that was moved, removed or replaced. A file that cannot be examined counts as unchanged.
    pub(super) fn moved(&self) -> Option<&Path> {
        let is_moved = |(path, id): &&(PathBuf, FileId)| FileId::at(path).is_ok_and(|now| now != Some(*id));
        self.known.iter().find(is_moved).map(|(path, _)| path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in_use(path: &Path) -> bool {
        matches!(Lock::take(path), Err(OpenError::InUse { .. }))
    }

    #[test]
    fn a_store_is_locked_under_every_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let [path, hard, symbolic] =
            ["store.db", "hard.db", "symbolic.db"].map(|name| folder.path().join(name));
        let lock = Lock::take(&path).unwrap();
        fs::hard_link(&path, &hard).unwrap();
        std::os::unix::fs::symlink(&path, &symbolic).unwrap();
        assert!(is_in_use(&path) && is_in_use(&hard) && is_in_use(&symbolic));
        drop(lock);
        drop(Lock::take(&symbolic).unwrap());
        drop(Lock::take(&hard).unwrap());
    }

    #[test]
    fn another_process_cannot_take_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let lock = Lock::take(&path).unwrap();
        // A second open file is like another process: a lock of flock(2) belongs to the open file.
        let other = File::open(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(lock);
        other.try_lock().unwrap();
        assert!(is_in_use(&path));
    }

    #[test]
    fn a_new_file_is_private_under_every_umask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let _lock = Lock::take(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_asks_about_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::take(&folder.path().join("no/store.db")).unwrap_err();
        assert!(error.to_string().contains("does its folder exist"), "{error}");
    }

    #[test]
    fn files_that_were_removed_or_replaced_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [path, wal, link] = ["store.db", "store.db-wal", "link.db"].map(|name| folder.path().join(name));
        let write = |path: &Path| fs::write(path, "").unwrap();
        write(&path);
        write(&wal);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let files = Files::of(&link).unwrap();
        assert_eq!(files.moved(), None);
        // Renamed, and then replaced by another file.
        fs::rename(&wal, folder.path().join("aside")).unwrap();
        assert_eq!(
            files.moved(),
            Some(fs::canonicalize(folder.path()).unwrap().join("store.db-wal").as_path())
        );
        write(&wal);
        assert!(files.moved().is_some());
        fs::rename(folder.path().join("aside"), &wal).unwrap();
        assert_eq!(files.moved(), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(files.moved(), Some(link.as_path()));
    }
}
