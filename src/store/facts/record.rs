//! Recording of a delivery: it is stored as an event, counted as a duplicate, or put in quarantine.

use std::time::Instant;

use super::delivery::Delivery;
use super::event;
use super::subject_key::subject_key;
use crate::domain::event::Heading;
use crate::log_limit::LogLimit;
use crate::store::engine::backlog::Unfolded;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// Result of recording a delivery. The result is committed: the body, or the higher count of duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A new event about an incident or a deployment.
    Accepted,
    /// A new event with a time in the year 9999. The event counts, and a copy is in quarantine for a person to look at.
    AcceptedWithPlaceholderTime,
    /// An event that is stored already.
    Duplicate,
    /// A new event about another subject.
    Ignored,
    /// A body that was not understood, or that contradicts an event with the same id.
    Quarantined,
}

impl Recorded {
    /// Word in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted | Self::AcceptedWithPlaceholderTime => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Reason why a copy of an event that counts is in quarantine.
const PLACEHOLDER_TIME: &str =
    "a time of the incident lies in the year 9999 and counts as absent; the event counts, and this is a copy";

/// Stores an event, counts a duplicate, or quarantines an event that contradicts a stored one with the same id.
pub(in crate::store) fn record(
    session: &mut Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> sql::Result<Recorded> {
    if let Some(recorded) = keep(session, heading, delivery)? {
        if recorded == Recorded::Accepted && heading.has_placeholder_time {
            quarantine(session, PLACEHOLDER_TIME, delivery)?;
            return Ok(Recorded::AcceptedWithPlaceholderTime);
        }
        return Ok(recorded);
    }
    let reason = format!("event.id {} was seen before with other facts", heading.id);
    quarantine(session, &reason, delivery)
}

/// Stores an event to be folded later, or counts a duplicate. `None` if the stored event with this id has other facts;
/// then nothing is changed.
pub(in crate::store) fn keep(
    session: &mut Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> sql::Result<Option<Recorded>> {
    let Some(row) = event::insert(session, heading, delivery)? else {
        let is_duplicate = event::count_duplicate(session, &heading.id, delivery)?;
        return Ok(is_duplicate.then_some(Recorded::Duplicate));
    };
    session.changes.kept = Some(row);
    match &heading.subject {
        Some(subject) => {
            session.changes.to_fold.push(Unfolded { subject_key: subject_key(subject), row });
            Ok(Some(Recorded::Accepted))
        }
        None => Ok(Some(Recorded::Ignored)),
    }
}

/// Puts a signed body in quarantine for a person to look at.
pub(in crate::store) fn quarantine(
    session: &mut Session<'_>,
    reason: &str,
    delivery: &Delivery,
) -> sql::Result<Recorded> {
    const SQL: &str = "INSERT INTO quarantine (source, received_at_ns, delivery_id, reason, body)
        VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
    let (source, received_at_ns) = (delivery.source.name.as_str(), delivery.received_at.as_nanos());
    let id = session.db().only(
        SQL,
        params![source, received_at_ns, delivery.id, reason, &*delivery.body],
        |row| row.get(0),
    )?;
    session.changes.quarantined.push((id, reason.to_owned()));
    Ok(Recorded::Quarantined)
}

/// Logs the bodies that went to quarantine, after the commit and the answers.
pub(in crate::store) fn log_quarantined(quarantined: Vec<(i64, String)>, lines: &LogLimit) {
    for (id, reason) in quarantined {
        if let Some(held_back) = lines.pass(Instant::now()) {
            tracing::warn!(
                id,
                reason,
                held_back,
                "a signed webhook is in quarantine: `pagerduty-dora quarantine show {id}` prints it. It is kept, and changes \
                 no failure"
            );
        }
    }
}
