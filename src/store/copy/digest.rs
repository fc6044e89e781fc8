//! Digests of whole tables.

use std::fmt;

use sha2::{Digest, Sha256};

use super::statements;
use super::tables::Table;
use crate::store::engine::sql::{Db, Result, Value};

/// Number of rows between two reports of the progress.
const REPORT_EVERY: u64 = 1_024;

/// Number of rows of a table, and a digest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 over the rows in the order of their key, in hexadecimal digits. A row is its values, in the order of the
    /// columns. A value is a byte, and what it says: 0: nothing; 1: a number, as 8 bytes, the highest first; 2: a text,
    /// 3: bytes, each with its length before it, as such a number.
    pub sha256: String,
}

impl TableDigest {
    /// Reads a whole table. It does not use the pages of a copy, so a row that a page leaves out is noticed. `progress` is told
    /// the number of rows so far.
    pub(super) fn of(db: &Db, table: &Table, mut progress: impl FnMut(u64)) -> Result<Self> {
        let (mut digest, mut rows) = (Sha256::new(), 0);
        db.each(&statements::all(table), &[], |row| {
            for column in 0..table.width() {
                add(&mut digest, row.get(column)?);
            }
            rows += 1;
            if rows % REPORT_EVERY == 0 {
                progress(rows);
            }
            Ok(())
        })?;
        progress(rows);
        Ok(Self { rows, sha256: hex::encode(digest.finalize()) })
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, sha256 } = self;
        let word = if *rows == 1 { "row" } else { "rows" };
        write!(formatter, "{rows} {word}, SHA-256 {sha256}")
    }
}

fn add(digest: &mut Sha256, value: Value<'_>) {
    let mut long = |kind: u8, bytes: &[u8]| {
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    match value {
        Value::Null => digest.update([0]),
        Value::Integer(number) => {
            digest.update([1]);
            digest.update(number.to_be_bytes());
        }
        Value::Text(text) => long(2, text.as_bytes()),
        Value::Bytes(bytes) => long(3, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(values: &[Value<'_>]) -> String {
        let mut digest = Sha256::new();
        for value in values {
            add(&mut digest, *value);
        }
        hex::encode(digest.finalize())
    }

    #[test]
    fn different_rows_have_different_digests() {
        use Value::{Bytes, Integer, Null, Text};
        let rows: [&[Value<'_>]; 8] = [
            &[],
            &[Null],
            &[Integer(0)],
            &[Text("")],
            &[Bytes(b"")],
            &[Text("ab"), Text("c")],
            &[Text("a"), Text("bc")],
            &[Text("abc")],
        ];
        let digests: std::collections::BTreeSet<String> = rows.iter().map(|row| digest(row)).collect();
        assert_eq!(digests.len(), rows.len());
        // As documented, made by `printf '\\1\\0\\0\\0\\0\\0\\0\\0\\5' | sha256sum`.
        assert_eq!(digest(&[Integer(5)]), "463c874a601f0572578fc1a0a07af1726b0285eadceb0d283db38001c07733f3");
    }
}
