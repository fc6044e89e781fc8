//! Incidents that merges connect: they are evaluated together, because the start of one may be another's (rule 8).

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::failure_row::{self, Facts, FailureRow};
use super::writer::Session;
use crate::domain::evaluate::evaluate_group;
use crate::domain::event::Event;
use crate::domain::history::History;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::merge::Group;
use crate::domain::timestamp::Timestamp;

/// An incident, its row, and what its events said.
pub(super) struct Member {
    incident: IncidentId,
    /// Its facts stand in `history` until it is saved.
    pub(super) row: FailureRow,
    pub(super) history: History,
}

impl Member {
    /// The incident that it was merged into.
    pub(super) fn target(&self) -> Option<&IncidentId> {
        self.history.merge_target()
    }
}

/// An incident and all that merges connect it with, now or before.
pub(super) struct Connected {
    pub(super) group: Group,
    rows: BTreeMap<IncidentId, FailureRow>,
}

impl Connected {
    /// Follows the merges from a member.
    pub(super) fn with(
        source: &Source<'_>,
        member: Member,
        merged_before: Option<IncidentId>,
    ) -> rusqlite::Result<Self> {
        let mut connected = Self { group: Group::new(), rows: BTreeMap::new() };
        let mut to_visit: Vec<IncidentId> = merged_before.into_iter().collect();
        let mut visited = Some(member);
        loop {
            if let Some(member) = visited {
                to_visit.extend(member.target().cloned());
                to_visit.extend(source.merged_into(&member.row.failure_id)?);
                connected.group.insert(member.incident.clone(), member.history);
                connected.rows.insert(member.incident, member.row);
            }
            let Some(incident) = to_visit.pop() else {
                return Ok(connected);
            };
            let is_new = !connected.group.contains_key(&incident);
            // One that no event was about yet has no row, and nothing to say.
            visited = if is_new { source.stored(&incident)? } else { None };
        }
    }
}

impl Connected {
    /// The row of a member, with its facts.
    pub(super) fn take(&mut self, incident: &IncidentId) -> Option<FailureRow> {
        let mut row = self.rows.remove(incident)?;
        row.facts = Facts::History(self.group.remove(incident).unwrap_or_default());
        Some(row)
    }
}

/// Saves an incident whose facts have changed, and every other that this changes. Returns the incident's row.
pub(super) fn save(
    session: &mut Session<'_>,
    member: Member,
    merged_before: Option<IncidentId>,
    now: Timestamp,
) -> rusqlite::Result<i64> {
    let incident = member.incident.clone();
    let Connected { mut group, rows } = Connected::with(&session.source(), member, merged_before)?;
    let mut evaluated = evaluate_group(&group, &session.settings.policy);
    let mut saved = 0;
    for (member, mut row) in rows {
        let evaluated = evaluated.remove(&member);
        let is_other = member != incident;
        if is_other && row.shows(session, evaluated.as_ref().map(|evaluated| &evaluated.failure))? {
            continue;
        }
        row.facts = Facts::History(group.remove(&member).unwrap_or_default());
        let id = row.save(session, evaluated.as_ref(), now)?;
        if !is_other {
            saved = id;
        }
    }
    Ok(saved)
}

/// Where incidents are read from.
pub(super) struct Source<'a> {
    pub(super) db: &'a Connection,
    /// Reads a stored body again.
    pub(super) parse: fn(&[u8]) -> Option<Event>,
}

impl Source<'_> {
    /// The incident as it is stored, or a new one.
    pub(super) fn load(&self, incident: &IncidentId) -> rusqlite::Result<Member> {
        let failure_id = FailureId::of_incident(incident);
        let mut row = match FailureRow::load(self.db, &failure_id)? {
            Some(row) => row,
            None => FailureRow::new(failure_id, Facts::History(History::default())),
        };
        let history = match std::mem::replace(&mut row.facts, Facts::Damaged) {
            Facts::History(history) => history,
            // A failure of this id that was sent to the event API gives way: the incident's own events know better.
            Facts::Submission(_) => History::default(),
            Facts::Damaged => self.remembered(row.id)?,
        };
        Ok(Member { incident: incident.clone(), row, history })
    }

    /// The incident, if it is stored.
    pub(super) fn stored(&self, incident: &IncidentId) -> rusqlite::Result<Option<Member>> {
        Ok(Some(self.load(incident)?).filter(|member| member.row.id.is_some()))
    }

    /// The same, if it is an incident and not something that was sent to the event API under its id.
    pub(super) fn stored_incident(&self, incident: &IncidentId) -> rusqlite::Result<Option<Member>> {
        let row = FailureRow::load(self.db, &FailureId::of_incident(incident))?;
        match row {
            Some(FailureRow { facts: Facts::Submission(_), .. }) | None => Ok(None),
            Some(_) => self.stored(incident),
        }
    }

    /// The incidents that were merged into this one, as far as they are stored.
    fn merged_into(&self, target: &FailureId) -> rusqlite::Result<Vec<IncidentId>> {
        const SQL: &str = "SELECT failure_id FROM failure WHERE merged_into_key = ?1";
        let mut statement = self.db.prepare_cached(SQL)?;
        let mut rows = statement.query([failure_row::key(target)])?;
        let mut sources = Vec::new();
        while let Some(row) = rows.next()? {
            sources.extend(IncidentId::of_failure(row.get_ref(0)?.as_str()?));
        }
        Ok(sources)
    }

    /// A history put together again from the events themselves, where the row that held it is damaged.
    fn remembered(&self, failure: Option<i64>) -> rusqlite::Result<History> {
        const SQL: &str = "SELECT received_at_ns, body FROM failure_event JOIN event ON event.id = event
            WHERE failure = ?1 AND body IS NOT NULL";
        let mut history = History::default();
        let mut statement = self.db.prepare_cached(SQL)?;
        let mut rows = statement.query([failure])?;
        while let Some(row) = rows.next()? {
            if let Some(event) = (self.parse)(row.get_ref(1)?.as_blob()?) {
                history.insert(&event, Timestamp::from_nanos(row.get(0)?));
            }
        }
        Ok(history)
    }
}
