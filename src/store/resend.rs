//! Sending the newest revision once more, where an older one may still be on its way.
//!
//! A request that timed out here may sit in some proxy and reach the backend after newer ones. A backend that replaces
//! whole records would then hold the old state for ever. So where such a backend accepts a revision while an older one
//! of the same subject has an attempt without a clear answer, the accepted one is sent once more, a while later.

use std::time::Duration;

use rusqlite::params;

use super::claim::{Claimed, not_found, time};
use super::outbox::{destination, frozen, subject};
use super::writer::Session;
use crate::domain::forwarding::Destination;
use crate::domain::lane::Lane;
use crate::domain::timestamp::Timestamp;

/// Wait before the newest revision is sent once more. Requests that come later than that are not known of.
const AGAIN_AFTER: Duration = Duration::from_secs(90);

/// Notes that a backend accepted a row: `again` where it had accepted the row before.
pub(super) fn accepted(session: &Session<'_>, row: i64, again: bool, now: Timestamp) -> rusqlite::Result<()> {
    // A mark says nothing about its deployment, but a deployment that is told whole may lose its mark.
    const OLDER: &str = "SELECT older.id, older.unknown, o.backend,
            (older.action IN ('mark', 'unmark')) = (o.action IN ('mark', 'unmark')),
            older.action IN ('mark', 'unmark')
        FROM outbox o JOIN outbox older ON older.backend = o.backend AND older.revision < o.revision
            AND (older.failure = o.failure OR older.deployment = o.deployment)
        WHERE o.id = ?1 AND (older.unknown > 0 OR older.again_at_ns IS NOT NULL OR older.suspect = 1)";
    const KNOWN: &str = "UPDATE outbox SET unknown = 0 WHERE id = ?1";
    const REPLACED: &str = "UPDATE outbox SET again_at_ns = NULL, suspect = 0 WHERE id = ?1";
    const AGAIN: &str = "UPDATE outbox SET again_at_ns = ?2 WHERE id = ?1";
    let mut statement = session.prepare(OLDER)?;
    let mut older = statement.query([row])?;
    let mut is_doubtful = false;
    while let Some(columns) = older.next()? {
        let (id, unknown, backend): (i64, i64, String) = (columns.get(0)?, columns.get(1)?, columns.get(2)?);
        let (is_same_kind, is_mark): (bool, bool) = (columns.get(3)?, columns.get(4)?);
        let replaces = destination(session, &backend).is_some_and(Destination::replaces_whole);
        if unknown > 0 && replaces && (is_same_kind || !is_mark) {
            is_doubtful = true;
            if again {
                session.execute(KNOWN, [id])?;
            }
        }
        if is_same_kind {
            session.execute(REPLACED, [id])?;
        }
    }
    if is_doubtful && !again {
        session.execute(AGAIN, params![row, now.saturating_add(AGAIN_AFTER).as_nanos()])?;
    }
    Ok(())
}

/// Notes that a backend refused for good to be sent once more what it had accepted: it may show an older state, and a
/// person has to look. The doubt stays, so a newer revision that is accepted is sent once more in its turn.
pub(super) fn refused(session: &Session<'_>, row: i64) -> rusqlite::Result<()> {
    const SQL: &str = "UPDATE outbox SET suspect = 1, last_error = 'could not be sent once more, so the backend may show \
        an older state: ' || coalesce(last_error, '') WHERE id = ?1";
    session.execute(SQL, [row]).map(drop)
}

/// Has a row that the backend accepted sent once more, now.
pub(super) fn again(session: &Session<'_>, row: i64, now: Timestamp) -> rusqlite::Result<()> {
    const SQL: &str =
        "UPDATE outbox SET again_at_ns = ?2, missing_since_ns = NULL, missing = 0 WHERE id = ?1";
    session.execute(SQL, params![row, now.as_nanos()]).map(drop)
}

/// Rows of a lane to be sent once more: in order for each subject, and only while nothing newer is to be sent.
pub(super) fn due(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Claimed>> {
    const DUE: &str =
        "SELECT o.id, f.failure_id, o.revision, o.attempts, o.taken, o.action, o.body, d.deployment_id,
            o.missing_since_ns, o.missing, o.failing_since_ns
        FROM outbox o LEFT JOIN failure f ON f.id = o.failure LEFT JOIN deployment d ON d.id = o.deployment
        WHERE o.backend = ?1 AND o.lane = ?2 AND o.again_at_ns <= ?3 AND NOT EXISTS (
            SELECT 1 FROM outbox other WHERE other.failure = o.failure AND other.backend = o.backend
            AND (other.revision > o.revision AND other.state IN ('pending', 'sent')
                OR other.revision < o.revision AND other.again_at_ns IS NOT NULL))
        AND NOT EXISTS (
            SELECT 1 FROM outbox other WHERE other.deployment = o.deployment AND other.backend = o.backend
            AND (other.revision > o.revision AND (other.state = 'pending' OR other.state = 'sent'
                    AND (other.action IN ('mark', 'unmark')) = (o.action IN ('mark', 'unmark')))
                OR other.revision < o.revision AND other.again_at_ns IS NOT NULL))
        ORDER BY o.again_at_ns, o.id LIMIT ?4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .prepare(DUE)?
        .query_map(params![backend, lane.as_str(), now.as_nanos(), limit], |row| {
            Ok(Claimed {
                row: row.get(0)?,
                subject: subject(row, 1, 7)?,
                revision: row.get(2)?,
                attempts: row.get(3)?,
                taken: row.get(4)?,
                frozen: frozen(row, 5)?,
                not_found: not_found(row, 8)?,
                failing_since: time(row, 10)?,
                is_again: true,
            })
        })?
        .collect()
}

/// Time at which the next row of a lane is to be sent once more.
pub(super) fn next_due_at(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    const NEXT: &str =
        "SELECT min(again_at_ns) FROM outbox WHERE backend = ?1 AND lane = ?2 AND again_at_ns > ?3";
    session.prepare(NEXT)?.query_row(params![backend, lane.as_str(), now.as_nanos()], |row| row.get(0))
}
