//! Claiming: which rows of the outbox this process sends next.

use rusqlite::{Row, params};

use super::outbox::{frozen, subject};
use super::resend;
use super::writer::Session;
use crate::domain::forwarding::{Frozen, Subject};
use crate::domain::lane::Lane;
use crate::domain::retry::{self, NotFound};
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
    /// Its last answers, where they were all 404 or 405.
    pub not_found: NotFound,
    /// Time of the first failure of its present run of failures; `None`: the last attempt did not fail, or there was
    /// none.
    pub failing_since: Option<Timestamp>,
    /// `true` if the backend accepted it before, and it is sent once more.
    pub is_again: bool,
}

/// Rows to choose from those that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Rows that are due longest; suspect ones only if no other is due.
    All,
    /// One that shows how the backend does: never a suspect row, or the row of the last probe, while another is due.
    Probe {
        /// `true`: the newest of the rows that have not failed, if there is one; else the row that is due longest.
        newest: bool,
        /// Row of the last probe that failed.
        last: Option<i64>,
    },
}

/// Rows that are due, and the time to ask again if nothing changes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// Rows to send now.
    pub rows: Vec<Claimed>,
    /// Time at which the next row that waits is due.
    pub next_due_at: Option<Timestamp>,
}

/// Rows of a lane that are due, none while an earlier revision of its failure, or deployment, is still to
/// be sent.
pub(super) fn claim(
    session: &mut Session<'_>,
    backend: &str,
    lane: Lane,
    (choice, limit): (Choice, usize),
    now: Timestamp,
) -> rusqlite::Result<Claim> {
    const ATTEMPT: &str = "UPDATE outbox SET attempts = attempts + 1, in_doubt = in_doubt + 1,
        unknown = unknown + 1 WHERE id = ?1";
    const NEXT: &str =
        "SELECT min(due_at_ns) FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?3";
    clamp(session, backend, lane, now)?;
    let limit_with_claimed = limit + session.claimed.len();
    let mut rows: Vec<Claimed> = Vec::new();
    for source in sources(choice) {
        if rows.len() >= limit {
            break;
        }
        let found = match source {
            Source::Due(which) => due(session, backend, lane, which, now, limit_with_claimed)?,
            Source::Again => resend::due(session, backend, lane, now, limit_with_claimed)?,
        };
        for claimed in found {
            let is_known = rows.iter().any(|known| known.row == claimed.row);
            if !is_known && !session.claimed.contains(&claimed.row) {
                rows.push(claimed);
            }
        }
    }
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

/// Some of the rows that are due.
enum Source {
    /// Rows to be sent: a condition and an order.
    Due(Which),
    /// Rows to be sent once more.
    Again,
}

/// A condition on rows, and their order.
struct Which {
    condition: &'static str,
    order: &'static str,
    /// A row that is left out.
    but: Option<i64>,
}

/// Rows to choose from, the best ones first.
fn sources(choice: Choice) -> Vec<Source> {
    const LONGEST_DUE: &str = "o.due_at_ns, o.id";
    const NEWEST: &str = "o.due_at_ns DESC, o.id DESC";
    let due = |condition, order, but| Source::Due(Which { condition, order, but });
    match choice {
        Choice::All => {
            vec![
                due("o.suspect = 0", LONGEST_DUE, None),
                Source::Again,
                due("o.suspect = 1", LONGEST_DUE, None),
            ]
        }
        Choice::Probe { newest, last } => {
            let newest = newest.then(|| due("o.suspect = 0 AND o.failing_since_ns IS NULL", NEWEST, last));
            let others = [
                due("o.suspect = 0", LONGEST_DUE, last),
                Source::Again,
                due("o.suspect = 1", LONGEST_DUE, last),
                due("TRUE", LONGEST_DUE, None),
            ];
            newest.into_iter().chain(others).collect()
        }
    }
}

/// Rows whose time has come and that nothing holds back.
fn due(
    session: &Session<'_>,
    backend: &str,
    lane: Lane,
    Which { condition, order, but }: Which,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Claimed>> {
    const DUE: &str =
        "SELECT o.id, f.failure_id, o.revision, o.attempts, o.taken, o.action, o.body, d.deployment_id,
            o.missing_since_ns, o.missing, o.failing_since_ns, coalesce(
            (SELECT max(id) FROM outbox earlier WHERE earlier.failure = o.failure
                AND earlier.backend = o.backend AND earlier.again_at_ns IS NOT NULL),
            (SELECT max(id) FROM outbox earlier WHERE earlier.deployment = o.deployment
                AND earlier.backend = o.backend AND earlier.again_at_ns IS NOT NULL))
        FROM outbox o LEFT JOIN failure f ON f.id = o.failure LEFT JOIN deployment d ON d.id = o.deployment
        WHERE o.backend = ?1 AND o.lane = ?2 AND o.due_at_ns <= ?3 AND o.id IS NOT ?5 AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.failure = o.failure
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)
        AND NOT EXISTS (
            SELECT 1 FROM outbox earlier WHERE earlier.deployment = o.deployment
            AND earlier.backend = o.backend AND earlier.state = 'pending' AND earlier.revision < o.revision)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = session.prepare(&format!("{DUE} AND {condition} ORDER BY {order} LIMIT ?4"))?;
    let mut due = statement.query(params![backend, lane.as_str(), now.as_nanos(), limit, but])?;
    let mut rows = Vec::new();
    while let Some(row) = due.next()? {
        // One request of a subject at a time, also of those that are sent once more.
        let sent_again: Option<i64> = row.get(11)?;
        if sent_again.is_some_and(|row| session.claimed.contains(&row)) {
            continue;
        }
        rows.push(Claimed {
            row: row.get(0)?,
            subject: subject(row, 1, 7)?,
            revision: row.get(2)?,
            attempts: row.get(3)?,
            taken: row.get(4)?,
            frozen: frozen(row, 5)?,
            not_found: not_found(row, 8)?,
            failing_since: time(row, 10)?,
            is_again: false,
        });
    }
    Ok(rows)
}

/// The time in this column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_nanos))
}

/// The 404s and 405s in this column and the next.
pub(super) fn not_found(row: &Row<'_>, column: usize) -> rusqlite::Result<NotFound> {
    Ok(NotFound { since: time(row, column)?, times: row.get(column + 1)? })
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
