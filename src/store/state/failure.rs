//! The `failure` table: the facts of each failure, and the result of its evaluation.

use serde::{Deserialize, Serialize};

use super::difference;
use super::failed_deployments;
use super::failure_kind;
use super::figure_columns::FigureColumns;
use super::links::{StoredLinks, decide, remember_names};
use super::reach::duration_log2;
use super::stored_failure::{details, details_text, failure, failure_text};
use crate::domain::failure::Evaluated;
use crate::domain::history::History;
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::{from_json, to_json};
use crate::store::engine::session::{Session, TouchedFailure};
use crate::store::engine::sql::{self, Db, ToValue as _, params};
use crate::store::facts::subject_key::failure_key;

/// Facts that a failure is evaluated from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::store) enum Facts {
    /// The events of a PagerDuty incident.
    History(History),
    /// Submission to the event API.
    Submission(Box<Submission>),
    /// Facts that cannot be read. Never written.
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

/// Stored form of an evaluated failure, as text. Two failures are the same if their texts are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct StoredForm {
    /// The failure, as JSON. `None` if the facts make no failure.
    pub(in crate::store) failure: Option<String>,
    /// Details of the failure, as JSON. `None` if there are none.
    pub(in crate::store) details: Option<String>,
}

impl StoredForm {
    pub(in crate::store) fn of(evaluated: Option<&Evaluated>) -> sql::Result<Self> {
        let Some(Evaluated { failure, details }) = evaluated else {
            return Ok(Self { failure: None, details: None });
        };
        Ok(Self { failure: Some(failure_text(failure)?), details: details_text(details)? })
    }
}

/// A row, stored or about to be stored.
pub(in crate::store) struct FailureRow {
    /// `None` if it is not stored yet.
    pub(in crate::store) id: Option<i64>,
    pub(in crate::store) failure_id: FailureId,
    /// Last revision for any backend; 0: never forwarded.
    pub(in crate::store) revision: i64,
    /// The deployment that is stored as its cause.
    cause: Option<i64>,
    pub(in crate::store) facts: Facts,
}

impl FailureRow {
    /// A row for a failure that is not stored yet.
    pub(in crate::store) fn new(failure_id: FailureId, facts: Facts) -> Self {
        Self { id: None, failure_id, revision: 0, cause: None, facts }
    }

    /// The same row with other facts.
    pub(in crate::store) fn with(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }

    /// The stored row.
    pub(in crate::store) fn load(db: &Db, failure_id: &FailureId) -> sql::Result<Option<Self>> {
        const SQL: &str =
            "SELECT id, revision, facts, cause FROM failure WHERE failure_key = ?1 AND failure_id = ?2";
        db.one(SQL, params![failure_key(failure_id), failure_id.as_str()], |row| {
            Ok(Self {
                id: row.get(0)?,
                failure_id: failure_id.clone(),
                revision: row.get(1)?,
                cause: row.get(3)?,
                facts: from_json(row.text(2)?).unwrap_or_else(|error| {
                    tracing::error!(
                        %failure_id,
                        %error,
                        "a failure's facts are damaged: its events are read again where their bodies are kept"
                    );
                    Facts::Damaged
                }),
            })
        })
    }

    /// The stored row, by an id that was stored.
    pub(in crate::store) fn load_by_id(db: &Db, failure_id: &str) -> sql::Result<Option<Self>> {
        match FailureId::parse(failure_id) {
            Some(failure_id) => Self::load(db, &failure_id),
            None => Ok(None),
        }
    }

    /// `true` if the row already has this failure in the store.
    pub(in crate::store) fn is_stored_with(
        &self,
        session: &Session<'_>,
        evaluated: Option<&Evaluated>,
    ) -> sql::Result<bool> {
        const SQL: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
        let stored = session.db().only(SQL, params![self.id], |row| {
            Ok(StoredForm { failure: row.get(0)?, details: row.get(1)? })
        })?;
        Ok(stored == StoredForm::of(evaluated)?)
    }

    /// Stores the row with its evaluated failure and the links to deployments. Returns its id.
    ///
    /// `evaluated` is `None` if the facts make no failure.
    pub(in crate::store) fn save(
        self,
        session: &mut Session<'_>,
        evaluated: Option<Evaluated>,
        now: Timestamp,
    ) -> sql::Result<i64> {
        let link_window = session.settings.policy.link_window;
        let links =
            evaluated.as_ref().map(|evaluated| decide(session.db(), evaluated, link_window)).transpose()?;
        let content_before = match self.id {
            Some(id) if session.changes.contents_before.is_some() => {
                Some(difference::stored(session.db(), id)?)
            }
            _ => None,
        };
        let id = self.write(session, evaluated.as_ref(), links)?;
        failed_deployments::note(session, [self.cause, links.and_then(|links| links.cause)])?;
        session.merge_targets.add(self.facts.target().as_ref().map(failure_key));
        let names = evaluated.as_ref().filter(|evaluated| evaluated.details.names_deployment());
        if self.id.is_some() || names.is_some() {
            remember_names(session, id, names)?;
        }
        session.changes.touch_mark(self.cause, now);
        session.changes.touch_mark(links.and_then(|links| links.cause), now);
        session.changes.failures.insert(id, TouchedFailure { evaluated, revision: self.revision, now });
        if let Some(all) = &mut session.changes.contents_before {
            all.entry(id).or_insert(content_before);
        }
        Ok(id)
    }

    /// Writes the row, and returns its id.
    fn write(
        &self,
        session: &Session<'_>,
        evaluated: Option<&Evaluated>,
        links: Option<StoredLinks>,
    ) -> sql::Result<i64> {
        const INSERT: &str = "INSERT INTO failure
            (state, started_at_ns, finished_at_ns, created_at_ns, duration_log2, facts, evaluated, details,
            merged_into_key, counts_for, restore_ns, cause, cause_how, remediation, kind, failure_id, failure_key)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        const UPDATE: &str = "UPDATE failure SET
            state = ?1, started_at_ns = ?2, finished_at_ns = ?3, created_at_ns = ?4, duration_log2 = ?5, facts = ?6,
            evaluated = ?7, details = ?8, merged_into_key = ?9, counts_for = ?10, restore_ns = ?11, cause = ?12,
            cause_how = ?13, remediation = ?14, kind = ?15 WHERE id = ?16";
        let failure = evaluated.map(|evaluated| &evaluated.failure);
        let kind = failure.map(|failure| failure_kind::row(session, failure)).transpose()?;
        let started_at = failure.map(|failure| failure.started_at);
        let finished_at = failure.and_then(|failure| failure.finished_at);
        let created_at =
            evaluated.map(|Evaluated { failure, details }| details.created_at.unwrap_or(failure.started_at));
        let length = finished_at.zip(started_at).map(|(end, start)| duration_log2(end.nanos_since(start)));
        let view = StoredForm::of(evaluated)?;
        let figure_columns = evaluated.map_or_else(|| Ok(FigureColumns::default()), FigureColumns::of)?;
        let state = failure.map(|failure| failure.state.as_str());
        let [started_ns, finished_ns, created_ns] =
            [started_at, finished_at, created_at].map(|time| time.map(Timestamp::as_nanos));
        let (facts, target) = (to_json(&self.facts)?, self.facts.target().as_ref().map(failure_key));
        let (cause, how) = (links.and_then(|links| links.cause), links.map(|links| links.how.as_str()));
        let remediation = links.and_then(|links| links.remediation);
        let FigureColumns { counts_for, restore_ns } = figure_columns;
        let mut parameters = params![
            state,
            started_ns,
            finished_ns,
            created_ns,
            length,
            facts,
            view.failure,
            view.details,
            target,
            counts_for,
            restore_ns,
            cause,
            how,
            remediation,
            kind,
        ]
        .to_vec();
        if let Some(id) = self.id {
            parameters.push(id.to_value());
            session.run(UPDATE, &parameters)?;
            return Ok(id);
        }
        let (id, key) = (self.failure_id.as_str(), failure_key(&self.failure_id));
        parameters.extend(params![id, key]);
        session.insert_new(INSERT, &parameters)
    }
}

/// A failure as it is stored.
pub(in crate::store) struct Stored {
    /// The failure and its details.
    pub(in crate::store) evaluated: Evaluated,
    /// Its links.
    pub(in crate::store) links: StoredLinks,
    /// The last revision for any backend; 0: never forwarded.
    pub(in crate::store) revision: i64,
}

/// The failure in a row. `None` if the row has none.
pub(in crate::store) fn stored(db: &Db, row: i64) -> sql::Result<Option<Stored>> {
    const SQL: &str = "SELECT evaluated, details, revision, cause, cause_how, remediation FROM failure
        WHERE id = ?1 AND evaluated IS NOT NULL";
    db.one(SQL, params![row], |columns| {
        let failure = failure(columns.text(0)?)?;
        let details = details(columns.text_or_null(1)?)?;
        let links = StoredLinks::of(columns, 3)?;
        Ok(Stored { evaluated: Evaluated { failure, details }, links, revision: columns.get(2)? })
    })
}
