//! Claiming: which rows of the outbox this process sends next.

use rusqlite::params;

use super::outbox::{frozen, subject};
use super::resend;
use super::writer::Session;
use crate::domain::forwarding::{Frozen, Subject};
use crate::domain::lane::Lane;
use crate::domain::retry;
use crate::domain::timestamp::Timestamp;

/// A revision that this process may send now. Nobody else will, until what came of it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The outbox row.
    pub row: i64,
    /// Failure or deployment that the row is about.
    pub subject: Subject,
    /// Its revision.
    pub revision: i64,
    /// Number of earlier attempts.
    pub attempts: u32,
    /// Number of its requests that the backend has.
    pub taken: u32,
    /// Content to send.
    pub frozen: Frozen,
    /// Time of the first 404 or 405; `None`: there was none.
    pub not_found_since: Option<Timestamp>,
}

/// Rows that are due, and the time to ask again if nothing changes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// Rows to send now.
    pub rows: Vec<Claimed>,
    /// Time at which the next row that waits is due.
    pub next_due_at: Option<Timestamp>,
}

/// Rows of a lane that are due, oldest first, none while an earlier revision of its failure, or deployment, is still to
/// be sent.
pub(super) fn claim(
    session: &mut Session<'_>,
    backend: &str,
    lane: Lane,
    limit: usize,
    now: Timestamp,
) -> rusqlite::Result<Claim> {
    const ATTEMPT: &str = "UPDATE outbox SET attempts = attempts + 1, in_doubt = in_doubt + 1,
        unknown = unknown + 1 WHERE id = ?1";
    const NEXT: &str =
        "SELECT min(due_at_ns) FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?3";
    clamp(session, backend, lane, now)?;
    let limit_with_claimed = limit + session.claimed.len();
    let mut rows = due(session, backend, lane, now, limit_with_claimed)?;
    if rows.len() < limit_with_claimed {
        rows.extend(resend::due(session, backend, lane, now, limit_with_claimed - rows.len())?);
    }
    rows.retain(|claimed| !session.claimed.contains(&claimed.row));
    rows.truncate(limit);
    for claimed in &rows {
        // On the disk before it is sent: what may have reached the backend is never replaced in silence.
        session.execute(ATTEMPT, [claimed.row])?;
        session.claimed.insert(claimed.row);
    }
    let params = params![backend, lane.as_str(), now.as_nanos()];
    let next: Option<i64> = session.prepare(NEXT)?.query_row(params, |row| row.get(0))?;
    let next_again = resend::next_due_at(session, backend, lane, now)?;
    let next = next.into_iter().chain(next_again).min();
    Ok(Claim { rows, next_due_at: next.map(Timestamp::from_nanos) })
}

/// Rows whose time has come and that nothing holds back.
fn due(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Claimed>> {
    const DUE: &str =
        "SELECT o.id, f.failure_id, o.revision, o.attempts, o.taken, o.action, o.body, d.deployment_id,
            o.missing_since_ns, coalesce(
            (SELECT max(id) FROM outbox earlier WHERE earlier.failure = o.failure
                AND earlier.backend = o.backend AND earlier.again_at_ns IS NOT NULL),
            (SELECT max(id) FROM outbox earlier WHERE earlier.deployment = o.deployment
                AND earlier.backend = o.backend AND earlier.again_at_ns IS NOT NULL))
        FROM outbox o LEFT JOIN failure f ON f.id = o.failure LEFT JOIN deployment d ON d.id = o.deployment
        WHERE o.backend = ?1 AND o.lane = ?2 AND o.due_at_ns <= ?3 AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.failure = o.failure
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)
        AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.deployment = o.deployment
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)
        ORDER BY o.due_at_ns, o.id LIMIT ?4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = session.prepare(DUE)?;
    let mut due = statement.query(params![backend, lane.as_str(), now.as_nanos(), limit])?;
    let mut rows = Vec::new();
    while let Some(row) = due.next()? {
        // One request of a subject at a time, also of those that are sent once more.
        let sent_again: Option<i64> = row.get(9)?;
        if sent_again.is_some_and(|row| session.claimed.contains(&row)) {
            continue;
        }
        let not_found_since: Option<i64> = row.get(8)?;
        rows.push(Claimed {
            row: row.get(0)?,
            subject: subject(row, 1, 7)?,
            revision: row.get(2)?,
            attempts: row.get(3)?,
            taken: row.get(4)?,
            frozen: frozen(row, 5)?,
            not_found_since: not_found_since.map(Timestamp::from_nanos),
        });
    }
    Ok(rows)
}

/// Has rows that are due farther ahead than any wait is long be due now: the clock was set back since.
fn clamp(session: &Session<'_>, backend: &str, lane: Lane, now: Timestamp) -> rusqlite::Result<()> {
    const COLUMNS: [(&str, &str); 2] = [
        (
            "SELECT max(due_at_ns) FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns IS NOT NULL",
            "UPDATE outbox SET due_at_ns = ?3 WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?4",
        ),
        (
            "SELECT max(again_at_ns) FROM outbox WHERE backend = ?1 AND lane = ?2 AND again_at_ns IS NOT NULL",
            "UPDATE outbox SET again_at_ns = ?3 WHERE backend = ?1 AND lane = ?2 AND again_at_ns > ?4",
        ),
    ];
    let longest_wait = retry::LONGEST_WAIT.max(session.settings.policy.settle);
    let horizon_ns = now.saturating_add(longest_wait).as_nanos();
    for (latest, clamp) in COLUMNS {
        let latest: Option<i64> =
            session.prepare(latest)?.query_row(params![backend, lane.as_str()], |row| row.get(0))?;
        if latest > Some(horizon_ns) {
            session.execute(clamp, params![backend, lane.as_str(), now.as_nanos(), horizon_ns])?;
        }
    }
    Ok(())
}
