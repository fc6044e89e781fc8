//! State of each backend, as people see it.

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use crate::domain::lane::{BackendState, Lane, LaneHealth};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, params};
use crate::store::outbox::lane::{health, lane};

/// State of one backend for the requests that need one of its credentials, and the rows that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// The backend.
    pub backend: String,
    /// The credential.
    pub lane: Lane,
    /// State of the backend.
    pub state: BackendState,
    /// Start of the state. `None` if the state never changed.
    pub since: Option<Timestamp>,
    /// Number of rows to be sent, including repeats.
    pub waiting: i64,
    /// Time at which the oldest of them was put into the outbox.
    pub oldest_waiting_at: Option<Timestamp>,
    /// Time of the next request. In the past while the request is being sent.
    pub next_attempt_at: Option<Timestamp>,
    /// End of the last attempt.
    pub last_answer_at: Option<Timestamp>,
    /// Status of its answer, if there was one.
    pub last_status: Option<u16>,
    /// Last error.
    pub last_error: Option<String>,
    /// Time of the last accepted request.
    pub last_success_at: Option<Timestamp>,
}

impl Reader {
    /// State of every backend that ever got a request, or that rows wait for.
    pub fn backend_statuses(&self) -> Result<Vec<BackendStatus>, ReadError> {
        Ok(backend_statuses(&self.lock())?)
    }
}

/// State of every backend, read on a connection.
pub(in crate::store) fn backend_statuses(db: &Db) -> sql::Result<Vec<BackendStatus>> {
    const SQL: &str = "SELECT coalesce(l.backend, w.backend), coalesce(l.lane, w.lane), coalesce(w.waiting, 0), w.oldest, w.due,
            coalesce(condition, 'delivering'), since_ns, not_before_ns, coalesce(failed_probes, 0), answered_at_ns,
            status, error, succeeded_at_ns FROM lane l FULL JOIN (
            SELECT backend, lane, count(*) AS waiting, min(created_at_ns) AS oldest, min(due_at_ns) AS due
            FROM outbox WHERE due_at_ns IS NOT NULL GROUP BY backend, lane
        ) w ON w.backend = l.backend AND w.lane = l.lane ORDER BY 1, 2 DESC";
    db.all(SQL, params![], |row| {
        let time = |index| row.get::<Option<i64>>(index).map(|ns| ns.map(Timestamp::from_nanos));
        let (waiting, health): (i64, LaneHealth) = (row.get(2)?, health(row, 5)?);
        let due = time(4)?;
        Ok(BackendStatus {
            backend: row.get(0)?,
            lane: lane(row, 1)?,
            state: if waiting == 0 { BackendState::Idle } else { health.state },
            since: health.since,
            waiting,
            oldest_waiting_at: time(3)?,
            next_attempt_at: due.map(|due| health.not_before.map_or(due, |then| then.max(due))),
            last_answer_at: health.answered_at,
            last_status: health.status,
            last_error: health.error,
            last_success_at: health.succeeded_at,
        })
    })
}
