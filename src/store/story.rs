//! Everything that is known of one failure: its events, what decided it, and what backends said.

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::failure_row::{self, from_json, to_json};
use super::group::{Connected, Source};
use super::listing::{ListedFailure, ReadError, Reader, forwarded};
use crate::domain::event::Event;
use crate::domain::explain::{Why, explain};
use crate::domain::failure::Failure;
use crate::domain::id::IncidentId;
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;

/// A failure's whole story, as the API's JSON has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Story {
    /// What it came to; `None` while no event has shown the incident.
    pub failure: Option<ListedFailure>,
    /// The events about it, in the order in which they were received.
    pub events: Vec<Received>,
    /// What decided what.
    pub why: Vec<Why>,
    /// What backends were told, oldest first.
    pub attempts: Vec<Attempt>,
}

/// An event, as it was received.
#[derive(Debug, Serialize, Deserialize)]
pub struct Received {
    /// PagerDuty's id.
    pub id: String,
    /// `event_type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it occurred.
    pub occurred_at: Timestamp,
    /// When it was received first.
    pub received_at: Timestamp,
    /// How often it came again.
    pub duplicates: i64,
}

/// One attempt to tell a backend.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// The backend.
    pub backend: String,
    /// What it was told.
    pub revision: i64,
    /// When the attempt ended.
    pub at: Timestamp,
    /// The answer, if there was one.
    pub status: Option<u16>,
    /// What was wrong.
    pub error: Option<String>,
}

impl Reader {
    /// The story of a failure, by its id or its incident's. `None`: it is not known.
    pub fn story(
        &self,
        id: &str,
        policy: &Policy,
        parse: fn(&[u8]) -> Option<Event>,
    ) -> Result<Option<Story>, ReadError> {
        let mut db = self.lock();
        // One view of the store for all that is read.
        let db = db.transaction()?;
        let incident = IncidentId::of_failure(id).or_else(|| IncidentId::parse(id));
        let as_incident = incident.as_ref().map(|incident| format!("pagerduty:{incident}"));
        let Some(row) = Row::find(&db, as_incident.as_deref().into_iter().chain([id]))? else {
            return Ok(None);
        };
        let failure = row.failure(&db)?;
        let why = match incident.filter(|_| row.is_incident) {
            Some(incident) => why(&Source { db: &db, parse }, &incident, policy, row.evaluated.as_deref())?,
            None => vec![Why {
                about: "failure".to_owned(),
                value: "as sent".to_owned(),
                because: "it came by the event API; rules apply, nothing else is mapped".to_owned(),
            }],
        };
        let story = Story { failure, events: row.events(&db)?, why, attempts: row.attempts(&db)? };
        Ok(Some(story).filter(|story| story.failure.is_some() || !story.events.is_empty()))
    }
}

/// The failure's row.
struct Row {
    id: i64,
    revision: i64,
    evaluated: Option<String>,
    is_incident: bool,
}

impl Row {
    /// The first of these ids that is stored.
    fn find<'a>(db: &Connection, ids: impl Iterator<Item = &'a str>) -> rusqlite::Result<Option<Self>> {
        const SQL: &str =
            "SELECT id, revision, iif(state IS NULL, NULL, evaluated), facts LIKE '{\"history\"%'
            FROM failure WHERE failure_key = ?1 AND failure_id = ?2";
        for id in ids {
            let key = failure_row::key_of(id);
            let found = db.prepare_cached(SQL)?.query_row(rusqlite::params![key, id], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    revision: row.get(1)?,
                    evaluated: row.get(2)?,
                    is_incident: row.get(3)?,
                })
            });
            if let Some(row) = found.optional()? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn failure(&self, db: &Connection) -> rusqlite::Result<Option<ListedFailure>> {
        let Some(evaluated) = &self.evaluated else {
            return Ok(None);
        };
        let failure: Failure = from_json(evaluated)?;
        Ok(Some(ListedFailure { failure, revision: self.revision, forwarded: forwarded(db, self.id)? }))
    }

    fn events(&self, db: &Connection) -> rusqlite::Result<Vec<Received>> {
        const SQL: &str = "SELECT event_id, event_type, occurred_at_ns, received_at_ns, duplicates
            FROM failure_event JOIN event ON event.id = event WHERE failure = ?1 ORDER BY event.id";
        db.prepare_cached(SQL)?
            .query_map([self.id], |row| {
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

    fn attempts(&self, db: &Connection) -> rusqlite::Result<Vec<Attempt>> {
        const SQL: &str = "SELECT backend, revision, ended_at_ns, status, error
            FROM attempt JOIN outbox ON outbox.id = attempt.outbox
            WHERE failure = ?1 ORDER BY ended_at_ns, backend, revision, number";
        db.prepare_cached(SQL)?
            .query_map([self.id], |row| {
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

/// What decides about an incident today, and whether that is what is stored.
fn why(
    source: &Source<'_>,
    incident: &IncidentId,
    policy: &Policy,
    stored: Option<&str>,
) -> rusqlite::Result<Vec<Why>> {
    let Some(member) = source.stored(incident)? else {
        return Ok(Vec::new());
    };
    let connected = Connected::with(source, member, None)?;
    let Some((evaluated, mut why)) = explain(incident, &connected.group, policy) else {
        return Ok(vec![Why {
            about: "failure".to_owned(),
            value: "none".to_owned(),
            because: "only notes and the like were seen, and none of them shows the incident itself"
                .to_owned(),
        }]);
    };
    let today = to_json(&evaluated.failure)?;
    if stored.is_some_and(|stored| stored != today) {
        why.push(Why {
            about: "configuration".to_owned(),
            value: "changed".to_owned(),
            because:
                "this is how today's configuration decides; the failure was evaluated under another one, \
                      and `reevaluate` would apply this"
                    .to_owned(),
        });
    }
    Ok(why)
}
