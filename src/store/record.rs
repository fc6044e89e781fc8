//! A delivery on its way into the store: kept as an event, counted as a duplicate, or put in quarantine.

use bytes::Bytes;
use rusqlite::params;
use std::any::Any;
use std::time::Instant;

use super::event_row;
use super::fold::Unfolded;
use super::writer::Session;
use crate::domain::event::Heading;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;

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

/// Result of recording a delivery. In each case the disk has it: its body, or one more duplicate in the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A new event about an incident.
    Accepted,
    /// The same, with a time that means never: it counts, and a copy is in quarantine for a person to look at.
    AcceptedWithoutTime,
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
            Self::Accepted | Self::AcceptedWithoutTime => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Reason why a copy of an event that counts is in quarantine.
const TELLS_NEVER: &str =
    "a time of the incident lies in the year 9999: the event counts as if it had none, and this is a copy";

/// Keeps an event, counts a duplicate, or puts in quarantine what contradicts an event with the same id.
pub(super) fn record(
    session: &mut Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> rusqlite::Result<Recorded> {
    if let Some(recorded) = keep(session, heading, delivery)? {
        if recorded == Recorded::Accepted && heading.tells_never {
            quarantine(session, TELLS_NEVER, delivery)?;
            return Ok(Recorded::AcceptedWithoutTime);
        }
        return Ok(recorded);
    }
    let reason = format!("event.id {} was seen before with other facts", heading.id);
    quarantine(session, &reason, delivery)
}

/// Keeps an event, and leaves it in `session.fresh` to be folded; or counts a duplicate. `None`: the first event with
/// this id said something else. It stays, and nothing was done.
pub(super) fn keep(
    session: &mut Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> rusqlite::Result<Option<Recorded>> {
    let Some(row) = event_row::insert(session, heading, delivery)? else {
        let is_duplicate = event_row::count_duplicate(session, &heading.id, delivery)?;
        return Ok(is_duplicate.then_some(Recorded::Duplicate));
    };
    session.kept = Some(row);
    match &heading.incident {
        Some(incident) => {
            session.fresh.push(Unfolded::new(row, incident));
            Ok(Some(Recorded::Accepted))
        }
        None => Ok(Some(Recorded::Ignored)),
    }
}

/// Keeps a signed body for a person to look at.
pub(super) fn quarantine(
    session: &mut Session<'_>,
    reason: &str,
    delivery: &Delivery,
) -> rusqlite::Result<Recorded> {
    const SQL: &str = "INSERT INTO quarantine (source, received_at_ns, delivery_id, reason, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let received_at_ns = delivery.received_at.as_nanos();
    session.execute(
        SQL,
        params![delivery.source.name.as_str(), received_at_ns, delivery.id, reason, &*delivery.body],
    )?;
    session.quarantined.push((session.last_insert_rowid(), reason.to_owned()));
    Ok(Recorded::Quarantined)
}

/// Says which bodies went to quarantine, once they are there and whoever sent them is answered.
pub(super) fn tell_quarantined(quarantined: Vec<(i64, String)>, lines: &LogLimit) {
    for (id, reason) in quarantined {
        if let Some(held_back) = lines.pass(Instant::now()) {
            tracing::warn!(
                id,
                reason,
                held_back,
                "a signed webhook was not understood and is in quarantine: `pagerduty-dora quarantine show {id}` prints it"
            );
        }
    }
}
