//! Folding: stored events become failures and deployments.
//!
//! An event is stored and answered first. Folding evaluates its failure or deployment afterwards, in a transaction that need not be
//! synced: if a crash or a power loss undoes the folding, the next start folds the stored events again. In a rush
//! events are only stored. They are folded when the rush is over or the backlog is full, so that all events of an
//! incident or a deployment cost one read and one write of its row.

use super::merge_group::{ChangedMembers, Incidents};
use super::source_deployment;
use crate::domain::event::{Event, SubjectId};
use crate::domain::failure::FailureState;
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::backlog::{LeftOver, Slice, Unfolded};
use crate::store::engine::progress::{self, FOLDED_UP_TO};
use crate::store::engine::session::{Session, TouchedFailure};
use crate::store::engine::settings::Settings;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::delivery::source;
use crate::store::facts::subject_key::subject_key;

/// An event about an incident, being folded.
struct EventToFold {
    row: i64,
    failure_key: i64,
    incident: IncidentId,
    event: Event,
    received_at: Timestamp,
}

/// Events to fold, by the kind of their subjects.
#[derive(Default)]
struct EventsToFold {
    incidents: Vec<EventToFold>,
    deployments: Vec<source_deployment::EventToFold>,
}

/// Folds a part of the backlog into failures and deployments.
pub(in crate::store) fn slice(session: &mut Session<'_>, slice: &Slice) -> sql::Result<()> {
    let events = read(session, &slice.events)?;
    fold(session, events)?;
    match slice.up_to {
        Some(up_to) => progress::set(session.db(), FOLDED_UP_TO, up_to),
        None => Ok(()),
    }
}

/// Folds events of the open transaction at once, so that its end shows what they change.
pub(in crate::store) fn at_once(session: &mut Session<'_>, events: &[Unfolded]) -> sql::Result<()> {
    let events = read(session, events)?;
    fold(session, events)
}

/// Reads events from their bodies.
fn read(session: &Session<'_>, unfolded: &[Unfolded]) -> sql::Result<EventsToFold> {
    const SQL: &str = "SELECT received_at_ns, body, source FROM event WHERE id = ?1";
    let mut events = EventsToFold::default();
    for &Unfolded { subject_key, row: id } in unfolded {
        let event = session.db().one(SQL, params![id], |row| {
            let Some(body) = row.bytes_or_null(1)? else { return Ok(None) };
            let event = (source(session.settings.sources, row, 2)?.parse)(body);
            Ok(Some((event, Timestamp::from_nanos(row.get(0)?))))
        })?;
        let Some((event, received_at)) = event.flatten() else { continue };
        let Some((event, subject)) = event.and_then(with_subject) else {
            tracing::error!(
                row = id,
                "an event's body is damaged: its failure or deployment is made without it"
            );
            continue;
        };
        match subject {
            SubjectId::Incident(incident) => {
                let failure_key = subject_key;
                events.incidents.push(EventToFold { row: id, failure_key, incident, event, received_at });
            }
            SubjectId::Deployment(deployment) => {
                let folding = source_deployment::EventToFold { row: id, deployment, event, received_at };
                events.deployments.push(folding);
            }
        }
    }
    Ok(events)
}

fn with_subject(event: Event) -> Option<(Event, SubjectId)> {
    let subject = event.subject.as_ref()?.id();
    Some((event, subject))
}

fn fold(session: &mut Session<'_>, EventsToFold { incidents, deployments }: EventsToFold) -> sql::Result<()> {
    source_deployment::fold(session, deployments)?;
    fold_incidents(session, incidents)
}

fn fold_incidents(session: &mut Session<'_>, mut events: Vec<EventToFold>) -> sql::Result<()> {
    const LINK: &str = "INSERT INTO failure_event VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    // Two incidents may have the same key.
    events.sort_unstable_by(|a, b| {
        (a.failure_key, &a.incident, a.row).cmp(&(b.failure_key, &b.incident, b.row))
    });
    let by_incident = || events.chunk_by(|a, b| a.incident == b.incident);
    let link = |session: &Session<'_>, row: i64, events: &[EventToFold]| {
        events.iter().try_for_each(|folding| session.run(LINK, params![row, folding.row]).map(drop))
    };
    let mut connected = ChangedMembers::default();
    for events in by_incident() {
        let member = Incidents::of(session).load(&events[0].incident)?;
        let received = events.iter().map(|folding| (&folding.event, folding.received_at));
        let stored = member.row.id;
        let row = match member.add_events(received) {
            None => stored,
            Some(changed) if changed.stands_alone(session)? => Some(changed.save(session)?),
            Some(changed) => {
                connected.insert(changed);
                None
            }
        };
        if let Some(row) = row {
            link(session, row, events)?;
        }
    }
    let rows = connected.save(session)?;
    for events in by_incident() {
        if let Some(row) = rows.get(&events[0].incident) {
            link(session, *row, events)?;
        }
    }
    // The resolve came before, or will come, or is lost.
    let is_open = |touched: &TouchedFailure| {
        touched.evaluated.as_ref().is_some_and(|evaluated| evaluated.failure.state == FailureState::Open)
    };
    if events.iter().any(|folding| folding.event.shows_resolved()) {
        session.changes.resolve_is_missing |= session.changes.failures.values().any(is_open);
    }
    Ok(())
}

/// Number of events left by an earlier process that are read at a time.
const LEFT_OVER_AT_A_TIME: i64 = 8_192;

/// The next events after the row `after` that an earlier process stored and did not fold. `None` if there are no more.
pub(in crate::store) fn left_over(db: &Db, settings: &Settings, after: i64) -> sql::Result<Option<LeftOver>> {
    const SQL: &str =
        "SELECT id, body, source FROM event WHERE id > ?1 AND body IS NOT NULL ORDER BY id LIMIT ?2";
    let mut left = LeftOver { events: Vec::new(), up_to: after };
    db.each(SQL, params![after, LEFT_OVER_AT_A_TIME], |row| {
        left.up_to = row.get(0)?;
        let event = (source(settings.sources, row, 2)?.parse)(row.bytes(1)?);
        if let Some(subject) = event.and_then(|event| event.subject) {
            left.events.push(Unfolded { subject_key: subject_key(&subject.id()), row: left.up_to });
        }
        Ok(())
    })?;
    Ok((left.up_to > after).then_some(left))
}
