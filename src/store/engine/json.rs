//! JSON in columns, and the error for a word that this program never writes.

use rusqlite::types::{FromSqlError, Type};
use serde::{Deserialize, Serialize};

/// Usual size of a failure and its facts.
const USUAL_JSON_BYTES: usize = 1_024;

/// Reads JSON that the store wrote. An error means that the store is damaged.
pub(in crate::store) fn from_json<T: for<'de> Deserialize<'de>>(json: &str) -> rusqlite::Result<T> {
    serde_json::from_str(json).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, FromSqlError::other(error).into())
    })
}

/// A value as JSON.
pub(in crate::store) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    let mut json = Vec::with_capacity(USUAL_JSON_BYTES);
    let not_text =
        |error: Box<dyn std::error::Error + Send + Sync>| rusqlite::Error::ToSqlConversionFailure(error);
    serde_json::to_writer(&mut json, value).map_err(|error| not_text(error.into()))?;
    String::from_utf8(json).map_err(|error| not_text(error.into()))
}

/// Error for a word that this program never writes into this column: the store is damaged.
pub(in crate::store) fn unknown_word(column: usize, word: &str) -> rusqlite::Error {
    let error = format!("the store holds an unknown word: {word:?}");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
