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
    const LINK: &str = "INSERT INTO failure_event VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let failure_id = FailureId::of_incident(incident);
    let mut row = match FailureRow::load(session, &failure_id)? {
        Some(row) => row,
        None => FailureRow::new(failure_id, Facts::History(History::default())),
    };
    let mut history = match row.facts {
        Facts::History(history) => history,
        // A failure of this id that was sent to the event API gives way: the incident's own events know better.
        Facts::Submission(_) => History::default(),
        Facts::Damaged => remembered(session, row.id)?,
    };
    let mut has_changed = row.id.is_none();
    for unfolded in events {
        has_changed |= history.insert(&unfolded.event, unfolded.received_at);
    }
    let id = match (row.id, events.last()) {
        (_, Some(last)) if has_changed => {
            let evaluated = evaluate(incident, &history, &session.settings.policy);
            row.facts = Facts::History(history);
            row.save(session, evaluated.as_ref(), last.received_at)?
        }
        // Notes change nothing, and so nothing is asked again.
        (Some(id), _) => id,
        (None, _) => return Ok(()),
    };
    events.iter().try_for_each(|unfolded| session.execute(LINK, params![id, unfolded.row]).map(drop))
}

/// A history put together again from the events themselves, where the row that held it is damaged.
fn remembered(session: &Session<'_>, failure: Option<i64>) -> rusqlite::Result<History> {
    const SQL: &str = "SELECT received_at_ns, body FROM failure_event JOIN event ON event.id = event
        WHERE failure = ?1 AND body IS NOT NULL";
    let mut history = History::default();
    let mut statement = session.prepare(SQL)?;
    let mut rows = statement.query([failure])?;
    while let Some(row) = rows.next()? {
        if let Some(event) = (session.settings.parse)(row.get_ref(1)?.as_blob()?) {
            history.insert(&event, Timestamp::from_nanos(row.get(0)?));
        }
    }
    Ok(history)
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
