//! A copy of the store that is being made, in a file beside its place. It gets its name only once it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::backup_error::BackupError;
use super::open::is_store;

/// A copy that is being made. Its name is always the same, so that the next backup replaces what a killed one left.
pub(super) struct Unfinished {
    path: PathBuf,
    /// Locked, so that two backups to one place do not mix.
    file: File,
    /// The name that the copy gets.
    target: PathBuf,
}

impl Unfinished {
    /// Makes an empty file, beside the place of the copy.
    pub(super) fn begin(target: &Path) -> Result<Self, BackupError> {
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".unfinished");
        let path = folder_of(target).join(name);
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
        Ok(Self { path, file, target: target.to_owned() })
    }

    /// The file of the copy, until the copy is finished.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the copy and gives it its name. `keep` older ones are kept, as `FILE.1` (the newest) to `FILE.N`.
    pub(super) fn finish(self, keep: u32) -> Result<(), BackupError> {
        let folder = folder_of(&self.target);
        let written = |error| BackupError::Write { path: folder.to_owned(), error };
        self.file.sync_all().map_err(written)?;
        rotate(&self.target, keep).map_err(written)?;
        fs::rename(&self.path, &self.target).map_err(written)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(written)
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

/// The folder of a file.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Name of an older backup. 0: the newest backup.
fn numbered(file: &Path, number: u32) -> PathBuf {
    if number == 0 { file.to_owned() } else { with_end(file, &format!(".{number}")) }
}

/// Refuses paths whose content must not be replaced: the file's, and those of `keep` older ones. `store`: the file that is
/// copied.
pub(super) fn check_places(store: Option<&Path>, file: &Path, keep: u32) -> Result<(), BackupError> {
    (0..=keep).try_for_each(|number| check_place(store, &numbered(file, number)))
}

/// Refuses the file that is copied, under any of its names.
pub(super) fn refuse_same(store: Option<&Path>, file: &Path) -> Result<(), BackupError> {
    let real = |path| fs::canonicalize(path).ok();
    if store.and_then(real).is_some_and(|store| real(file) == Some(store)) {
        return Err(BackupError::IsStore(file.to_owned()));
    }
    Ok(())
}

fn check_place(store: Option<&Path>, file: &Path) -> Result<(), BackupError> {
    refuse_same(store, file)?;
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
