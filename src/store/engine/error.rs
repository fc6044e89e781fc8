//! Errors of the database, without its types: what is above the store need not know which one it is.

use std::fmt;

use rusqlite::ErrorCode;

/// Error of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    message: String,
    /// `true` if a lock was held by another process for too long.
    is_busy: bool,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&rusqlite::Error> for DatabaseError {
    fn from(error: &rusqlite::Error) -> Self {
        let is_busy =
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        Self { message: format!("{error}{}", advice(error)), is_busy }
    }
}

impl DatabaseError {
    /// `true` if the same may work in a moment.
    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for DatabaseError {}

/// Reason why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is none of ours.
    #[error("invalid cursor: use the `next` value of a previous page")]
    Cursor,
    /// The store.
    #[error("the store could not be read: {0}")]
    Database(#[from] DatabaseError),
    /// There was no thread to read with.
    #[error("no thread could be started to read the store: {0}")]
    Thread(#[source] std::io::Error),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Advice on an error of SQLite, as the rest of a sentence that ends with the error.
pub(in crate::store) fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            "; the store is damaged: stop the daemon, copy the store's files aside, and restore a backup. Without one, \
             rescue what can be read: `sqlite3 pagerduty-dora.db .recover | sqlite3 rescued.db`, and put rescued.db in the \
             store's place. Check the disk"
        }
        Some(ErrorCode::NotADatabase) => {
            "; the file is no store, or its beginning is damaged: does store.path name the right file? If it does, restore a \
             backup"
        }
        Some(ErrorCode::DiskFull) => "; make room on the disk that the store is on",
        _ => "",
    }
}
