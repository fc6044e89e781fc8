//! Progress of forwarding failures, as it is shown.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::outbox::action;
use super::outbox_rows::{RowState, row_state};
use crate::domain::forwarding::Action;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardState {
    /// To be sent.
    Pending,
    /// The backend has it.
    Sent,
    /// The backend will not take it, or a person gave it up.
    Dead,
    /// The failure is another than the backend was told, which has no way to take that: it was told again without
    /// an end, or not at all.
    CannotBeCorrected,
}

impl ForwardState {
    /// State of a row.
    pub(super) fn of(state: RowState, action: Action) -> Self {
        match state {
            RowState::Pending => Self::Pending,
            RowState::Dead | RowState::Discarded => Self::Dead,
            RowState::Sent | RowState::Superseded if action == Action::LeaveOpen => Self::CannotBeCorrected,
            RowState::Sent | RowState::Superseded => Self::Sent,
        }
    }

    /// The word for it in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::CannotBeCorrected => "cannot_be_corrected",
        }
    }
}

/// The latest revision of each backend.
pub(super) fn forwarded(db: &Connection, failure: i64) -> rusqlite::Result<Vec<Forwarded>> {
    const SQL: &str = "SELECT backend, max(revision), state, attempts, action FROM outbox
        WHERE failure = ?1 AND state <> 'superseded' GROUP BY backend ORDER BY backend";
    db.prepare_cached(SQL)?
        .query_map([failure], |row| {
            let state = ForwardState::of(row_state(row, 2)?, action(row, 4)?);
            Ok(Forwarded { backend: row.get(0)?, revision: row.get(1)?, state, attempts: row.get(3)? })
        })?
        .collect()
}
