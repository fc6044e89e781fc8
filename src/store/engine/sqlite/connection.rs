//! A connection to a file of SQLite.

use std::cell::Cell;
use std::convert::Infallible;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ToSql, params_from_iter};

use super::row::SqliteRow;
use super::space;
use crate::store::engine::sql::{Result, Row, Value};

/// A connection to a file of SQLite.
pub(in crate::store) struct Connection {
    db: rusqlite::Connection,
    /// `true` while [`Self::each`] reads rows. SQLite could run other statements meanwhile. PostgreSQL could not.
    is_reading: Cell<bool>,
}

impl ToSql for Value<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(number),
            Self::Text(text) => {
                // PostgreSQL refuses such a text. So none may come this far with SQLite, either.
                debug_assert!(!text.contains('\0'), "a text with U+0000: {text:?}");
                ValueRef::Text(text.as_bytes())
            }
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Connection {
    /// An open connection.
    pub(in crate::store::engine) const fn new(db: rusqlite::Connection) -> Self {
        Self { db, is_reading: Cell::new(false) }
    }

    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        debug_assert!(!self.is_reading.get(), "run while the rows of another statement are read: {sql}");
        self.db.prepare_cached(sql)
    }

    /// Reads the first row.
    #[inline]
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        match rows.next()? {
            Some(row) => read(&Row::Sqlite(SqliteRow(row))).map(Some),
            None => Ok(None),
        }
    }

    /// Reads all rows. `read` runs no other statement.
    #[inline]
    pub(in crate::store) fn each(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        self.is_reading.set(true);
        let done = loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                end => break end.map(drop).map_err(Into::into),
            };
            if let Err(error) = read(&Row::Sqlite(SqliteRow(row))) {
                break Err(error);
            }
        };
        self.is_reading.set(false);
        done
    }

    /// Reads all rows. `read` may run other statements.
    #[inline]
    pub(in crate::store) fn each_with_others(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        self.find(sql, params, |row| read(row).map(|()| None::<Infallible>)).map(drop)
    }

    /// Reads rows until `read` returns a value.
    #[inline]
    pub(in crate::store) fn find<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepare(sql)?;
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
    pub(in crate::store) fn run(&self, sql: &str, params: &[Value<'_>]) -> Result<usize> {
        Ok(self.prepare(sql)?.execute(params_from_iter(params))?)
    }

    /// Inserts a row, and returns its number.
    #[inline]
    pub(in crate::store) fn insert(&self, sql: &str, params: &[Value<'_>]) -> Result<Option<i64>> {
        // Cheaper than RETURNING, which gathers its rows in a table first.
        Ok((self.run(sql, params)? == 1).then(|| self.db.last_insert_rowid()))
    }

    /// Steps of the plan of a statement.
    #[cfg(test)]
    pub(super) fn plan(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let parameters = params_from_iter(vec![rusqlite::types::Null; statement.parameter_count()]);
        statement.query_map(parameters, |row| row.get(3))?.collect()
    }

    /// Begins a transaction that reads.
    pub(in crate::store) fn begin_reading(&self) -> Result<()> {
        Ok(self.db.execute_batch("BEGIN DEFERRED")?)
    }

    /// Undoes the open transaction. SQLite may have undone it already, after an error.
    pub(in crate::store) fn roll_back(&self) -> bool {
        self.db.is_autocommit() || self.db.execute_batch("ROLLBACK").is_ok()
    }

    /// Gives some free pages back to the file system.
    pub(in crate::store) fn give_back_space(&self) -> Result<Option<()>> {
        Ok(space::give_back(&self.db)?)
    }

    /// The file.
    pub(in crate::store) fn file(&self) -> Option<&Path> {
        self.db.path().map(Path::new)
    }

    /// Closes the connection.
    pub(in crate::store) fn close(self) -> Result<()> {
        Ok(self.db.close().map_err(|(_, error)| error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::sql::{Db, params};

    fn db() -> Db {
        Db::Sqlite(Connection::new(rusqlite::Connection::open_in_memory().unwrap()))
    }

    #[test]
    fn parameters_are_read_back() {
        let db = db();
        let bytes = b"bytes".to_vec();
        let values = params![i64::MIN, u32::MAX, true, "text", bytes, None::<i64>, Some(7_u16)];
        let read = db.only("SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7", values, |row| {
            assert_eq!((row.text(3)?, row.bytes(4)?, row.text_or_null(5)?), ("text", &b"bytes"[..], None));
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(5)?, row.get(6)?))
        });
        assert_eq!(read.unwrap(), (i64::MIN, u32::MAX, true, None::<String>, Some(7_u16)));
        assert!(db.only("SELECT ?1", params![], |_| Ok(())).is_err(), "a parameter is missing");
    }

    #[test]
    fn rows_are_read_until_one_is_found() {
        let (db, numbers) = (db(), "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3");
        assert_eq!(db.all(numbers, params![], |row| row.get::<i64>(0)).unwrap(), [1, 2, 3]);
        let (mut seen, none) = (Vec::new(), "SELECT 1 WHERE false");
        let found = db.find(numbers, params![], |row| {
            seen.push(row.get::<i64>(0)?);
            Ok((seen.len() == 2).then_some("second"))
        });
        assert_eq!((found.unwrap(), seen.as_slice()), (Some("second"), &[1, 2][..]));
        assert_eq!(db.one(none, params![], |row| row.get::<i64>(0)).unwrap(), None);
        assert_eq!(db.only(none, params![], |_| Ok(())).unwrap_err().to_string(), "Query returned no rows");
    }

    #[test]
    fn a_value_of_another_type_is_an_error_that_names_its_column() {
        let db = db();
        let error = |sql, column: usize| {
            db.only(sql, params![], |row| row.get::<u16>(column)).unwrap_err().to_string()
        };
        let text = error("SELECT 1, 'one' AS word", 1);
        assert_eq!(text, "Invalid column type Text at index: 1, name: word");
        assert_eq!(error("SELECT NULL AS word", 0), "Invalid column type Null at index: 0, name: word");
        assert_eq!(error("SELECT 1.5 AS word", 0), "Invalid column type Real at index: 0, name: word");
        assert_eq!(error("SELECT 65536", 0), "Integer 65536 out of range at index 0");
        assert_eq!(error("SELECT 1", 1), "Invalid column index: 1");
    }

    #[test]
    fn a_snapshot_ends_when_it_is_dropped() {
        let mut db = db();
        db.run("CREATE TABLE t (a)", params![]).unwrap();
        for _ in 0..2 {
            let snapshot = db.snapshot().unwrap();
            snapshot.run("INSERT INTO t VALUES (1)", params![]).unwrap();
            drop(snapshot);
            assert_eq!(db.all("SELECT a FROM t", params![], |_| Ok(())).unwrap(), []);
        }
        assert_eq!(db.insert("INSERT INTO t VALUES (1)", params![]).unwrap(), Some(1));
    }
}
