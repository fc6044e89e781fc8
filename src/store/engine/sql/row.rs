//! Rows of a result.

use super::error::{Error, Result};
use super::value::{FromValue, Misfit, Value};
use crate::store::engine::postgres::row::PostgresRow;
use crate::store::engine::sqlite::row::SqliteRow;

/// A row of a result, until the next one is read. Columns are counted from 0.
pub(in crate::store) enum Row<'a> {
    /// Row of SQLite.
    Sqlite(SqliteRow<'a>),
    /// Row of PostgreSQL.
    Postgres(PostgresRow<'a>),
}

impl<'a> Row<'a> {
    /// The value in a column. An error means that the store is damaged.
    #[inline]
    pub(in crate::store) fn get<T: FromValue<'a>>(&self, column: usize) -> Result<T> {
        let value = self.value(column)?;
        T::from_value(value).map_err(|misfit| self.misfit(column, value, misfit))
    }

    /// The text in a column.
    #[inline]
    pub(in crate::store) fn text(&self, column: usize) -> Result<&'a str> {
        self.get(column)
    }

    /// The text in a column that may have none.
    #[inline]
    pub(in crate::store) fn text_or_null(&self, column: usize) -> Result<Option<&'a str>> {
        self.get(column)
    }

    /// The bytes in a column.
    #[inline]
    pub(in crate::store) fn bytes(&self, column: usize) -> Result<&'a [u8]> {
        self.get(column)
    }

    /// The bytes in a column that may have none.
    #[inline]
    pub(in crate::store) fn bytes_or_null(&self, column: usize) -> Result<Option<&'a [u8]>> {
        self.get(column)
    }

    #[inline]
    fn value(&self, column: usize) -> Result<Value<'a>> {
        match self {
            Self::Sqlite(row) => row.value(column),
            Self::Postgres(row) => row.value(column),
        }
    }

    #[cold]
    fn misfit(&self, column: usize, value: Value<'a>, misfit: Misfit) -> Error {
        Error::damaged(match misfit {
            Misfit::Range(number) => format!("Integer {number} out of range at index {column}"),
            Misfit::Type => {
                let (kind, name) = (value.type_name(), self.name(column));
                format!("Invalid column type {kind} at index: {column}, name: {name}")
            }
        })
    }

    /// Name of a column, for messages.
    fn name(&self, column: usize) -> &str {
        match self {
            Self::Sqlite(row) => row.name(column),
            Self::Postgres(row) => row.name(column),
        }
    }
}
