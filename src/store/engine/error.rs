//! Errors of the database, without SQLite's types, so that other modules do not depend on SQLite.

use std::fmt;

use rusqlite::ErrorCode;

/// Error of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    message: String,
    /// `true` if another process held a lock for too long.
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
    /// `true` if a retry may work in a moment.
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

/// Reason why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is not from a previous page.
    #[error("invalid cursor: use the `next` value of a previous page")]
    Cursor,
    /// Error of the database.
    #[error("the store could not be read: {0}")]
    Database(#[from] DatabaseError),
    /// No thread could be started for the read.
    #[error("no thread could be started to read the store: {0}")]
    Thread(#[source] std::io::Error),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Advice on an error of SQLite, to be appended to the error message.
pub(in crate::store) fn advice(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            "; the store is damaged: stop the daemon, copy the store's files aside, and restore a backup. Without a \
             backup, rescue the readable rows: `sqlite3 pagerduty-dora.db .recover | sqlite3 rescued.db`, and replace the \
             store with rescued.db. Check the disk"
        }
        Some(ErrorCode::NotADatabase) => {
            "; the file is not a store, or its beginning is damaged: correct store.path, or restore a backup"
        }
        Some(ErrorCode::DiskFull) => "; free some space on the disk of the store",
        _ => "",
    }
}
