//! Progress of forwarding failures, as people see it.

use serde::{Deserialize, Serialize};

use crate::domain::forwarding::Action;
use crate::domain::import::IMPORTED;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::of_row;
use crate::store::outbox::rows::{RowState, action, row_state};
use crate::store::state::stored_failure::details;

/// Progress of forwarding a failure to one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forwarded {
    /// The backend.
    pub backend: String,
    /// The latest revision for it.
    pub revision: i64,
    /// State of the revision.
    pub state: ForwardState,
    /// Number of attempts.
    pub attempts: u32,
}

/// State of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ForwardState {
    /// To be sent.
    Pending,
    /// The backend accepted it.
    Sent,
    /// The backend rejected it, or a person discarded it.
    Dead,
    /// The backend has older values of the failure and cannot take the correction. It was sent the failure without an
    /// end, or nothing.
    CannotBeCorrected,
}

impl ForwardState {
    /// State of a row.
    pub(super) const fn of(state: RowState, action: Action) -> Self {
        match (state, action) {
            (RowState::Pending, _) => Self::Pending,
            (RowState::Dead | RowState::Discarded, _) => Self::Dead,
            (RowState::Sent | RowState::Superseded, Action::CannotCorrect) => Self::CannotBeCorrected,
            (RowState::Sent | RowState::Superseded, _) => Self::Sent,
        }
    }

    /// Word in JSON and tables.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The latest revision of a failure for each backend, without repeats. None of an import, of which backends are not told.
pub(super) fn forwarded(db: &Db, failure: i64) -> sql::Result<Vec<Forwarded>> {
    const SQL: &str = "SELECT backend, revision, state, attempts, action FROM outbox
        WHERE failure = ?1 AND state <> 'superseded' AND repeats = 0 ORDER BY backend, revision, id";
    const DETAILS: &str = "SELECT details FROM failure WHERE id = ?1";
    latest(db, SQL, failure, || {
        let json: Option<String> = db.only(DETAILS, params![failure], |row| row.get(0))?;
        Ok(details(json.as_deref())?.tags.iter().any(|tag| tag == IMPORTED))
    })
}

/// The latest revision of a deployment itself (not of its mark) for each backend, without repeats.
pub(super) fn forwarded_deployment(db: &Db, deployment: i64) -> sql::Result<Vec<Forwarded>> {
    const SQL: &str = "SELECT backend, revision, state, attempts, action FROM outbox
        WHERE deployment = ?1 AND topic = 'deployment' AND state <> 'superseded' AND repeats = 0
        ORDER BY backend, revision, id";
    latest(db, SQL, deployment, || {
        Ok(of_row(db, deployment)?.is_some_and(|deployment| deployment.tags.contains(IMPORTED)))
    })
}

/// The last row of each backend among those that a query finds, without the rows that an import has discarded.
fn latest(
    db: &Db,
    sql: &str,
    subject: i64,
    is_imported: impl Fn() -> sql::Result<bool>,
) -> sql::Result<Vec<Forwarded>> {
    let rows = db.all(sql, params![subject], |row| {
        Ok((row.get::<String>(0)?, row.get(1)?, row_state(row, 2)?, row.get(3)?, action(row, 4)?))
    })?;
    let mut all: Vec<Forwarded> = Vec::new();
    for (backend, revision, state, attempts, action) in rows {
        if state == RowState::Discarded && attempts == 0 && is_imported()? {
            continue;
        }
        let state = ForwardState::of(state, action);
        let forwarded = Forwarded { backend, revision, state, attempts };
        match all.last_mut().filter(|last| last.backend == forwarded.backend) {
            Some(last) => *last = forwarded,
            None => all.push(forwarded),
        }
    }
    Ok(all)
}
