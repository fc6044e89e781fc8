//! The `failure` table: what a failure is evaluated from, and what it came to.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::figures::Counted;
use super::json::{from_json, to_json};
use super::outbox::{self, News};
use super::writer::Session;
use super::{blame, stored_failure};
use crate::domain::failure::Evaluated;
use crate::domain::history::History;
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;

/// Facts that a failure is evaluated from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Facts {
    /// The events of a PagerDuty incident.
    History(History),
    /// Submission to the event API.
    Submission(Box<Submission>),
    /// Something that cannot be read; never written.
    #[serde(skip)]
    Damaged,
}

impl Default for Facts {
    fn default() -> Self {
        Self::History(History::default())
    }
}

impl Facts {
    /// Failure that this one was merged into.
    fn target(&self) -> Option<FailureId> {
        match self {
            Self::History(history) => history.merge_target().map(FailureId::of_incident),
            Self::Submission(_) | Self::Damaged => None,
        }
    }
}

/// Stored form of an evaluated failure, as text: two are the same if they are written the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The failure, as JSON; `None`: it is none.
    pub(super) failure: Option<String>,
    /// Details that the configuration adds for backends, as JSON; `None`: nothing.
    pub(super) details: Option<String>,
}

impl View {
    pub(super) fn of(evaluated: Option<&Evaluated>) -> rusqlite::Result<Self> {
        let Some(Evaluated { failure, details }) = evaluated else {
            return Ok(Self { failure: None, details: None });
        };
        Ok(Self {
            failure: Some(stored_failure::failure_text(failure)?),
            details: stored_failure::details_text(details)?,
        })
    }
}

/// A row, as it is or as it is about to be.
pub(super) struct FailureRow {
    /// `None`: not stored yet.
    pub(super) id: Option<i64>,
    pub(super) failure_id: FailureId,
    /// Zero: no backend was ever told of it.
    pub(super) revision: i64,
    pub(super) facts: Facts,
}

impl FailureRow {
    /// A row for a failure that is not stored yet.
    pub(super) fn new(failure_id: FailureId, facts: Facts) -> Self {
        Self { id: None, failure_id, revision: 0, facts }
    }

    /// The stored row.
    pub(super) fn load(db: &Connection, failure_id: &FailureId) -> rusqlite::Result<Option<Self>> {
        const SQL: &str =
            "SELECT id, revision, facts FROM failure WHERE failure_key = ?1 AND failure_id = ?2";
        db.prepare_cached(SQL)?
            .query_row(params![key(failure_id), failure_id.as_str()], |row| {
                Ok(Self {
                    id: row.get(0)?,
                    failure_id: failure_id.clone(),
                    revision: row.get(1)?,
                    facts: from_json(row.get_ref(2)?.as_str()?).unwrap_or_else(|error| {
                        tracing::error!(%failure_id, %error, "a failure's facts are damaged");
                        Facts::Damaged
                    }),
                })
            })
            .optional()
    }

    /// The stored row, by an id that was stored.
    pub(super) fn load_by_id(db: &Connection, failure_id: &str) -> rusqlite::Result<Option<Self>> {
        match FailureId::parse(failure_id) {
            Some(failure_id) => Self::load(db, &failure_id),
            None => Ok(None),
        }
    }

    /// `true` if the stored row shows exactly this.
    pub(super) fn shows(
        &self,
        session: &Session<'_>,
        evaluated: Option<&Evaluated>,
    ) -> rusqlite::Result<bool> {
        const SQL: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
        let stored = session
            .prepare(SQL)?
            .query_row([self.id], |row| Ok(View { failure: row.get(0)?, details: row.get(1)? }))?;
        Ok(stored == View::of(evaluated)?)
    }

    /// Stores the row with what its facts came to, and puts what changed before the backends. Returns its id.
    ///
    /// `None`: the facts do not make a failure.
    pub(super) fn save(
        mut self,
        session: &mut Session<'_>,
        evaluated: Option<&Evaluated>,
        now: Timestamp,
    ) -> rusqlite::Result<i64> {
        const INSERT: &str = "INSERT INTO failure
            (state, started_at_ns, revision, facts, evaluated, details, merged_into_key, finished_at_ns, counts_for,
            created_at_ns, restore_ns, failure_id, failure_key)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        const UPDATE: &str = "UPDATE failure SET
            state = ?1, started_at_ns = ?2, revision = ?3, facts = ?4, evaluated = ?5, details = ?6,
            merged_into_key = ?7, finished_at_ns = ?8, counts_for = ?9, created_at_ns = ?10, restore_ns = ?11
            WHERE id = ?12";
        let news =
            evaluated.map_or(Ok(Vec::new()), |evaluated| outbox::news(session, &self, evaluated, now))?;
        self.revision += i64::from(news.iter().any(News::is_revision));
        let failure = evaluated.map(|evaluated| &evaluated.failure);
        let mut statement = session.prepare(if self.id.is_some() { UPDATE } else { INSERT })?;
        statement.raw_bind_parameter(1, failure.map(|failure| failure.state.as_str()))?;
        statement.raw_bind_parameter(2, failure.map(|failure| failure.started_at.as_nanos()))?;
        statement.raw_bind_parameter(3, self.revision)?;
        statement.raw_bind_parameter(4, to_json(&self.facts)?)?;
        let merged_into_key = self.facts.target().as_ref().map(key);
        let view = View::of(evaluated)?;
        statement.raw_bind_parameter(5, view.failure)?;
        statement.raw_bind_parameter(6, view.details)?;
        statement.raw_bind_parameter(7, merged_into_key)?;
        let finished_at = failure.and_then(|failure| failure.finished_at);
        statement.raw_bind_parameter(8, finished_at.map(Timestamp::as_nanos))?;
        let counted = evaluated.map_or_else(|| Ok(Counted::default()), Counted::of)?;
        statement.raw_bind_parameter(9, counted.counts_for)?;
        statement.raw_bind_parameter(10, counted.created_at_ns)?;
        statement.raw_bind_parameter(11, counted.restore_ns)?;
        if let Some(id) = self.id {
            statement.raw_bind_parameter(12, id)?;
        } else {
            statement.raw_bind_parameter(12, self.failure_id.as_str())?;
            statement.raw_bind_parameter(13, key(&self.failure_id))?;
        }
        statement.raw_execute()?;
        session.merge_targets.extend(merged_into_key);
        let id = self.id.unwrap_or_else(|| session.last_insert_rowid());
        outbox::add(session, id, self.revision, news, now)?;
        blame::failure_saved(session, id, evaluated, now)?;
        Ok(id)
    }
}

/// Key that a failure is found by: short, and so is its index.
pub(super) fn key(failure_id: &FailureId) -> i64 {
    let hash = Sha256::digest(failure_id.as_str());
    hash.iter().take(8).fold(0, |key, byte| key << 8 | i64::from(*byte))
}
