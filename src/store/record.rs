//! A verified event on its way into the store: kept, folded, evaluated, put before the backends.

use std::any::Any;

use bytes::Bytes;
use rusqlite::params;

use super::event_row;
use super::failure_row::{Facts, FailureRow};
use super::writer::Session;
use crate::domain::event::{Event, Subject};
use crate::domain::failure::evaluate;
use crate::domain::history::History;
use crate::domain::id::FailureId;
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
    pub reservation: Option<Box<dyn Any + Send>>,
}

impl Delivery {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.body
    }
}

/// What became of a delivery. Whatever it was, it is kept.
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

/// Keeps an event, and brings its failure up to date.
pub(super) fn record(
    session: &mut Session<'_>,
    event: &Event,
    delivery: &Delivery,
) -> rusqlite::Result<Recorded> {
    let Some(subject) = &event.subject else {
        return match event_row::insert(session, event, delivery, None)? {
            Some(_) => Ok(Recorded::Ignored),
            None => seen_before(session, event, delivery),
        };
    };
    let failure_id = FailureId::of_incident(&subject.incident);
    let stored = FailureRow::load(session, &failure_id)?;
    let previous = stored.as_ref().and_then(|row| row.last_event);
    let Some(event_row) = event_row::insert(session, event, delivery, previous)? else {
        return seen_before(session, event, delivery);
    };
    let row = stored.unwrap_or_else(|| FailureRow::new(failure_id, Facts::History(History::default())));
    fold(session, row, event, subject, event_row, delivery.received_at)?;
    Ok(Recorded::Accepted)
}

/// Adds an event to the row's history; only one that shows the incident has the failure evaluated again.
fn fold(
    session: &mut Session<'_>,
    mut row: FailureRow,
    event: &Event,
    subject: &Subject,
    event_row: i64,
    received_at: Timestamp,
) -> rusqlite::Result<()> {
    if subject.snapshot.is_none() && row.id.is_some() {
        return row.link_event(session, event_row);
    }
    // A failure of this id that was sent to the event API gives way: the incident's own events know better.
    let mut history = match row.facts {
        Facts::History(history) => history,
        Facts::Submission(_) => History::default(),
    };
    history.insert(event, received_at);
    let evaluated = evaluate(&subject.incident, &history, &session.settings.policy);
    row.facts = Facts::History(history);
    row.last_event = Some(event_row);
    row.save(session, evaluated.as_ref(), received_at)
}

/// Rule 2: the first one stays; the same again is counted, something else under its id is quarantined.
fn seen_before(session: &Session<'_>, event: &Event, delivery: &Delivery) -> rusqlite::Result<Recorded> {
    if event_row::count_duplicate(session, event, delivery)? {
        return Ok(Recorded::Duplicate);
    }
    let reason = format!("event.id {} was seen before with other facts", event.id);
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
    let received_at_ns = delivery.received_at.as_nanos();
    session.execute(SQL, params![received_at_ns, delivery.id, reason, delivery.bytes()])?;
    Ok(Recorded::Quarantined)
}
