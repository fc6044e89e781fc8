//! Reasons why a copy of the store has no file.

use std::io;
use std::path::PathBuf;

use crate::store::engine::open_error::OpenError;
use crate::store::engine::sql;

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
    /// There is a file already.
    #[error("{} exists already: name a new file", .0.display())]
    Exists(PathBuf),
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
    #[error("another backup or copy to {} is being made: wait for its end", .0.display())]
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
