//! Rows of SQLite.

use std::str;

use rusqlite::types::ValueRef;

use crate::store::engine::sql::{Error, Value};

/// A row of SQLite.
pub(in crate::store) struct SqliteRow<'a>(pub(super) &'a rusqlite::Row<'a>);

impl<'a> SqliteRow<'a> {
    /// The value in a column.
    #[inline]
    pub(in crate::store) fn value(&self, column: usize) -> Result<Value<'a>, Error> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            ValueRef::Text(text) => match str::from_utf8(text) {
                Ok(text) => Ok(Value::Text(text)),
                Err(error) => Err(Error::damaged(format!("{error} at index {column}"))),
            },
            ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes)),
            // No column of the store has this type.
            ValueRef::Real(_) => {
                let name = self.name(column);
                Err(Error::damaged(format!("Invalid column type Real at index: {column}, name: {name}")))
            }
        }
    }

    /// Name of a column. Empty if there is no such column.
    pub(in crate::store) fn name(&self, column: usize) -> &str {
        self.0.as_ref().column_name(column).unwrap_or_default()
    }
}
