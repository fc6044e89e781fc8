//! Both ends of a copy of a whole store, each of one of the engines.

use super::address::StoreAddress;
use super::copy_error::CopyError;
use super::folding;
use super::open_error::in_store;
use super::open_store::open_to_read;
use super::postgres::new_database::NewDatabase;
use super::postgres::{new_database, whole_store};
use super::progress::{self, FOLDED_UP_TO};
use super::sql::{self, Db, params};
use super::sqlite::new_file::{self, NewFile};

/// A whole store, as it was at one moment.
pub struct CopySource {
    db: Db,
    address: StoreAddress,
}

impl CopySource {
    /// Opens a store that nobody writes to until this is dropped. A file is opened by whoever has its lock.
    ///
    /// # Errors
    /// It cannot be opened, daemons use it, or it has events that are not folded.
    pub fn alone(address: StoreAddress) -> Result<Self, CopyError> {
        let source = Self::open(address, true)?;
        source.require_folded()?;
        Ok(source)
    }

    /// Fails if events are left that are not folded.
    fn require_folded(&self) -> Result<(), CopyError> {
        let failed = |error| CopyError::Read { table: "event", error };
        let stored: i64 = self.db.only(LAST_EVENT, params![], |row| row.get(0)).map_err(failed)?;
        if folding::folded_up_to(&self.db).map_err(failed)? < stored {
            return Err(CopyError::NotFolded(self.address.to_string()));
        }
        Ok(())
    }

    /// Opens a store that others may write to. Their writes from now on are not seen.
    pub fn beside_writers(address: StoreAddress) -> Result<Self, CopyError> {
        Self::open(address, false)
    }

    fn open(address: StoreAddress, is_alone: bool) -> Result<Self, CopyError> {
        let db = match &address {
            StoreAddress::File(_) => {
                let db = open_to_read(&address)?;
                if let Db::Sqlite(file) = &db {
                    file.begin_reading().map_err(in_store(&address))?;
                }
                db
            }
            StoreAddress::Postgres(database) => Db::Postgres(whole_store::open(database, is_alone)?),
        };
        Ok(Self { db, address })
    }

    /// The connection. It is in a transaction that reads.
    pub(in crate::store) const fn db(&self) -> &Db {
        &self.db
    }

    /// The last id that a numbered table has used, if the engine knows it beside the rows.
    pub(in crate::store) fn last_id(&self, table: &str) -> sql::Result<Option<i64>> {
        match &self.db {
            Db::Sqlite(db) => new_file::last_id(db, table),
            Db::Postgres(db) => new_database::last_id(db, table),
        }
    }
}

impl Drop for CopySource {
    fn drop(&mut self) {
        // The connection ends as well.
        self.db.roll_back();
    }
}

const LAST_EVENT: &str = "SELECT coalesce(max(id), 0) FROM event";

/// A new store, which is at its place only once it is finished.
pub(in crate::store) enum CopyTarget {
    /// A file of SQLite.
    File(NewFile),
    /// The schema of a database of PostgreSQL.
    Database(NewDatabase),
}

impl CopyTarget {
    /// Begins to write a store to an empty place. `keep`: files of earlier copies are replaced, except for so many.
    pub(in crate::store) fn begin(
        source: &CopySource,
        address: &StoreAddress,
        keep: Option<u32>,
    ) -> Result<Self, CopyError> {
        Ok(match address {
            StoreAddress::File(file) => Self::File(NewFile::begin(source.address.file(), file, keep)?),
            StoreAddress::Postgres(database) => Self::Database(NewDatabase::begin(database)?),
        })
    }

    /// The connection.
    pub(in crate::store) const fn db(&self) -> &Db {
        match self {
            Self::File(file) => file.db(),
            Self::Database(database) => database.db(),
        }
    }

    /// `true` if texts may have NUL characters.
    pub(in crate::store) const fn takes_nul(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Ends the writing of a table. `last_id`: the last id that it has used, if its rows are numbered.
    pub(in crate::store) fn end_table(&self, table: &str, last_id: Option<i64>) -> sql::Result<()> {
        match self.db() {
            Db::Sqlite(db) => last_id.map_or(Ok(()), |id| new_file::continue_after(db, table, id)),
            Db::Postgres(db) => {
                last_id.map_or(Ok(()), |id| new_database::continue_after(db, table, id))?;
                new_database::analyze(db, table)
            }
        }
    }

    /// Notes which events are folded. A file may have others after them. A database gets no table of such events, so all have
    /// to be folded.
    pub(in crate::store) fn set_folded(&self, source: &CopySource) -> Result<(), CopyError> {
        match self {
            Self::File(file) => folding::folded_up_to(source.db())
                .and_then(|folded| progress::set(file.db(), FOLDED_UP_TO, folded))
                .map_err(|error| CopyError::Write { rows: "table progress".to_owned(), error }),
            Self::Database(_) => source.require_folded(),
        }
    }

    /// Ends the writing of all tables. From now on the connection reads what was written.
    pub(in crate::store) fn written(&mut self) -> Result<(), CopyError> {
        match self {
            Self::File(file) => Ok(file.written()?),
            Self::Database(_) => Ok(()),
        }
    }

    /// Puts the store at its place. Returns the length of its file.
    pub(in crate::store) fn finish(self) -> Result<Option<u64>, CopyError> {
        match self {
            Self::File(file) => Ok(Some(file.finish()?)),
            Self::Database(database) => database.finish().map(|()| None),
        }
    }
}
