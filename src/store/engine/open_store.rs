//! Opening a store, and the open store of the writer: a store of one of the engines.

#[cfg(test)]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::address::StoreAddress;
use super::backlog::Unfolded;
use super::job::Durability;
use super::open_error::OpenError;
use super::postgres;
use super::postgres::server::Server;
use super::session::Epoch;
use super::settings::Settings;
use super::sql::{self, Db, params};
use super::sqlite::connection::Connection;
use super::sqlite::open;
use super::sqlite::store_file::StoreFile;

/// Opens a connection to an existing store, for reading only.
pub(in crate::store) fn open_to_read(address: &StoreAddress) -> Result<Db, OpenError> {
    match address {
        StoreAddress::File(path) => open::open_to_read(path).map(Connection::new).map(Db::Sqlite),
        StoreAddress::Postgres(address) => postgres::open::open_to_read(address).map(Db::Postgres),
    }
}

/// A store that is open for writing.
pub(in crate::store) enum OpenStore {
    /// A file of SQLite.
    Sqlite(StoreFile),
    /// A database of PostgreSQL.
    Postgres(Server),
}

/// The writers of a store.
#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
pub(in crate::store) enum Opened {
    /// One writer does everything.
    Alone(OpenStore),
    /// One stores events, and waits for nobody. The other decides, in its turn among all replicas.
    Shared {
        /// The one that stores events.
        intake: OpenStore,
        /// The one that decides.
        decider: OpenStore,
    },
}

impl Opened {
    /// Opens a store, and creates and migrates it as needed.
    pub(in crate::store) fn open(address: &StoreAddress, is_daemon: bool) -> Result<Self, OpenError> {
        match address {
            StoreAddress::File(path) => Ok(Self::Alone(OpenStore::Sqlite(StoreFile::open(path)?))),
            StoreAddress::Postgres(address) => {
                let [intake, decider] = Server::open(address, is_daemon)?.map(OpenStore::Postgres);
                Ok(Self::Shared { intake, decider })
            }
        }
    }

    /// Counter of the commits without a clear answer. `None` if this process has the store for itself.
    pub(in crate::store) fn unclear_commits(&self) -> Option<Arc<AtomicU64>> {
        match self {
            Self::Shared { decider: OpenStore::Postgres(server), .. } => Some(server.unclear_commits()),
            Self::Alone(_) | Self::Shared { .. } => None,
        }
    }
}

impl OpenStore {
    /// The connection that writes.
    pub(super) const fn db(&self) -> &Db {
        match self {
            Self::Sqlite(file) => file.db(),
            Self::Postgres(server) => server.db(),
        }
    }

    /// Begins a transaction under the present settings.
    pub(super) fn begin(&mut self, durability: Durability, settings: &Settings) -> sql::Result<()> {
        match self {
            Self::Sqlite(file) => file.begin(durability),
            Self::Postgres(server) => {
                let asked_at = Instant::now();
                let begun = server.begin(durability, settings.fingerprint.as_deref());
                (0..server.reconnects()).for_each(|_| settings.observer.reconnected());
                if server.waits_for_turns() {
                    settings.observer.waited_for_turn(asked_at.elapsed());
                }
                begun
            }
        }
    }

    /// The epoch of the claims of this process. `of_process`: the number of processes that have opened a file.
    pub(super) fn epoch(&self, of_process: i64) -> Epoch {
        match self {
            Self::Sqlite(_) => Epoch::OfProcess(of_process),
            Self::Postgres(server) => Epoch::OfLeases(server.generation()),
        }
    }

    /// Commits the transaction, in which these events were stored.
    pub(super) fn commit(&mut self, durability: Durability, to_fold: &[Unfolded]) -> sql::Result<()> {
        match self {
            Self::Sqlite(file) => file.db().run("COMMIT", params![]).map(drop),
            Self::Postgres(server) => server.commit(durability, to_fold),
        }
    }

    /// Fails if acknowledged writes may be lost, because the store is not in its place any more.
    pub(super) fn is_in_place(&self) -> Result<(), String> {
        match self {
            Self::Sqlite(file) => file.is_in_place(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// `true` while the store has work that is done sooner without writes. What can wait is written afterwards.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Sqlite(file) => file.is_busy(),
            Self::Postgres(_) => false,
        }
    }

    /// Does the work that is due after a round of the writer.
    pub(super) fn keep_up(&mut self) {
        match self {
            Self::Sqlite(file) => file.keep_up(),
            Self::Postgres(server) => server.keep_up(),
        }
    }

    /// Closes the store.
    pub(super) fn close(self) -> sql::Result<()> {
        match self {
            Self::Sqlite(file) => file.close(),
            Self::Postgres(server) => {
                server.close();
                Ok(())
            }
        }
    }
}

/// Opens a file for writing without its guards, and creates and migrates it as needed.
#[cfg(test)]
pub(in crate::store) fn open_to_write(path: &Path) -> Result<Db, OpenError> {
    open::open_to_write(path).map(Connection::new).map(Db::Sqlite)
}
