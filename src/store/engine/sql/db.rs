//! Connections to the store.

use std::ops::Deref;

use super::error::{Error, Result};
use super::row::Row;
use super::value::Value;
use crate::store::engine::{postgres, sqlite};

/// A connection to the store. Each statement is prepared once and kept.
pub(in crate::store) enum Db {
    /// Connection to a file of SQLite.
    Sqlite(sqlite::connection::Connection),
    /// Connection to a database of PostgreSQL.
    Postgres(postgres::connection::Connection),
}

impl Db {
    /// The connection to a database of PostgreSQL, for what only that engine has.
    pub(in crate::store::engine) fn postgres(&self) -> Result<&postgres::connection::Connection> {
        match self {
            Self::Postgres(db) => Ok(db),
            Self::Sqlite(_) => Err(Error::damaged("a file was taken for a database of PostgreSQL")),
        }
    }

    /// Reads the first row. `None` if there is none.
    #[inline]
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        match self {
            Self::Sqlite(db) => db.one(sql, params, read),
            Self::Postgres(db) => db.one(sql, params, read),
        }
    }

    /// Reads the first row of a statement that always has one, such as a count.
    #[inline]
    pub(in crate::store) fn only<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.one(sql, params, read)?.ok_or_else(Error::no_row)
    }

    /// Reads all rows. `read` may run other statements.
    #[inline]
    pub(in crate::store) fn all<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let read = |row: &Row<'_>| {
            all.push(read(row)?);
            Ok(())
        };
        match self {
            Self::Sqlite(db) => db.each_with_others(sql, params, read)?,
            Self::Postgres(db) => db.each_of_few(sql, params, read)?,
        }
        Ok(all)
    }

    /// Calls `read` with each row. It must not run statements: see [`Self::all`] and [`Self::find`].
    #[inline]
    pub(in crate::store) fn each(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(db) => db.each(sql, params, read),
            Self::Postgres(db) => db.each(sql, params, read),
        }
    }

    /// Calls `read` with each row until it returns a value, and returns that. `None` if there are no more rows. It may run
    /// other statements.
    #[inline]
    pub(in crate::store) fn find<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        match self {
            Self::Sqlite(db) => db.find(sql, params, read),
            Self::Postgres(db) => db.find(sql, params, read),
        }
    }

    /// Runs a statement, and returns how many rows it changed.
    #[inline]
    pub(in crate::store) fn run(&self, sql: &str, params: &[Value<'_>]) -> Result<usize> {
        match self {
            Self::Sqlite(db) => db.run(sql, params),
            Self::Postgres(db) => db.run(sql, params),
        }
    }

    /// Inserts a row into a table with numbered rows, and returns its number. `None` if the row exists already.
    #[inline]
    pub(in crate::store) fn insert(&self, sql: &str, params: &[Value<'_>]) -> Result<Option<i64>> {
        match self {
            Self::Sqlite(db) => db.insert(sql, params),
            Self::Postgres(db) => db.insert(sql, params),
        }
    }

    /// Begins to read one state of the store, which writes of others do not change.
    pub(in crate::store) fn snapshot(&mut self) -> Result<Snapshot<'_>> {
        match self {
            Self::Sqlite(db) => db.begin_reading()?,
            Self::Postgres(db) => db.begin_reading()?,
        }
        Ok(Snapshot { db: self })
    }

    /// Undoes the open transaction. `false` if that fails. Without a transaction there is nothing to do.
    pub(in crate::store) fn roll_back(&self) -> bool {
        match self {
            Self::Sqlite(db) => db.roll_back(),
            Self::Postgres(db) => db.roll_back(),
        }
    }

    /// Gives a part of the store's free space back. `Some(())` once nothing is left to give back.
    pub(in crate::store) fn give_back_space(&self) -> Result<Option<()>> {
        match self {
            Self::Sqlite(db) => db.give_back_space(),
            // The server's own vacuum does it.
            Self::Postgres(_) => Ok(Some(())),
        }
    }

    /// Closes the connection.
    pub(in crate::store) fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(db) => db.close(),
            Self::Postgres(_) => Ok(()),
        }
    }
}

/// A connection that reads one state of the store.
pub(in crate::store) struct Snapshot<'a> {
    db: &'a mut Db,
}

impl Deref for Snapshot<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // If this fails, the next snapshot cannot begin, and reports an error.
        self.db.roll_back();
    }
}
