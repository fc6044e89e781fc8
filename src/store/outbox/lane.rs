//! Health of each lane of a backend, as it is stored.

use crate::domain::lane::{BackendState, Lane, LaneHealth};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Row, params};

const COLUMNS: &str =
    "condition, since_ns, not_before_ns, failed_probes, answered_at_ns, status, error, succeeded_at_ns";

pub(in crate::store) fn health(row: &Row<'_>, first: usize) -> sql::Result<LaneHealth> {
    let time = |index: usize| row.get::<Option<i64>>(first + index).map(|ns| ns.map(Timestamp::from_nanos));
    let word = row.text(first)?;
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

pub(in crate::store) fn lane(row: &Row<'_>, column: usize) -> sql::Result<Lane> {
    let word = row.text(column)?;
    Lane::parse(word).ok_or_else(|| unknown_word(column, word))
}

/// Health of a lane, as an earlier process left it.
pub(in crate::store) fn load(session: &Session<'_>, backend: &str, lane: Lane) -> sql::Result<LaneHealth> {
    let sql = format!("SELECT {COLUMNS} FROM lane WHERE backend = ?1 AND lane = ?2");
    let found = session.db().one(&sql, params![backend, lane.as_str()], |row| health(row, 0))?;
    Ok(found.unwrap_or_default())
}

/// Saves the health of a lane.
pub(in crate::store) fn save(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    health: &LaneHealth,
) -> sql::Result<()> {
    const SQL: &str = "INSERT INTO lane VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (backend, lane) DO UPDATE SET condition = ?3, since_ns = ?4, not_before_ns = ?5,
        failed_probes = ?6, answered_at_ns = ?7, status = ?8, error = ?9, succeeded_at_ns = ?10";
    let ns = |time: Option<Timestamp>| time.map(Timestamp::as_nanos);
    let LaneHealth { state, since, not_before, failed_probes, answered_at, status, error, succeeded_at } =
        health;
    session
        .run(
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

/// Makes the next probe of a backend due now.
pub(in crate::store) fn request_retry(
    session: &mut Session<'_>,
    backend: &str,
    now: Timestamp,
) -> sql::Result<()> {
    const SQL: &str = "UPDATE lane SET not_before_ns = ?2 WHERE backend = ?1 AND not_before_ns > ?2";
    session.run(SQL, params![backend, now.as_nanos()])?;
    session.changes.retry_requests.insert(backend.to_owned());
    Ok(())
}

/// Number of rows that are made due in one transaction, so that nobody waits long for the writer.
const MADE_DUE_AT_A_TIME: u32 = if cfg!(test) { 2 } else { 1_000 };

/// Rows that were made due in one transaction.
pub(in crate::store) struct MadeDue {
    /// Their number.
    pub(in crate::store) rows: u64,
    /// `false` if these were all.
    pub(in crate::store) may_have_more: bool,
}

/// Makes the next rows of a lane due that wait because of failed attempts. Rows without an attempt wait for another reason.
/// Suspect rows go on waiting, unless `also_suspect` is set for a person who retries them.
pub(in crate::store) fn make_due(
    session: &mut Session<'_>,
    backend: &str,
    (lane, also_suspect): (Lane, bool),
    now: Timestamp,
) -> sql::Result<MadeDue> {
    const SQL: &str = "UPDATE outbox SET due_at_ns = ?3 WHERE id IN (SELECT id FROM outbox
        WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?3 AND attempts + refusals > 0 AND suspect <= ?4
        ORDER BY due_at_ns LIMIT ?5)";
    let rows = session
        .run(SQL, params![backend, lane.as_str(), now.as_nanos(), also_suspect, MADE_DUE_AT_A_TIME])?;
    session.changes.outbox_changed |= rows > 0;
    Ok(MadeDue { rows: rows as u64, may_have_more: rows == MADE_DUE_AT_A_TIME as usize })
}

/// Largest number of waiting rows that are counted in a transaction, so that nobody waits long for the writer. If a count
/// has this value, there may be more. They are counted in the order of the index, so that PostgreSQL does not read it as a
/// whole.
pub const MOST_COUNTED: u32 = if cfg!(test) { 8 } else { 10_000 };

/// Number of rows of a lane that are due, and wait because only probes are sent. At most [`MOST_COUNTED`].
pub(in crate::store) fn waiting_for_probe(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    now: Timestamp,
) -> sql::Result<u32> {
    const SQL: &str = "SELECT count(*) FROM (
        SELECT id FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns <= ?3
        AND EXISTS (SELECT 1 FROM lane WHERE lane.backend = ?1 AND lane.lane = ?2 AND not_before_ns IS NOT NULL)
        ORDER BY due_at_ns LIMIT ?4) due";
    session.db().only(SQL, params![backend, lane.as_str(), now.as_nanos(), MOST_COUNTED], |row| row.get(0))
}

/// The number of rows that wait in a lane, or `most` if there are more.
pub(in crate::store) fn waiting(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    most: u32,
) -> sql::Result<u32> {
    const SQL: &str = "SELECT count(*) FROM (
        SELECT id FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns IS NOT NULL
        ORDER BY due_at_ns LIMIT ?3) waiting";
    session.db().only(SQL, params![backend, lane.as_str(), most], |row| row.get(0))
}
