//! Events that were read from a source's API: of those about one incident, the ones that tell something new are stored.

use std::collections::{BTreeSet, HashMap};

use super::merge_group::Incidents;
use crate::domain::event::{Event, ReadEvent};
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::progress::{self, RECONCILED_UP_TO};
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};
use crate::store::facts::delivery::Delivery;
use crate::store::facts::record;

/// Answers about one incident, as events.
#[derive(Debug, Clone)]
pub struct ReadIncident {
    /// The source that reads.
    pub source: &'static Source,
    /// The incident.
    pub incident: IncidentId,
    /// The events, in order of time.
    pub events: Vec<ReadEvent>,
    /// Time at which they were read.
    pub read_at: Timestamp,
}

/// Stores the events that tell something new, to be folded. Returns their types.
///
/// Webhooks of the incident that are stored and not yet folded are not considered. Then a fact may be stored a second
/// time, which changes nothing.
pub(in crate::store) fn record(session: &mut Session<'_>, read: &ReadIncident) -> sql::Result<Vec<String>> {
    let history = Incidents::of(session).known_history(&read.incident)?;
    let bodies: HashMap<&str, &[u8]> =
        read.events.iter().map(|read| (read.event.id.as_str(), read.body.as_slice())).collect();
    let events: Vec<Event> = read.events.iter().map(|read| read.event.clone()).collect();
    let mut stored = Vec::new();
    for event in history.missing(events, read.read_at) {
        let Some(body) = bodies.get(event.id.as_str()) else { continue };
        let delivery = Delivery {
            source: read.source,
            id: None,
            received_at: read.read_at,
            body: body.to_vec().into(),
            reservation: None,
        };
        // An event with this id and other facts was read within the same second. The next reading has the newest ones.
        if record::keep(session, &event.heading(), &delivery)? == Some(record::Recorded::Accepted) {
            stored.push(event.event_type);
        }
    }
    Ok(stored)
}

/// Notes that everything up to this time is stored, except about the unread incidents.
pub(in crate::store) fn end_look(
    session: &Session<'_>,
    at: Timestamp,
    unread: &BTreeSet<IncidentId>,
) -> sql::Result<()> {
    // Without a condition, this always changes a page. So the commit syncs what was read before, also if nothing else
    // changes here.
    session.run("DELETE FROM unread_incident", params![])?;
    for incident in unread {
        let failure = FailureId::of_incident(incident);
        session.run("INSERT INTO unread_incident VALUES (?1)", params![failure.as_str()])?;
    }
    progress::set(session.db(), RECONCILED_UP_TO, at.as_nanos())
}
