//! Errors of reads.

use super::sql;

/// Reason why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is not from a previous page.
    #[error("invalid cursor: use the `next` value of a previous page")]
    Cursor,
    /// Error of the database.
    #[error("the store could not be read: {0}")]
    Database(#[from] sql::Error),
    /// No thread could be started for the read.
    #[error("no thread could be started to read the store: {0}")]
    Thread(#[source] std::io::Error),
}
