//! Opening a store, and the open store of the writer: a store of one of the engines.

use std::path::Path;

use super::job::Durability;
use super::open_error::OpenError;
use super::sql::{self, Db, params};
use super::sqlite::connection::Connection;
use super::sqlite::open;
use super::sqlite::store_file::StoreFile;

/// Opens a connection to an existing store, for reading only.
pub(in crate::store) fn open_to_read(path: &Path) -> Result<Db, OpenError> {
    open::open_to_read(path).map(Connection::new).map(Db::Sqlite)
}

/// A store that is open for writing.
pub(in crate::store) enum OpenStore {
    /// A file of SQLite.
    Sqlite(StoreFile),
}

impl OpenStore {
    /// Opens a store, and creates and migrates it as needed.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, OpenError> {
        StoreFile::open(path).map(Self::Sqlite)
    }

    /// The connection that writes.
    pub(super) const fn db(&self) -> &Db {
        match self {
            Self::Sqlite(file) => file.db(),
        }
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, durability: Durability) -> sql::Result<()> {
        match self {
            Self::Sqlite(file) => file.begin(durability),
        }
    }

    /// Commits the transaction.
    pub(super) fn commit(&self) -> sql::Result<()> {
        self.db().run("COMMIT", params![]).map(drop)
    }

    /// Fails if acknowledged writes may be lost, because the store is not in its place any more.
    pub(super) fn is_in_place(&self) -> Result<(), String> {
        match self {
            Self::Sqlite(file) => file.is_in_place(),
        }
    }

    /// `true` while the store has work that is done sooner without writes. What can wait is written afterwards.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_busy(),
        }
    }

    /// Does the work that is due after a turn of the writer.
    pub(super) fn keep_up(&mut self) {
        match self {
            Self::Sqlite(file) => file.keep_up(),
        }
    }

    /// Closes the store.
    pub(super) fn close(self) -> sql::Result<()> {
        match self {
            Self::Sqlite(file) => file.close(),
        }
    }
}

/// Opens a store for writing without its guards, and creates and migrates it as needed.
#[cfg(test)]
pub(in crate::store) fn open_to_write(path: &Path) -> Result<Db, OpenError> {
    open::open_to_write(path).map(Connection::new).map(Db::Sqlite)
}
