//! Deliveries: POSTs whose signature was verified.

use std::any::Any;

use bytes::Bytes;
use rusqlite::Row;

use crate::domain::source::{Source, Sources};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;

/// One POST from a source, besides what it says.
pub struct Delivery {
    /// The source whose signature was verified.
    pub source: &'static Source,
    /// Id of the POST, the same on every attempt.
    pub id: Option<String>,
    /// Time at which it was received.
    pub received_at: Timestamp,
    /// The signed bytes.
    pub body: Bytes,
    /// Reservation of room for the body, until it is written.
    pub reservation: Option<Box<dyn Any + Send + Sync>>,
}

/// The source in a column. A name that is no known source's is an error: the store is damaged, or of a newer program.
pub(in crate::store) fn source(
    sources: Sources,
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<&'static Source> {
    let name = row.get_ref(column)?.as_str()?;
    sources.named(name).ok_or_else(|| unknown_word(column, name))
}
