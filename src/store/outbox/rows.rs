//! The `outbox` table: revisions of failures, of deployments and of their marks, each for one backend.

use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use crate::domain::forwarding::{Action, Destination, PreparedRequest, Subject};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Row, Value, params};

/// State of a row.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RowState {
    /// To be sent.
    Pending,
    /// The backend accepted it.
    Sent,
    /// The backend rejected it. It will not be tried again, unless a person retries it.
    Dead,
    /// A newer revision replaced it. The backend does not have it: it was never attempted, or the backend clearly
    /// rejected every attempt (with a 429, for example).
    Superseded,
    /// A person gave it up, or kept backends out of a backfill.
    Discarded,
}

impl RowState {
    /// All states.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Word in JSON, tables and the store.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// Kind of subject of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(in crate::store) enum Topic {
    /// A failure.
    Failure,
    /// A deployment.
    Deployment,
    /// A deployment's mark as failed.
    Mark,
}

impl Topic {
    /// Word in the store.
    pub(in crate::store) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The topic in this column.
    pub(super) fn of(row: &Row<'_>, column: usize) -> sql::Result<Self> {
        let word = row.text(column)?;
        [Self::Failure, Self::Deployment, Self::Mark]
            .into_iter()
            .find(|topic| topic.as_str() == word)
            .ok_or_else(|| unknown_word(column, word))
    }
}

/// All revisions of one failure, of one deployment or of one mark, for one backend.
///
/// They are found by their subject. `IS TRUE`: see [`engine::sql`](sql).
#[derive(Clone, Copy)]
pub(super) struct Revisions<'a> {
    pub(super) topic: Topic,
    /// The row of the failure or the deployment.
    pub(super) subject: i64,
    pub(super) backend: &'a str,
}

/// A row of the outbox.
pub(super) struct ExistingRow {
    pub(super) revision: i64,
    pub(super) state: RowState,
    /// `true` if it sends its revision once more.
    pub(super) repeats: bool,
    pub(super) prepared: PreparedRequest,
}

/// A row to be put into the outbox.
pub(super) struct NewRow {
    pub(super) revision: i64,
    /// `true` if it sends a revision once more.
    pub(super) repeats: bool,
    /// Earliest time to send it. `None`: it is stored as discarded, so that nobody prepares the same request again.
    pub(super) due_at: Option<Timestamp>,
    pub(super) prepared: PreparedRequest,
}

impl Revisions<'_> {
    /// The newest row that is not superseded.
    pub(super) fn newest(self, session: &Session<'_>) -> sql::Result<Option<ExistingRow>> {
        self.find(session, "state <> 'superseded'")
    }

    /// The newest row that waits to be sent, or was accepted.
    pub(super) fn newest_live(self, session: &Session<'_>) -> sql::Result<Option<ExistingRow>> {
        self.find(session, "state IN ('pending', 'sent')")
    }

    /// The newest row that the backend may have: at least one attempt was not clearly rejected.
    pub(super) fn newest_at_backend(self, session: &Session<'_>) -> sql::Result<Option<ExistingRow>> {
        self.find(session, "(in_doubt > 0 OR taken > 0)")
    }

    fn find(self, session: &Session<'_>, condition: &str) -> sql::Result<Option<ExistingRow>> {
        let sql = format!(
            "SELECT revision, state, repeats, action, body FROM outbox
            WHERE {} = ?1 AND (backend = ?2 AND topic = ?3 AND {condition}) IS TRUE ORDER BY revision DESC, id DESC LIMIT 1",
            self.column()
        );
        session.db().one(&sql, params![self.subject, self.backend, self.topic.as_str()], |row| {
            Ok(ExistingRow {
                revision: row.get(0)?,
                state: row_state(row, 1)?,
                repeats: row.get(2)?,
                prepared: prepared(row, 3)?,
            })
        })
    }

    /// Supersedes waiting rows that cannot have reached the backend, except a row that is being sent. With `also_dead`,
    /// dead rows are superseded, too, so that nobody retries them. Returns the number of rows.
    pub(super) fn supersede(self, session: &Session<'_>, also_dead: bool) -> sql::Result<usize> {
        let sql = format!(
            "UPDATE outbox SET state = 'superseded', due_at_ns = NULL, suspect = 0
            WHERE {} = ?1 AND (backend = ?2 AND topic = ?3 AND in_doubt = 0 AND taken = 0
                AND (state = 'pending' OR (state = 'dead' AND CAST(?4 AS BIGINT) = 1))) IS TRUE
            AND (claimed_by IS NULL OR claimed_by <> ?5)",
            self.column()
        );
        let Self { topic, subject, backend } = self;
        session.run(&sql, params![subject, backend, topic.as_str(), also_dead, session.epoch(backend)?])
    }

    /// `true` if a revision older than `newest` has an attempt without a clear answer, which may arrive late and undo
    /// `newest`. A late deployment may undo a mark, but a late mark does not undo a deployment.
    pub(super) fn has_older_unanswered(
        self,
        session: &Session<'_>,
        newest: &ExistingRow,
    ) -> sql::Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM outbox WHERE {})", self.older_unanswered());
        session.db().only(&sql, &self.parameters(newest.revision), |row| row.get(0))
    }

    /// Records that no revision older than this one can arrive late any more.
    pub(super) fn forget_unanswered(self, session: &Session<'_>, revision: i64) -> sql::Result<()> {
        let sql = format!("UPDATE outbox SET unknown = 0 WHERE {}", self.older_unanswered());
        session.run(&sql, &self.parameters(revision)).map(drop)
    }

    fn older_unanswered(self) -> String {
        format!(
            "{} = ?1 AND backend = ?2 AND (topic = ?3 OR topic = 'deployment') AND revision < ?4 AND unknown > 0",
            self.column()
        )
    }

    /// The parameters, with a revision.
    fn parameters(&self, revision: i64) -> [Value<'_>; 4] {
        let (backend, topic) = (Value::Text(self.backend), Value::Text(self.topic.as_str()));
        [Value::Integer(self.subject), backend, topic, Value::Integer(revision)]
    }

    /// `true` if a row with this revision waits, and nobody is sending it.
    pub(super) fn has_waiting(self, session: &Session<'_>, revision: i64) -> sql::Result<bool> {
        let sql = format!(
            "SELECT count(*) > 0 FROM outbox WHERE {} = ?1 AND revision = ?4 AND claimed_by IS NULL
            AND (backend = ?2 AND topic = ?3 AND state = 'pending') IS TRUE",
            self.column()
        );
        session.db().only(&sql, &self.parameters(revision), |row| row.get(0))
    }

    /// Number of the next revision of a deployment or of its mark, which share one series of numbers.
    pub(super) fn next_number(self, session: &Session<'_>) -> sql::Result<i64> {
        let sql = format!(
            "SELECT coalesce(max(revision), 0) + 1 FROM outbox WHERE {} = ?1 AND backend = ?2",
            self.column()
        );
        session.db().only(&sql, params![self.subject, self.backend], |row| row.get(0))
    }

    /// Puts a row into the outbox.
    pub(super) fn put(
        self,
        session: &mut Session<'_>,
        destination: &dyn Destination,
        NewRow { revision, repeats, due_at, prepared: PreparedRequest { action, body } }: &NewRow,
        now: Timestamp,
    ) -> sql::Result<()> {
        const INSERT: &str = "INSERT INTO outbox
            (backend, topic, failure, deployment, revision, repeats, due_at_ns, created_at_ns, lane, action, body, state)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let (failure, deployment) = match self.topic {
            Topic::Failure => (Some(self.subject), None),
            Topic::Deployment | Topic::Mark => (None, Some(self.subject)),
        };
        session.run(
            INSERT,
            params![
                self.backend,
                self.topic.as_str(),
                failure,
                deployment,
                revision,
                repeats,
                due_at.map(Timestamp::as_nanos),
                now.as_nanos(),
                destination.lane(*action).as_str(),
                action.as_str(),
                body,
                if due_at.is_some() { RowState::Pending } else { RowState::Discarded }.as_str(),
            ],
        )?;
        session.changes.outbox_changed |= due_at.is_some();
        Ok(())
    }

    /// The column that the subject's row is in.
    const fn column(self) -> &'static str {
        match self.topic {
            Topic::Failure => "failure",
            Topic::Deployment | Topic::Mark => "deployment",
        }
    }
}

/// The request in these two columns.
pub(super) fn prepared(row: &Row<'_>, first_column: usize) -> sql::Result<PreparedRequest> {
    Ok(PreparedRequest { action: action(row, first_column)?, body: row.get(first_column + 1)? })
}

/// The action in this column.
pub(in crate::store) fn action(row: &Row<'_>, column: usize) -> sql::Result<Action> {
    let word = row.text(column)?;
    let action = Action::ALL.iter().copied().find(|action| action.as_str() == word);
    action.ok_or_else(|| unknown_word(column, word))
}

/// The state in this column.
pub(in crate::store) fn row_state(row: &Row<'_>, column: usize) -> sql::Result<RowState> {
    let word = row.text(column)?;
    RowState::parse(word).ok_or_else(|| unknown_word(column, word))
}

/// Subject of a row: the failure's id is in one column, the deployment's in another.
pub(in crate::store) fn subject(row: &Row<'_>, failure: usize, deployment: usize) -> sql::Result<Subject> {
    let failure: Option<String> = row.get(failure)?;
    match failure {
        Some(id) => Ok(Subject::Failure(id)),
        None => row.get(deployment).map(Subject::Deployment),
    }
}

/// The backend of this name, if it is configured.
pub(super) fn destination<'a>(session: &Session<'a>, backend: &str) -> Option<&'a dyn Destination> {
    let settings = session.settings;
    settings.destinations.iter().find(|destination| destination.name() == backend).map(|found| &**found)
}
