//! A page of rows on its way from one store to another.

use super::statements;
use super::tables::Table;
use crate::store::engine::copy_error::CopyError;
use crate::store::engine::sql::{Db, OwnedValue, Result, ToValue, Value};

/// Length of texts and bytes after which a page ends, so that the memory does not depend on the rows.
const FULL_BYTES: usize = 4 * 1024 * 1024;

/// Rows of a table that follow each other in the order of the key.
pub(super) struct Page<'a> {
    table: &'a Table,
    /// The values of all rows, one row after the other.
    values: Vec<OwnedValue>,
}

impl<'a> Page<'a> {
    /// Reads the rows behind this key, or the first ones. There are no more if the page is empty.
    pub(super) fn read(db: &Db, table: &'a Table, behind: Option<&[OwnedValue]>) -> Result<Self> {
        let key: Vec<Value<'_>> = behind.unwrap_or_default().iter().map(ToValue::to_value).collect();
        let (mut values, mut bytes) = (Vec::new(), 0);
        db.find(&statements::page(table, behind.is_none()), &key, |row| {
            for column in 0..table.width() {
                let value = OwnedValue::from(row.get::<Value<'_>>(column)?);
                bytes += value.length();
                values.push(value);
            }
            Ok((bytes >= FULL_BYTES).then_some(()))
        })?;
        Ok(Self { table, values })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.table.width()
    }

    /// The key of the last row. `None` if the page is empty.
    pub(super) fn last_key(&self) -> Option<Vec<OwnedValue>> {
        let last = self.values.chunks(self.table.width()).next_back()?;
        last.get(..self.table.key.len()).map(<[_]>::to_vec)
    }

    /// Writes the rows, many at a time. The numbers of rows are powers of two, so that there are few statements.
    pub(super) fn write(&self, db: &Db) -> Result<(), CopyError> {
        let (width, most) = (self.table.width(), statements::most_rows(self.table));
        let mut rest = self.values.as_slice();
        while let Some(power) = (rest.len() / width).checked_ilog2() {
            let rows = most.min(1 << power);
            let (now, later) = rest.split_at(rows * width);
            let params: Vec<Value<'_>> = now.iter().map(ToValue::to_value).collect();
            let written = db.run(&statements::insert(self.table, rows), &params);
            written.map_err(|error| CopyError::Write { rows: between(now, self.table), error })?;
            rest = later;
        }
        Ok(())
    }

    /// Texts with a NUL character, named by table, row and column.
    pub(super) fn nuls(&self) -> impl Iterator<Item = String> {
        let table = self.table;
        self.values.chunks(table.width()).flat_map(move |row| {
            let has_nul = |value: &OwnedValue| matches!(value, OwnedValue::Text(text) if text.contains('\0'));
            let found = row.iter().zip(table.columns()).filter(move |(value, _)| has_nul(value));
            found.map(move |(_, column)| {
                format!("table {}, row {}, column {column}", table.name, named(row, table))
            })
        })
    }
}

/// The first and the last of some rows.
fn between(rows: &[OwnedValue], table: &Table) -> String {
    let last = rows.chunks(table.width()).next_back().unwrap_or_default();
    format!("table {}, rows {} to {}", table.name, named(rows, table), named(last, table))
}

/// The values of the key of a row.
fn named(row: &[OwnedValue], table: &Table) -> String {
    let key = row.iter().take(table.key.len()).map(|value| match value {
        OwnedValue::Null => "NULL".to_owned(),
        OwnedValue::Integer(number) => number.to_string(),
        OwnedValue::Text(text) => format!("{text:?}"),
        OwnedValue::Bytes(bytes) => hex::encode(bytes),
    });
    key.collect::<Vec<_>>().join(", ")
}
