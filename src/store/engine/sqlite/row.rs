//! Rows of SQLite.

use std::str::{self, Utf8Error};

use rusqlite::types::ValueRef;

use crate::store::engine::sql::{Error, Value};

/// A row of SQLite.
pub(in crate::store) struct SqliteRow<'a>(pub(super) &'a rusqlite::Row<'a>);

impl<'a> SqliteRow<'a> {
    /// The value in a column.
    #[inline]
    pub(in crate::store) fn value(&self, column: usize) -> Result<Value<'a>, Error> {
        match self.0.get_ref(column) {
            Ok(ValueRef::Null) => Ok(Value::Null),
            Ok(ValueRef::Integer(number)) => Ok(Value::Integer(number)),
            Ok(ValueRef::Text(text)) => {
                str::from_utf8(text).map(Value::Text).map_err(|error| not_utf8(column, error))
            }
            Ok(ValueRef::Blob(bytes)) => Ok(Value::Bytes(bytes)),
            Ok(ValueRef::Real(_)) => Err(self.real_value(column)),
            Err(error) => Err(error.into()),
        }
    }

    /// Error for a REAL: no column of the store has this type. A function of its own, like [`not_utf8`], so that `value` is
    /// short enough to be inlined.
    #[cold]
    fn real_value(&self, column: usize) -> Error {
        Error::damaged(format!("Invalid column type Real at index: {column}, name: {}", self.name(column)))
    }

    /// Name of a column. Empty if there is no such column.
    pub(in crate::store) fn name(&self, column: usize) -> &str {
        self.0.as_ref().column_name(column).unwrap_or_default()
    }
}

#[cold]
fn not_utf8(column: usize, error: Utf8Error) -> Error {
    Error::damaged(format!("{error} at index {column}"))
}
