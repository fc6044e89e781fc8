//! Errors of SQLite, and advice about them.

use rusqlite::{ErrorCode, ffi};

use crate::store::engine::sql::Error;
use crate::store::engine::sql::error::ErrorKind;

impl From<rusqlite::Error> for Error {
    #[cold]
    fn from(error: rusqlite::Error) -> Self {
        Self::new(kind(&error), format!("{error}{}", advice(&error)))
    }
}

/// Consequence of an error. A damaged store cannot be trusted with the next transaction. A failed sync cannot be
/// repeated: the kernel may have dropped the pages. If SQLite could open the WAL only for reading, this connection
/// cannot write any more, but a new one may be able to.
fn kind(error: &rusqlite::Error) -> ErrorKind {
    match (error.sqlite_error().map(|error| error.extended_code), error.sqlite_error_code()) {
        (Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC), _)
        | (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::ReadOnly)) => ErrorKind::InDoubt,
        (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => ErrorKind::Busy,
        _ => ErrorKind::Refused,
    }
}

/// Advice on an error, to be appended to its message.
fn advice(error: &rusqlite::Error) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_if_the_store_is_in_doubt_or_busy_and_what_to_do() {
        for (code, is_in_doubt, is_busy, advice) in [
            (ffi::SQLITE_IOERR_FSYNC, true, false, ""),
            (ffi::SQLITE_IOERR_WRITE, false, false, ""),
            (ffi::SQLITE_CORRUPT, true, false, "restore a backup"),
            (ffi::SQLITE_READONLY, true, false, ""),
            (ffi::SQLITE_FULL, false, false, "free some space"),
            (ffi::SQLITE_BUSY, false, true, ""),
            (ffi::SQLITE_LOCKED, false, true, ""),
            (ffi::SQLITE_CONSTRAINT, false, false, ""),
        ] {
            let error = Error::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert_eq!((error.is_in_doubt(), error.is_busy()), (is_in_doubt, is_busy), "{error}");
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
