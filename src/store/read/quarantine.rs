//! The quarantine, as people see it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::reader::Reader;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Row, params};

/// A part of the listing, oldest first, as the API's JSON has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantinePage {
    /// The bodies.
    pub rows: Vec<QuarantineRow>,
    /// Cursor of the next part, if there is one.
    pub next: Option<i64>,
}

/// A body in quarantine, without its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// Its id, which is never reused.
    pub id: i64,
    /// Time at which it was received.
    pub received_at: Timestamp,
    /// Id of the POST.
    pub delivery_id: Option<String>,
    /// Reason why it is in quarantine.
    pub reason: String,
    /// Length of the body in bytes.
    pub bytes: u32,
    /// Name of the source that sent it.
    pub source: String,
}

/// A body in quarantine, whole.
#[derive(Debug, Serialize)]
pub struct Quarantined {
    /// All but the body.
    #[serde(flatten)]
    pub row: QuarantineRow,
    /// The body.
    #[serde(flatten)]
    pub body: QuarantinedBody,
}

/// A body as JSON can hold it.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "BodyFields")]
pub enum QuarantinedBody {
    /// The body itself.
    Text(String),
    /// Base64 of a body that is not UTF-8.
    Base64(String),
}

/// Both fields are always there, and one of them is null.
#[derive(Serialize)]
struct BodyFields {
    body: Option<String>,
    body_base64: Option<String>,
}

impl From<QuarantinedBody> for BodyFields {
    fn from(body: QuarantinedBody) -> Self {
        match body {
            QuarantinedBody::Text(text) => Self { body: Some(text), body_base64: None },
            QuarantinedBody::Base64(text) => Self { body: None, body_base64: Some(text) },
        }
    }
}

impl Reader {
    /// Bodies in quarantine after the row `after`, at most `limit`.
    pub fn quarantine(&self, after: i64, limit: usize) -> Result<QuarantinePage, ReadError> {
        const SQL: &str =
            "SELECT id, received_at_ns, delivery_id, reason, CAST(length(body) AS BIGINT), source FROM quarantine
            WHERE id > ?1 ORDER BY id LIMIT ?2";
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.lock();
        let mut rows = db.all(SQL, params![after, one_more], listed)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|row| row.id);
        Ok(QuarantinePage { rows, next })
    }

    /// One body in quarantine, whole. `None` if there is no such row.
    pub fn quarantined(&self, id: i64) -> Result<Option<Quarantined>, ReadError> {
        const SQL: &str =
            "SELECT id, received_at_ns, delivery_id, reason, CAST(length(body) AS BIGINT), source, body
            FROM quarantine
            WHERE id = ?1";
        let db = self.lock();
        let whole = |columns: &Row<'_>| {
            let body = match String::from_utf8(columns.get(6)?) {
                Ok(text) => QuarantinedBody::Text(text),
                Err(error) => QuarantinedBody::Base64(STANDARD.encode(error.as_bytes())),
            };
            Ok(Quarantined { row: listed(columns)?, body })
        };
        Ok(db.one(SQL, params![id], whole)?)
    }
}

fn listed(columns: &Row<'_>) -> sql::Result<QuarantineRow> {
    Ok(QuarantineRow {
        id: columns.get(0)?,
        received_at: Timestamp::from_nanos(columns.get(1)?),
        delivery_id: columns.get(2)?,
        reason: columns.get(3)?,
        bytes: columns.get(4)?,
        source: columns.get(5)?,
    })
}
