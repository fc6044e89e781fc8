//! Bodies of JSON.

use std::str::Utf8Error;

use serde::de::DeserializeOwned;

use crate::domain::surrogates;

/// Reason why a body cannot be read as JSON.
#[derive(Debug, thiserror::Error)]
pub enum NotJson {
    /// Not UTF-8, so not JSON either.
    #[error("the body is not JSON: {0}")]
    NoText(#[from] Utf8Error),
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Reads a body. If it is not JSON, half characters (unpaired surrogates) are replaced and it is read once more.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotJson> {
    let body = surrogates::without_byte_order_mark(body);
    parse(body).or_else(|error| parse(&surrogates::replaced(body).ok_or(error)?))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotJson> {
    // Check the whole body: serde_json does not check the UTF-8 of strings that it skips.
    Ok(serde_json::from_str(str::from_utf8(body)?)?)
}
