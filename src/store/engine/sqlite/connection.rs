//! A connection to a file of SQLite.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{ToSql, params_from_iter};

use super::row::SqliteRow;
use super::space;
use crate::store::engine::sql::{Param, Result, Row};

/// A connection to a file of SQLite.
pub(in crate::store) struct Connection(rusqlite::Connection);

impl ToSql for Param<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

impl Connection {
    /// An open connection.
    pub(in crate::store::engine) const fn new(db: rusqlite::Connection) -> Self {
        Self(db)
    }

    /// Reads the first row.
    #[inline]
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        match rows.next()? {
            Some(row) => read(&Row::Sqlite(SqliteRow(row))).map(Some),
            None => Ok(None),
        }
    }

    /// Reads rows until `read` returns a value.
    #[inline]
    pub(in crate::store) fn find<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            if let Some(found) = read(&Row::Sqlite(SqliteRow(row)))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Runs a statement, and returns how many rows it changed.
    #[inline]
    pub(in crate::store) fn run(&self, sql: &str, params: &[Param<'_>]) -> Result<usize> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(params))?)
    }

    /// Inserts a row, and returns its number.
    #[inline]
    pub(in crate::store) fn insert(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<i64>> {
        // Cheaper than RETURNING, which gathers its rows in a table first.
        Ok((self.run(sql, params)? == 1).then(|| self.0.last_insert_rowid()))
    }

    /// Steps of the plan of a statement.
    #[cfg(test)]
    pub(super) fn plan(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.0.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let parameters = params_from_iter(vec![rusqlite::types::Null; statement.parameter_count()]);
        statement.query_map(parameters, |row| row.get(3))?.collect()
    }

    /// Begins a transaction that reads.
    pub(in crate::store) fn begin_reading(&self) -> Result<()> {
        Ok(self.0.execute_batch("BEGIN DEFERRED")?)
    }

    /// Undoes the open transaction. SQLite may have undone it already, after an error.
    pub(in crate::store) fn roll_back(&self) -> bool {
        self.0.is_autocommit() || self.0.execute_batch("ROLLBACK").is_ok()
    }

    /// Gives some free pages back to the file system.
    pub(in crate::store) fn give_back_space(&self) -> Result<Option<()>> {
        Ok(space::give_back(&self.0)?)
    }

    /// The file.
    pub(in crate::store) fn file(&self) -> Option<&Path> {
        self.0.path().map(Path::new)
    }

    /// Closes the connection.
    pub(in crate::store) fn close(self) -> Result<()> {
        Ok(self.0.close().map_err(|(_, error)| error)?)
    }
}
