//! JSON in columns, and the error for a word that this program never writes.

use serde::{Deserialize, Serialize};

use super::sql;
use super::sql::error::ErrorKind;

/// Usual size of a failure and its facts.
const USUAL_JSON_BYTES: usize = 1_024;

/// Reads JSON that the store wrote. An error means that the store is damaged.
pub(in crate::store) fn from_json<T: for<'de> Deserialize<'de>>(json: &str) -> sql::Result<T> {
    serde_json::from_str(json).map_err(|error| not_understood(0, &error.to_string()))
}

/// A value as JSON.
pub(in crate::store) fn to_json<T: Serialize>(value: &T) -> sql::Result<String> {
    let mut json = Vec::with_capacity(USUAL_JSON_BYTES);
    let not_text = |error: &dyn std::error::Error| sql::Error::new(ErrorKind::Refused, error.to_string());
    serde_json::to_writer(&mut json, value).map_err(|error| not_text(&error))?;
    String::from_utf8(json).map_err(|error| not_text(&error))
}

/// Error for a word that this program never writes into this column: the store is damaged.
pub(in crate::store) fn unknown_word(column: usize, word: &str) -> sql::Error {
    not_understood(column, &format!("the store holds an unknown word: {word:?}"))
}

fn not_understood(column: usize, error: &str) -> sql::Error {
    sql::Error::damaged(format!("Conversion error from type Text at index: {column}, {error}"))
}
