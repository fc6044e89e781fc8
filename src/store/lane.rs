//! State of each backend, as it is kept and shown.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::listing::{ReadError, Reader};
use super::outbox::unknown_word;
use super::writer::Session;
use crate::domain::lane::{BackendState, Lane, LaneHealth};
use crate::domain::timestamp::Timestamp;

/// State of one backend for the requests that need one of its credentials, and the rows that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The backend.
    pub backend: String,
    /// The credential.
    pub lane: Lane,
    /// State of the backend.
    pub state: BackendState,
    /// Start of the state; `None`: it was always so.
    pub since: Option<Timestamp>,
    /// Rows to be sent, also once more.
    pub waiting: i64,
    /// Time at which the oldest of them was put there.
    pub oldest_waiting_at: Option<Timestamp>,
    /// Time of the next request; past while it is being sent.
    pub next_attempt_at: Option<Timestamp>,
    /// End of the last attempt.
    pub last_answer_at: Option<Timestamp>,
    /// The status of its answer, if there was one.
    pub last_status: Option<u16>,
    /// Last error.
    pub last_error: Option<String>,
    /// Time of the last accepted request.
    pub last_success_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "condition, since_ns, not_before_ns, failed_probes, answered_at_ns, status, error, succeeded_at_ns";

fn health(row: &Row<'_>, first: usize) -> rusqlite::Result<LaneHealth> {
    let time =
        |index: usize| row.get::<_, Option<i64>>(first + index).map(|ns| ns.map(Timestamp::from_nanos));
    let word = row.get_ref(first)?.as_str()?;
    Ok(LaneHealth {
        state: BackendState::parse(word).ok_or_else(|| unknown_word(first, word))?,
        since: time(1)?,
        not_before: time(2)?,
        failed_probes: row.get(first + 3)?,
        answered_at: time(4)?,
        status: row.get(first + 5)?,
        error: row.get(first + 6)?,
        succeeded_at: time(7)?,
    })
}

fn lane(row: &Row<'_>, column: usize) -> rusqlite::Result<Lane> {
    let word = row.get_ref(column)?.as_str()?;
    Lane::parse(word).ok_or_else(|| unknown_word(column, word))
}

/// Health of a lane, as an earlier process left it.
pub(super) fn load(session: &Session<'_>, backend: &str, lane: Lane) -> rusqlite::Result<LaneHealth> {
    let sql = format!("SELECT {COLUMNS} FROM lane WHERE backend = ?1 AND lane = ?2");
    let found =
        session.prepare(&sql)?.query_row(params![backend, lane.as_str()], |row| health(row, 0)).optional()?;
    Ok(found.unwrap_or_default())
}

/// Keeps what is known of a lane.
pub(super) fn save(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    health: &LaneHealth,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO lane VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (backend, lane) DO UPDATE SET condition = ?3, since_ns = ?4, not_before_ns = ?5,
        failed_probes = ?6, answered_at_ns = ?7, status = ?8, error = ?9, succeeded_at_ns = ?10";
    let ns = |time: Option<Timestamp>| time.map(Timestamp::as_nanos);
    let LaneHealth { state, since, not_before, failed_probes, answered_at, status, error, succeeded_at } =
        health;
    session
        .execute(
            SQL,
            params![
                backend,
                lane.as_str(),
                state.as_str(),
                ns(*since),
                ns(*not_before),
                failed_probes,
                ns(*answered_at),
                status,
                error,
                ns(*succeeded_at)
            ],
        )
        .map(drop)
}

/// Has the next probe of a backend go out at once.
pub(super) fn hurry(session: &mut Session<'_>, backend: &str, now: Timestamp) -> rusqlite::Result<()> {
    const SQL: &str = "UPDATE lane SET not_before_ns = ?2 WHERE backend = ?1 AND not_before_ns > ?2";
    session.execute(SQL, params![backend, now.as_nanos()])?;
    session.hurried.insert(backend.to_owned());
    Ok(())
}

/// Has the rows of a lane that wait because attempts failed be due now, and returns their number: the backend answers again. Rows that were not
/// attempted wait for a reason of their own, and so do suspect ones, but for a person's wish.
pub(super) fn release(
    session: &mut Session<'_>,
    backend: &str,
    (lane, also_suspect): (Lane, bool),
    now: Timestamp,
) -> rusqlite::Result<usize> {
    const SQL: &str = "UPDATE outbox SET due_at_ns = ?3
        WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?3 AND attempts + refusals > 0 AND suspect <= ?4";
    let released = session.execute(SQL, params![backend, lane.as_str(), now.as_nanos(), also_suspect])?;
    session.outbox_changed |= released > 0;
    Ok(released)
}

/// The number of rows that are due in a lane, and wait for a probe.
pub(super) fn held_back(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    now: Timestamp,
) -> rusqlite::Result<u32> {
    const SQL: &str = "SELECT count(*) FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns <= ?3
        AND EXISTS (SELECT 1 FROM lane WHERE lane.backend = ?1 AND lane.lane = ?2 AND not_before_ns IS NOT NULL)";
    session.prepare(SQL)?.query_row(params![backend, lane.as_str(), now.as_nanos()], |row| row.get(0))
}

/// The number of rows that wait in a lane, also to be sent once more.
pub(super) fn waiting(session: &Session<'_>, backend: &str, lane: Lane) -> rusqlite::Result<i64> {
    const SQL: &str =
        "SELECT (SELECT count(*) FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns IS NOT NULL)
            + (SELECT count(*) FROM outbox WHERE backend = ?1 AND lane = ?2 AND again_at_ns IS NOT NULL)";
    session.prepare(SQL)?.query_row(params![backend, lane.as_str()], |row| row.get(0))
}

impl Reader {
    /// Standing of every backend that was ever asked, or that rows wait for.
    pub fn standings(&self) -> Result<Vec<Standing>, ReadError> {
        Ok(standings(&self.lock())?)
    }
}

/// The same, on a connection.
pub(super) fn standings(db: &Connection) -> rusqlite::Result<Vec<Standing>> {
    const SQL: &str = "SELECT coalesce(l.backend, w.backend), coalesce(l.lane, w.lane), coalesce(w.waiting, 0), w.oldest, w.due,
            coalesce(condition, 'delivering'), since_ns, not_before_ns, coalesce(failed_probes, 0), answered_at_ns,
            status, error, succeeded_at_ns FROM lane l FULL JOIN (
            SELECT backend, lane, sum(waiting) AS waiting, min(oldest) AS oldest, min(due) AS due FROM (
                SELECT backend, lane, count(*) AS waiting, min(created_at_ns) AS oldest, min(due_at_ns) AS due
                FROM outbox WHERE due_at_ns IS NOT NULL GROUP BY backend, lane
                UNION ALL
                SELECT backend, lane, count(*), min(created_at_ns), min(again_at_ns)
                FROM outbox WHERE again_at_ns IS NOT NULL GROUP BY backend, lane
            ) GROUP BY backend, lane
        ) w ON w.backend = l.backend AND w.lane = l.lane ORDER BY 1, 2 DESC";
    db.prepare_cached(SQL)?
        .query_map([], |row| {
            let time = |index| row.get::<_, Option<i64>>(index).map(|ns| ns.map(Timestamp::from_nanos));
            let (waiting, health): (i64, LaneHealth) = (row.get(2)?, health(row, 5)?);
            let due = time(4)?;
            Ok(Standing {
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
        })?
        .collect()
}
