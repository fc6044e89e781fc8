//! Everything that is known of one failure: its events, what decided it, and what backends said.

use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::connected::{Connected, Incidents};
use super::deployment_row::explained_link;
use super::failure_row::{Facts, FailureRow, View};
use super::forwarded::forwarded;
use super::listing::{ListedFailure, ReadError, Reader};
use super::{mark, stored_failure, told_deployment};
use crate::domain::explain::{
    Why, explain, explain_remediation, explain_submission, only_mentioned, other_configuration,
};
use crate::domain::failure::Failure;
use crate::domain::forwarding::Recipient;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::not_told::{Known, Waiting, not_told};
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;

/// A failure's whole story.
#[derive(Debug)]
pub struct Story {
    /// The failure; `None` while no event has shown the incident.
    pub failure: Option<ListedFailure>,
    /// The events about it, in the order in which they were received.
    pub events: Vec<Received>,
    /// Reasons for its fields.
    pub why: Vec<Why>,
    /// Attempts to tell backends, oldest first.
    pub attempts: Vec<Attempt>,
    /// Reasons for which backends have been told nothing, a sentence for each.
    pub not_told: Vec<String>,
}

/// Configuration of whoever asks, and the time.
#[derive(Clone, Copy)]
pub struct Today<'a> {
    /// Rules by which an incident becomes a failure.
    pub policy: &'a Policy,
    /// The backends that are configured.
    pub recipients: &'a [Recipient],
    /// Now.
    pub now: Timestamp,
    /// Sources that read the bodies of their events.
    pub sources: Sources,
}

/// An event, as it was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Received {
    /// Id that the source gave it.
    pub id: String,
    /// `event_type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// Time at which it was first received.
    pub received_at: Timestamp,
    /// Number of times that the event came again.
    pub duplicates: i64,
}

/// One attempt to tell a backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// The backend.
    pub backend: String,
    /// Revision that was sent.
    pub revision: i64,
    /// End of the attempt.
    pub at: Timestamp,
    /// The answer, if there was one.
    pub status: Option<u16>,
    /// Error of the attempt.
    pub error: Option<String>,
}

impl Reader {
    /// The story of a failure, by its id or its incident's. `None`: it is not known.
    pub fn story(&self, id: &str, today: Today<'_>) -> Result<Option<Story>, ReadError> {
        let mut db = self.lock();
        // One view of the store for all that is read.
        let db = db.transaction()?;
        let incidents = today.sources.incidents(id);
        let ids = incidents.iter().map(FailureId::of_incident).chain(FailureId::parse(id));
        for id in ids {
            if let Some(row) = FailureRow::load(&db, &id)? {
                let story = tell(&db, row, today, self.link_window)?;
                let is_known = story.failure.is_some() || !story.events.is_empty();
                return Ok(Some(story).filter(|_| is_known));
            }
        }
        Ok(None)
    }
}

fn tell(
    db: &Connection,
    row: FailureRow,
    today: Today<'_>,
    link_window: Duration,
) -> rusqlite::Result<Story> {
    const SQL: &str = "SELECT iif(state IS NULL, NULL, evaluated), details FROM failure WHERE id = ?1";
    // Every row that was loaded has one.
    let id = row.id.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let read = Read { db, row: id };
    let stored = db
        .prepare_cached(SQL)?
        .query_row([id], |columns| Ok(View { failure: columns.get(0)?, details: columns.get(1)? }))?;
    let mut linked = Vec::new();
    let failure = match &stored.failure {
        Some(json) => {
            let mut failure = stored_failure::failure(json)?;
            linked.push(explained_link(read.db, &mut failure, stored.details.as_deref(), link_window)?);
            linked.extend(consequences(read.db, &failure)?);
            let forwarded = forwarded(read.db, id)?;
            Some(ListedFailure { failure, revision: row.revision, forwarded })
        }
        None => None,
    };
    let mut why = why(&Incidents { db, sources: today.sources }, row, &stored, today.policy)?;
    why.extend(linked);
    let not_told = read.not_told(failure.as_ref(), today)?;
    Ok(Story { failure, events: read.events()?, why, attempts: read.attempts()?, not_told })
}

/// Reasons that follow from a failure that counts: its remediation, and the mark of the deployment that caused it.
fn consequences(db: &Connection, failure: &Failure) -> rusqlite::Result<Vec<Why>> {
    let mut told = Vec::new();
    if failure.state.counts() {
        if let Some(deployment) = mark::remediation_of(db, failure)? {
            told.push(explain_remediation(&deployment, mark::remediation_kind(db, &deployment)?));
        }
        if let Some(deployment) = &failure.deployment {
            told.extend(told_deployment::explain_marks(db, deployment)?);
        }
    }
    Ok(told)
}

/// Explains the decisions about a failure today, and says so if they differ from the stored result.
fn why(
    incidents: &Incidents<'_>,
    row: FailureRow,
    stored: &View,
    policy: &Policy,
) -> rusqlite::Result<Vec<Why>> {
    let explained = match (row.facts, IncidentId::of_failure(row.failure_id.as_str())) {
        (Facts::Submission(submission), _) => Some(explain_submission(&submission, policy)),
        (_, Some(incident)) => match incidents.stored(&incident)? {
            Some(member) => explain(&incident, &Connected::of(incidents, member)?.group, policy),
            None => None,
        },
        (_, None) => None,
    };
    let Some((evaluated, mut why)) = explained else {
        return Ok(vec![only_mentioned()]);
    };
    if stored.failure.is_some() && *stored != View::of(Some(&evaluated))? {
        why.push(other_configuration());
    }
    Ok(why)
}

/// Rows that are read besides the failure itself.
struct Read<'a> {
    db: &'a Connection,
    row: i64,
}

impl Read<'_> {
    fn events(&self) -> rusqlite::Result<Vec<Received>> {
        const SQL: &str = "SELECT event_id, event_type, occurred_at_ns, received_at_ns, duplicates
            FROM failure_event JOIN event ON event.id = event WHERE failure = ?1 ORDER BY event.id";
        self.db
            .prepare_cached(SQL)?
            .query_map([self.row], |row| {
                Ok(Received {
                    id: row.get(0)?,
                    event_type: row.get(1)?,
                    occurred_at: Timestamp::from_nanos(row.get(2)?),
                    received_at: Timestamp::from_nanos(row.get(3)?),
                    duplicates: row.get(4)?,
                })
            })?
            .collect()
    }

    fn not_told(&self, listed: Option<&ListedFailure>, today: Today<'_>) -> rusqlite::Result<Vec<String>> {
        const SQL: &str = "SELECT backend, due_at_ns FROM outbox
            WHERE failure = ?1 AND due_at_ns IS NOT NULL AND attempts = 0 AND refusals = 0 ORDER BY backend, id";
        let waiting: Vec<Waiting> = self
            .db
            .prepare_cached(SQL)?
            .query_map([self.row], |row| {
                Ok(Waiting { backend: row.get(0)?, due_at: Timestamp::from_nanos(row.get(1)?) })
            })?
            .collect::<Result<_, _>>()?;
        let forwarded = listed.iter().flat_map(|listed| &listed.forwarded);
        let in_outbox: Vec<String> = forwarded.map(|forwarded| forwarded.backend.clone()).collect();
        let failure = listed.map(|listed| &listed.failure);
        let Today { recipients, now, .. } = today;
        Ok(not_told(Known { failure, in_outbox: &in_outbox, waiting: &waiting, recipients }, now))
    }

    fn attempts(&self) -> rusqlite::Result<Vec<Attempt>> {
        const SQL: &str = "SELECT backend, revision, ended_at_ns, status, error
            FROM attempt JOIN outbox ON outbox.id = attempt.outbox
            WHERE failure = ?1 ORDER BY ended_at_ns, backend, revision, number";
        self.db
            .prepare_cached(SQL)?
            .query_map([self.row], |row| {
                Ok(Attempt {
                    backend: row.get(0)?,
                    revision: row.get(1)?,
                    at: Timestamp::from_nanos(row.get(2)?),
                    status: row.get(3)?,
                    error: row.get(4)?,
                })
            })?
            .collect()
    }
}
