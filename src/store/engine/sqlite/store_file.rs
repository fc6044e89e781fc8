//! The file of a store that is open for writing: the connection that writes, and the guards of the file.

use std::path::Path;

use super::checkpoint::{self, Checkpointer};
use super::connection::Connection;
use super::files::{Files, Lock};
use super::open::open_to_write;
use crate::store::engine::job::Durability;
use crate::store::engine::open_error::OpenError;
use crate::store::engine::sql::{Db, Result, params};

/// An open file.
pub(in crate::store) struct StoreFile {
    db: Db,
    /// Durability that the connection is set to. `None` if it is not known.
    durability: Option<Durability>,
    files: Files,
    checkpointer: Checkpointer,
    /// Keeps other processes from writing. Last, so that it is dropped after the connection.
    lock: Lock,
}

impl StoreFile {
    /// Opens a file, and creates and migrates it as needed.
    pub(in crate::store::engine) fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        let mut db = open_to_write(path)?;
        let checkpointer = checkpoint::start(path, &mut db)?;
        let files = Files::of(path).map_err(|error| OpenError::NoFile { path: path.to_owned(), error })?;
        Ok(Self { db: Db::Sqlite(Connection::new(db)), durability: None, files, checkpointer, lock })
    }

    /// The connection that writes.
    pub(in crate::store::engine) const fn db(&self) -> &Db {
        &self.db
    }

    /// Begins a transaction.
    pub(in crate::store::engine) fn begin(&mut self, durability: Durability) -> Result<()> {
        if self.durability != Some(durability) {
            self.durability = None;
            self.db.run(pragma(durability), params![])?;
            self.durability = Some(durability);
        }
        self.db.run("BEGIN IMMEDIATE", params![]).map(drop)
    }

    /// Fails if a file of the store is not where it was: data written to it may be lost.
    pub(in crate::store::engine) fn is_in_place(&self) -> Result<(), String> {
        match self.files.moved() {
            None => Ok(()),
            Some(path) => {
                // If only the WAL was moved, its pages can still be moved into the database file.
                checkpoint::checkpoint(&self.db);
                let path = path.display();
                Err(format!(
                    "{path} was moved, removed or replaced while the program was running: put the store's files back, \
                     or let the next start create new ones"
                ))
            }
        }
    }

    /// `true` while pages are moved from the WAL. What can wait is written afterwards.
    pub(in crate::store::engine) fn is_busy(&self) -> bool {
        self.checkpointer.is_moving()
    }

    /// Keeps the WAL short. Called after every round of the writer.
    pub(in crate::store::engine) fn keep_up(&mut self) {
        self.checkpointer.keep_up(&self.db);
    }

    /// Closes the file.
    pub(in crate::store::engine) fn close(self) -> Result<()> {
        let Self { db, checkpointer, lock, .. } = self;
        // Closing as the last connection moves the whole WAL into the database file, so that the next start recovers
        // nothing.
        checkpointer.stop();
        let closed = db.close();
        drop(lock);
        closed
    }
}

/// Sets the durability of the next transactions.
const fn pragma(durability: Durability) -> &'static str {
    match durability {
        Durability::Synced => "PRAGMA synchronous = FULL",
        Durability::Later => "PRAGMA synchronous = NORMAL",
    }
}
