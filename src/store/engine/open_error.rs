//! Reasons why a store could not be opened.

use std::path::{Path, PathBuf};

use super::address::StoreAddress;
use super::sql;

/// Reason why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened, or is not an SQLite file.
    #[error("cannot open the store {path}: {error}", path = path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Error of the database.
        error: sql::Error,
    },
    /// The store can be read but not written.
    #[error(
        "the store {path} could not be opened for writing, only for reading: may this user write to it?",
        path = path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The store cannot be switched to a write-ahead log.
    #[error(
        "the store {path} could not be switched to a write-ahead log and stays in SQLite's journal mode {mode:?}: \
         start again; if that does not help, move it to a local file system",
        path = path.display()
    )]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode that the store has.
        mode: String,
    },
    /// A later version of the program has written the store.
    #[error(
        "the store {store} has schema {found}, and this version of pagerduty-dora knows schemas up to {known}: \
         install the version that wrote it, or restore a backup"
    )]
    Newer {
        /// The store.
        store: String,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// Another process has the store open for writing.
    #[error(
        "the store {path} is in use by another process: is a pagerduty-dora running on it already, perhaps under another name \
         of the file?",
        path = path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no store at {path}: `pagerduty-dora serve` creates it; is --config the right one?", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file exists but has no schema yet.
    #[error("the store {path} is empty: run `pagerduty-dora serve` once to set it up", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of another program.
    #[error(
        "{path} is a database of another program and was not changed: set store.path to a file of its own",
        path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The server cannot be used, or its database.
    #[error("cannot use the store {store}: {reason}")]
    Server {
        /// The store.
        store: String,
        /// Reason.
        reason: String,
    },
    /// The database has no schema yet.
    #[error("the store {store} is empty: run `pagerduty-dora serve` once to set it up")]
    NoSchema {
        /// The store.
        store: String,
    },
    /// The linked version of SQLite is not safe.
    #[error("SQLite {0} can corrupt a store; 3.51.3 or later is needed")]
    UnsafeSqlite(&'static str),
    /// The file cannot be opened, created or locked.
    #[error(
        "cannot open the store {path}: {error}: does its folder exist, and may this user write there?",
        path = path.display()
    )]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        error: std::io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread of the store")]
    NoThread(#[from] std::io::Error),
}

/// Names the file that an error is about.
pub(in crate::store) fn in_file<E: Into<sql::Error>>(path: &Path) -> impl Fn(E) -> OpenError {
    move |error| OpenError::Database { path: path.to_owned(), error: error.into() }
}

/// Names the store that an error is about.
pub(in crate::store) fn in_store<E: Into<sql::Error>>(store: &StoreAddress) -> impl Fn(E) -> OpenError {
    move |error| match store {
        StoreAddress::File(path) => in_file(path)(error),
        StoreAddress::Postgres(_) => {
            OpenError::Server { store: store.to_string(), reason: error.into().to_string() }
        }
    }
}
