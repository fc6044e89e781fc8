//! Claiming: which rows of the outbox this process sends next.

use rusqlite::params;

use super::outbox::{frozen, subject};
use super::writer::Session;
use crate::domain::forwarding::{Frozen, Share, Subject};
use crate::domain::retry;
use crate::domain::timestamp::Timestamp;

/// A revision that this process may send now. Nobody else will, until what came of it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The outbox row.
    pub row: i64,
    /// What it is about.
    pub subject: Subject,
    /// Its revision.
    pub revision: i64,
    /// How often it was attempted before.
    pub attempts: u32,
    /// How many of its requests the backend has.
    pub taken: u32,
    /// What to send.
    pub frozen: Frozen,
}

/// What is due, and when to ask again where nothing changes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// What to send now.
    pub rows: Vec<Claimed>,
    /// When the next one that waits for its time is due.
    pub next_due_at: Option<Timestamp>,
}

/// Rows that are due, oldest first, none while an earlier revision of its failure, or deployment, is still to be sent.
pub(super) fn claim(
    session: &mut Session<'_>,
    backend: &str,
    now: Timestamp,
    limit: usize,
    share: Share,
) -> rusqlite::Result<Claim> {
    const DUE: &str =
        "SELECT o.id, f.failure_id, o.revision, o.attempts, o.taken, o.action, o.body, d.deployment_id
        FROM outbox o LEFT JOIN failure f ON f.id = o.failure LEFT JOIN deployment d ON d.id = o.deployment
        WHERE o.backend = ?1 AND o.due_at_ns <= ?2
        AND (?4 IS NULL OR (o.action IN ('delete', 'mark', 'unmark')) = ?4) AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.failure = o.failure
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)
        AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.deployment = o.deployment
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)
        ORDER BY o.due_at_ns, o.id LIMIT ?3";
    const ATTEMPT: &str = "UPDATE outbox SET attempts = attempts + 1, in_doubt = in_doubt + 1 WHERE id = ?1";
    const NEXT: &str = "SELECT min(due_at_ns) FROM outbox WHERE backend = ?1 AND due_at_ns > ?2";
    clamp(session, backend, now)?;
    let limit_with_claimed = i64::try_from(limit + session.claimed.len()).unwrap_or(i64::MAX);
    let needs_more = match share {
        Share::All => None,
        Share::Usual => Some(false),
        Share::WithMore => Some(true),
    };
    let mut statement = session.prepare(DUE)?;
    let due =
        statement.query_map(params![backend, now.as_nanos(), limit_with_claimed, needs_more], |row| {
            Ok(Claimed {
                row: row.get(0)?,
                subject: subject(row, 1, 7)?,
                revision: row.get(2)?,
                attempts: row.get(3)?,
                taken: row.get(4)?,
                frozen: frozen(row, 5)?,
            })
        })?;
    let mut rows = due.collect::<Result<Vec<_>, _>>()?;
    rows.retain(|claimed| !session.claimed.contains(&claimed.row));
    rows.truncate(limit);
    for claimed in &rows {
        // On the disk before it is sent: what may have reached the backend is never replaced in silence.
        session.execute(ATTEMPT, [claimed.row])?;
        session.claimed.insert(claimed.row);
    }
    let next: Option<i64> =
        session.prepare(NEXT)?.query_row(params![backend, now.as_nanos()], |row| row.get(0))?;
    Ok(Claim { rows, next_due_at: next.map(Timestamp::from_nanos) })
}

/// Has rows that are due farther ahead than any wait is long be due now: the clock was set back since.
fn clamp(session: &Session<'_>, backend: &str, now: Timestamp) -> rusqlite::Result<()> {
    const LATEST: &str = "SELECT max(due_at_ns) FROM outbox WHERE backend = ?1 AND due_at_ns IS NOT NULL";
    const CLAMP: &str = "UPDATE outbox SET due_at_ns = ?2 WHERE backend = ?1 AND due_at_ns > ?3";
    let longest_wait = retry::LONGEST_WAIT.max(session.settings.policy.settle);
    let horizon_ns = now.saturating_add(longest_wait).as_nanos();
    let latest: Option<i64> = session.prepare(LATEST)?.query_row([backend], |row| row.get(0))?;
    if latest > Some(horizon_ns) {
        session.execute(CLAMP, params![backend, now.as_nanos(), horizon_ns])?;
    }
    Ok(())
}
