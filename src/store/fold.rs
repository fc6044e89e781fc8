//! Folding: the events that were kept become failures.
//!
//! Events are the truth, failures follow from them; so an event may be answered before its failure is brought up
//! to date. While little comes in, both happen in one transaction. Under load the folding of many groups is done
//! at once, which writes the row of an incident once instead of once an event. `folded.up_to` says how far it is;
//! what a crash leaves unfolded is folded at the next start.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::params;

use super::Settings;
use super::failure_row::{Facts, FailureRow};
use super::writer::Session;
use crate::domain::event::Event;
use crate::domain::failure::evaluate;
use crate::domain::history::History;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::timestamp::Timestamp;

/// An event that is kept, and whose failure does not know it yet.
pub(super) struct Unfolded {
    pub(super) row: i64,
    pub(super) event: Arc<Event>,
    pub(super) received_at: Timestamp,
}

/// Brings the failures of all unfolded events up to date.
pub(super) fn fold(session: &mut Session<'_>) -> rusqlite::Result<()> {
    const REMEMBER: &str = "INSERT INTO folded VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET up_to = ?1";
    let unfolded = std::mem::take(session.unfolded);
    let Some(up_to) = unfolded.iter().map(|unfolded| unfolded.row).max() else {
        return Ok(());
    };
    // In the order of their ids, so that neighbours in the index are written together.
    let mut incidents: BTreeMap<&IncidentId, Vec<&Unfolded>> = BTreeMap::new();
    for unfolded in &unfolded {
        if let Some(subject) = &unfolded.event.subject {
            incidents.entry(&subject.incident).or_default().push(unfolded);
        }
    }
    let folded = incidents.iter().try_for_each(|(incident, events)| fold_incident(session, incident, events));
    // Whether this counts is decided by the commit: until then the writer keeps them.
    *session.unfolded = unfolded;
    folded?;
    session.execute(REMEMBER, [up_to]).map(drop)
}

fn fold_incident(
    session: &mut Session<'_>,
    incident: &IncidentId,
    events: &[&Unfolded],
) -> rusqlite::Result<()> {
    const LINK: &str = "INSERT INTO failure_event VALUES (?1, ?2)";
    let failure_id = FailureId::of_incident(incident);
    let mut row = match FailureRow::load(session, &failure_id)? {
        Some(row) => row,
        None => FailureRow::new(failure_id, Facts::History(History::default())),
    };
    // A failure of this id that was sent to the event API gives way: the incident's own events know better.
    let mut history = match row.facts {
        Facts::History(history) => history,
        Facts::Submission(_) => History::default(),
    };
    let mut has_changed = row.id.is_none();
    for unfolded in events {
        has_changed |= history.insert(&unfolded.event, unfolded.received_at);
    }
    row.facts = Facts::History(history);
    let id = match row.id {
        // Notes change nothing, and so nothing is asked again.
        Some(id) if !has_changed => id,
        _ => save(session, incident, row, events)?,
    };
    events.iter().try_for_each(|unfolded| session.execute(LINK, params![id, unfolded.row]).map(drop))
}

fn save(
    session: &mut Session<'_>,
    incident: &IncidentId,
    row: FailureRow,
    events: &[&Unfolded],
) -> rusqlite::Result<i64> {
    let Facts::History(history) = &row.facts else {
        return Err(rusqlite::Error::InvalidQuery);
    };
    let evaluated = evaluate(incident, history, &session.settings.policy);
    let now = events.iter().map(|unfolded| unfolded.received_at).max();
    row.save(session, evaluated.as_ref(), now.unwrap_or(Timestamp::from_nanos(0)))
}

/// What an earlier process kept and did not come to fold.
pub(super) fn left_over(db: &rusqlite::Connection, settings: &Settings) -> rusqlite::Result<Vec<Unfolded>> {
    const SQL: &str = "SELECT id, received_at_ns, body FROM event
        WHERE id > (SELECT coalesce(max(up_to), 0) FROM folded) AND body IS NOT NULL ORDER BY id";
    let mut statement = db.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let mut left_over = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(event) = (settings.parse)(row.get_ref(2)?.as_blob()?) {
            let received_at = Timestamp::from_nanos(row.get(1)?);
            left_over.push(Unfolded { row: row.get(0)?, event: Arc::new(event), received_at });
        }
    }
    Ok(left_over)
}
