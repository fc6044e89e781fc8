//! A delivery on its way into the store: kept as an event, counted as a duplicate, or put in quarantine.

use bytes::Bytes;
use rusqlite::params;
use std::any::Any;

use super::event_row;
use super::fold::Unfolded;
use super::writer::Session;
use crate::domain::event::Heading;
use crate::domain::timestamp::Timestamp;

/// One POST from PagerDuty, beside what it says.
pub struct Delivery {
    /// `X-Webhook-Id`: the same on every attempt.
    pub id: Option<String>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The signed bytes.
    pub body: Bytes,
    /// What keeps the room that the body takes, until it is written.
    pub reservation: Option<Box<dyn Any + Send + Sync>>,
}

/// What became of a delivery. Whatever it was, the disk has it: its body, or one more on the count of duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A new event about an incident.
    Accepted,
    /// An event that was there before.
    Duplicate,
    /// A new event about no incident.
    Ignored,
    /// Not understood, or in contradiction to an event with the same id.
    Quarantined,
}

impl Recorded {
    /// The word for it in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Keeps an event, and leaves it in `session.fresh` to be folded.
pub(super) fn record(
    session: &mut Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> rusqlite::Result<Recorded> {
    let Some(row) = event_row::insert(session, heading, delivery)? else {
        return seen_before(session, heading, delivery);
    };
    session.kept = Some(row);
    match &heading.incident {
        Some(incident) => {
            session.fresh.push(Unfolded::new(row, incident));
            Ok(Recorded::Accepted)
        }
        None => Ok(Recorded::Ignored),
    }
}

/// Rule 2: the first one stays; the same again is counted, something else under its id is quarantined.
fn seen_before(session: &Session<'_>, heading: &Heading, delivery: &Delivery) -> rusqlite::Result<Recorded> {
    if event_row::count_duplicate(session, &heading.id, delivery)? {
        return Ok(Recorded::Duplicate);
    }
    let reason = format!("event.id {} was seen before with other facts", heading.id);
    quarantine(session, &reason, delivery)
}

/// Keeps a signed body for a person to look at.
pub(super) fn quarantine(
    session: &Session<'_>,
    reason: &str,
    delivery: &Delivery,
) -> rusqlite::Result<Recorded> {
    const SQL: &str =
        "INSERT INTO quarantine (received_at_ns, delivery_id, reason, body) VALUES (?1, ?2, ?3, ?4)";
    tracing::warn!(reason, "a signed webhook goes to quarantine");
    let received_at_ns = delivery.received_at.as_nanos();
    session.execute(SQL, params![received_at_ns, delivery.id, reason, &*delivery.body])?;
    Ok(Recorded::Quarantined)
}
