//! Deliveries: POSTs whose signature was verified.

use std::any::Any;

use bytes::Bytes;

use crate::domain::source::{Source, Sources};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::sql::{self, Row};

/// One POST from a source, with its body as bytes.
pub struct Delivery {
    /// The source whose signature was verified.
    pub source: &'static Source,
    /// Id of the POST, the same on every attempt.
    pub id: Option<String>,
    /// Time at which it was received.
    pub received_at: Timestamp,
    /// The signed bytes.
    pub body: Bytes,
    /// Reservation of memory for the body, until it is written.
    pub reservation: Option<Box<dyn Any + Send + Sync>>,
}

/// The source that a column names. An unknown name is an error: the store is damaged, or written by a newer program.
pub(in crate::store) fn source(
    sources: Sources,
    row: &Row<'_>,
    column: usize,
) -> sql::Result<&'static Source> {
    let name = row.text(column)?;
    sources.named(name).ok_or_else(|| unknown_word(column, name))
}
