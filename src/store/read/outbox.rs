//! The outbox as people see it.

use serde::{Deserialize, Serialize};

use super::backends::{BackendStatus, backend_statuses};
use super::outbox_search::{count, search};
use super::reader::Reader;
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::Subject;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::outbox::rows::{RowState, row_state, subject};

/// Rows to list, oldest first.
#[derive(Debug, Clone, Default)]
pub struct OutboxFilter {
    /// Only those in this state.
    pub state: Option<RowState>,
    /// `true` if discarded rows are left out where no state is chosen.
    pub hides_discarded: bool,
    /// Only those for this backend.
    pub backend: Option<String>,
    /// Only those after this row: [`OutboxPage::next`] of the previous page.
    pub after: i64,
    /// Largest number of rows.
    pub limit: usize,
}

/// A part of the outbox, as the API's JSON has it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OutboxPage {
    /// The rows.
    pub rows: Vec<OutboxRow>,
    /// Cursor of the next part, if there is one.
    pub next: Option<i64>,
    /// Status of every backend that ever got a request, or that rows wait for.
    pub backends: Vec<BackendStatus>,
    /// Number of the discarded rows that were left out.
    #[serde(skip)]
    pub hidden: i64,
}

/// One revision of one failure, or of one deployment, for one backend.
#[derive(Debug, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The row.
    pub id: i64,
    /// The backend.
    pub backend: String,
    /// The failure or the deployment that the row is about.
    #[serde(flatten, with = "about")]
    pub subject: Subject,
    /// Name of the deployment for people: its service, and its version or short commit. JSON has the id.
    #[serde(skip)]
    pub deployment_name: Option<String>,
    /// Its revision.
    pub revision: i64,
    /// State of the row.
    pub state: RowState,
    /// Number of attempts, without those for which our credentials were refused.
    pub attempts: u32,
    /// Number of attempts for which our credentials were refused.
    pub refusals: u32,
    /// `true` if it fails again and again while other rows of its backend are accepted.
    pub suspect: bool,
    /// `true` if it sends a revision once more that the backend accepted: an older request may have arrived late.
    #[serde(default)]
    pub repeats: bool,
    /// Time of the next attempt.
    pub next_attempt_at: Option<Timestamp>,
    /// Status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// Last error.
    pub last_error: Option<String>,
}

/// The fields `failure` and `deployment`, of which one is null.
mod about {
    use std::borrow::Cow;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::forwarding::Subject;

    #[derive(Serialize, Deserialize)]
    struct RowFields<'a> {
        failure: Option<Cow<'a, str>>,
        deployment: Option<Cow<'a, str>>,
    }

    pub(super) fn serialize<S: Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = match subject {
            Subject::Failure(id) => RowFields { failure: Some(Cow::Borrowed(id)), deployment: None },
            Subject::Deployment(id) => RowFields { failure: None, deployment: Some(Cow::Borrowed(id)) },
        };
        fields.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
        match RowFields::deserialize(deserializer)? {
            RowFields { failure: Some(id), deployment: None } => Ok(Subject::Failure(id.into_owned())),
            RowFields { failure: None, deployment: Some(id) } => Ok(Subject::Deployment(id.into_owned())),
            _ => Err(Error::custom("a row must be about either a failure or a deployment")),
        }
    }
}

impl Reader {
    /// The rows that pass the filter.
    pub fn outbox(&self, filter: &OutboxFilter) -> Result<OutboxPage, ReadError> {
        let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let backend = filter.backend.as_deref();
        let hides = filter.hides_discarded && filter.state.is_none();
        let hidden = if hides { count(&db, RowState::Discarded, backend)? } else { 0 };
        let states: Vec<RowState> = match filter.state {
            Some(state) => vec![state],
            None if hidden > 0 => {
                RowState::ALL.iter().copied().filter(|state| *state != RowState::Discarded).collect()
            }
            None => RowState::ALL.to_vec(),
        };
        let mut ids = search(&db, (&states, backend), filter.after, one_more)?;
        let has_more = ids.len() > filter.limit;
        ids.truncate(filter.limit);
        let next = ids.last().filter(|_| has_more).copied();
        let rows = ids.iter().map(|id| row(&db, *id)).collect::<Result<_, _>>()?;
        let mut backends = backend_statuses(&db)?;
        backends.retain(|status| filter.backend.as_ref().is_none_or(|name| status.backend == *name));
        Ok(OutboxPage { rows, next, backends, hidden })
    }
}

fn row(db: &Db, id: i64) -> sql::Result<OutboxRow> {
    const SQL: &str = "SELECT o.id, o.backend, failure_id, o.revision, o.state, attempts,
            CASE WHEN due_at_ns < not_before_ns THEN not_before_ns ELSE due_at_ns END, last_status, last_error,
            deployment_id, refusals, suspect, repeats, d.facts
        FROM outbox o LEFT JOIN failure f ON f.id = o.failure
            LEFT JOIN stored_deployment d ON d.id = o.deployment
            LEFT JOIN lane l ON l.backend = o.backend AND l.lane = o.lane
        WHERE o.id = ?1";
    db.only(SQL, params![id], |row| {
        let next_ns: Option<i64> = row.get(6)?;
        Ok(OutboxRow {
            id: row.get(0)?,
            backend: row.get(1)?,
            subject: subject(row, 2, 9)?,
            deployment_name: deployment_name(row, 13)?,
            revision: row.get(3)?,
            state: row_state(row, 4)?,
            attempts: row.get(5)?,
            refusals: row.get(10)?,
            suspect: row.get(11)?,
            repeats: row.get(12)?,
            next_attempt_at: next_ns.map(Timestamp::from_nanos),
            last_status: row.get(7)?,
            last_error: row.get(8)?,
        })
    })
}

/// Name of the deployment whose facts are in this column, if there is one.
fn deployment_name(row: &Row<'_>, column: usize) -> sql::Result<Option<String>> {
    let Some(facts) = row.text_or_null(column)? else { return Ok(None) };
    let deployment: Deployment = from_json(facts)?;
    Ok(Some(deployment.display_name()))
}
