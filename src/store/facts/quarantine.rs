//! Quarantine: signed bodies that were not understood, or that contradict an event with the same id. A person can look
//! at them, and have them read again by a newer version of the program.

use bytes::Bytes;

use super::delivery::{Delivery, source};
use super::record::{self, Recorded};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Row, params};

/// Result of reading a body again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineRetry {
    /// The body is an event. It was recorded with this result, and has left the quarantine.
    Recorded(Recorded),
    /// There is no such row.
    NotFound,
    /// The body is still not understood, for this reason, and stays.
    NotUnderstood(String),
    /// An event with the same id and other facts is stored already. The body stays.
    Contradicts,
}

impl QuarantineRetry {
    /// Result as a message for people.
    pub fn message(&self) -> String {
        match self {
            Self::Recorded(Recorded::Accepted) => {
                "it is an event now, and counts for its failure or deployment".to_owned()
            }
            Self::Recorded(Recorded::Duplicate) => {
                "it is a duplicate of a stored event, and has left the quarantine".to_owned()
            }
            Self::Recorded(_) => {
                "it is an event now; it is about no incident and no deployment, and changes nothing"
                    .to_owned()
            }
            Self::NotFound => "there is no such row".to_owned(),
            Self::NotUnderstood(reason) => {
                format!("it is still not understood, and stays in quarantine: {reason}")
            }
            Self::Contradicts => {
                "an event with the same id and other facts is stored; this one stays in quarantine".to_owned()
            }
        }
    }
}

/// Has a body read again by its source. An event that is understood is recorded like a webhook, with the time at which
/// the body was received.
pub(in crate::store) fn retry(session: &mut Session<'_>, id: i64) -> sql::Result<QuarantineRetry> {
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
    let Some(delivery) = session.db().one(FIND, params![id], delivery)? else {
        return Ok(QuarantineRetry::NotFound);
    };
    let heading = match delivery.source.storable_heading(&delivery.body) {
        Ok(heading) => heading,
        Err(reason) => {
            session.run(EXPLAIN, params![id, reason])?;
            return Ok(QuarantineRetry::NotUnderstood(reason));
        }
    };
    match record::keep(session, &heading, &delivery)? {
        None => Ok(QuarantineRetry::Contradicts),
        Some(recorded) => {
            session.run(REMOVE, params![id])?;
            Ok(QuarantineRetry::Recorded(recorded))
        }
    }
}
