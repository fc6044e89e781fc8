//! Quarantine: signed bodies that were not understood, or that contradict an event with the same id. A person can look
//! at them, and have them read again by a newer version of the program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::event_row::source;
use super::listing::{ReadError, Reader};
use super::record::{self, Delivery, Recorded};
use super::writer::Session;
use crate::domain::timestamp::Timestamp;

/// A part of the listing, oldest first, as the API's JSON has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantinePage {
    /// The bodies.
    pub rows: Vec<QuarantineRow>,
    /// The cursor of the next part, where there is one.
    pub next: Option<i64>,
}

/// A body in quarantine, without its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// Its id, which is never used again.
    pub id: i64,
    /// Time at which it was received.
    pub received_at: Timestamp,
    /// Id of the POST.
    pub delivery_id: Option<String>,
    /// Reason why it is here.
    pub reason: String,
    /// Length of the body in bytes.
    pub bytes: u32,
}

/// A body in quarantine, whole.
#[derive(Debug, Serialize)]
pub struct Quarantined {
    /// All but the body.
    #[serde(flatten)]
    pub row: QuarantineRow,
    /// The body.
    #[serde(flatten)]
    pub body: Body,
}

/// A body as JSON can hold it.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "BodyFields")]
pub enum Body {
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

impl From<Body> for BodyFields {
    fn from(body: Body) -> Self {
        match body {
            Body::Text(text) => Self { body: Some(text), body_base64: None },
            Body::Base64(text) => Self { body: None, body_base64: Some(text) },
        }
    }
}

/// Result of reading a body again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It is an event, which was recorded so, and has left the quarantine.
    Recorded(Recorded),
    /// There is no such row.
    NotFound,
    /// It is still not understood, for this reason, and stays.
    NotUnderstood(String),
    /// An event with its id was seen before and says something else. It stays.
    Contradicts,
}

impl Retried {
    /// Result, for people.
    pub fn says(&self) -> String {
        match self {
            Self::Recorded(Recorded::Accepted) => {
                "it is an event now, and its failure follows from it".to_owned()
            }
            Self::Recorded(Recorded::Duplicate) => {
                "the same event was there already; it has left the quarantine".to_owned()
            }
            Self::Recorded(_) => {
                "it is an event about no incident; it is kept, and changes no failure".to_owned()
            }
            Self::NotFound => "there is no such row".to_owned(),
            Self::NotUnderstood(reason) => format!("it is still not understood, and stays: {reason}"),
            Self::Contradicts => "another event with the same id was kept before; it stays".to_owned(),
        }
    }
}

impl Reader {
    /// Bodies in quarantine after the row `after`, at most `limit`.
    pub fn quarantine(&self, after: i64, limit: usize) -> Result<QuarantinePage, ReadError> {
        const SQL: &str = "SELECT id, received_at_ns, delivery_id, reason, length(body) FROM quarantine
            WHERE id > ?1 ORDER BY id LIMIT ?2";
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.lock();
        let mut statement = db.prepare_cached(SQL)?;
        let mut rows = statement.query_map([after, one_more], listed)?.collect::<Result<Vec<_>, _>>()?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|row| row.id);
        Ok(QuarantinePage { rows, next })
    }

    /// One of them, whole. `None`: there is no such row.
    pub fn quarantined(&self, id: i64) -> Result<Option<Quarantined>, ReadError> {
        const SQL: &str = "SELECT id, received_at_ns, delivery_id, reason, length(body), body FROM quarantine
            WHERE id = ?1";
        let db = self.lock();
        let whole = |columns: &Row<'_>| {
            let body = match String::from_utf8(columns.get(5)?) {
                Ok(text) => Body::Text(text),
                Err(error) => Body::Base64(STANDARD.encode(error.as_bytes())),
            };
            Ok(Quarantined { row: listed(columns)?, body })
        };
        Ok(db.prepare_cached(SQL)?.query_row([id], whole).optional()?)
    }
}

fn listed(columns: &Row<'_>) -> rusqlite::Result<QuarantineRow> {
    Ok(QuarantineRow {
        id: columns.get(0)?,
        received_at: Timestamp::from_nanos(columns.get(1)?),
        delivery_id: columns.get(2)?,
        reason: columns.get(3)?,
        bytes: columns.get(4)?,
    })
}

/// Has a body read again by its source. An event that is understood is recorded like a webhook, with the time at which it was received.
pub(super) fn retry(session: &mut Session<'_>, id: i64) -> rusqlite::Result<Retried> {
    const FIND: &str = "SELECT received_at_ns, delivery_id, body, source FROM quarantine WHERE id = ?1";
    const REMOVE: &str = "DELETE FROM quarantine WHERE id = ?1";
    const EXPLAIN: &str = "UPDATE quarantine SET reason = ?2 WHERE id = ?1";
    let delivery = |columns: &Row<'_>| {
        let body: Vec<u8> = columns.get(2)?;
        Ok(Delivery {
            source: source(session.settings.sources, columns, 3)?,
            id: columns.get(1)?,
            received_at: Timestamp::from_nanos(columns.get(0)?),
            body: Bytes::from(body),
            reservation: None,
        })
    };
    let Some(delivery) = session.prepare(FIND)?.query_row([id], delivery).optional()? else {
        return Ok(Retried::NotFound);
    };
    let heading = match (delivery.source.heading)(&delivery.body) {
        Ok(heading) => heading,
        Err(reason) => {
            session.execute(EXPLAIN, params![id, reason])?;
            return Ok(Retried::NotUnderstood(reason));
        }
    };
    match record::keep(session, &heading, &delivery)? {
        None => Ok(Retried::Contradicts),
        Some(recorded) => {
            session.execute(REMOVE, [id])?;
            Ok(Retried::Recorded(recorded))
        }
    }
}
