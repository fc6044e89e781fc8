//! Rows of PostgreSQL.

use crate::store::engine::sql::{Error, Value};

/// A row of PostgreSQL.
pub(in crate::store) struct PostgresRow<'a>(pub(super) &'a tokio_postgres::Row);

impl<'a> PostgresRow<'a> {
    /// The value in a column.
    pub(in crate::store) fn value(&self, column: usize) -> Result<Value<'a>, Error> {
        self.0.try_get(column).map_err(|error| Error::damaged(format!("{error} at index {column}")))
    }

    /// Name of a column. Empty if there is no such column.
    pub(in crate::store) fn name(&self, column: usize) -> &str {
        self.0.columns().get(column).map_or("", |column| column.name())
    }
}
