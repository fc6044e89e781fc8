//! Claiming: choosing the rows of the outbox that this process sends next.

use super::rows::{prepared, subject};
use crate::domain::forwarding::{PreparedRequest, Subject};
use crate::domain::lane::Lane;
use crate::domain::retry::{self, NotFound};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Row, params};

/// A row that this process may send now. Nobody else sends it until the outcome is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The outbox row.
    pub row: i64,
    /// Failure or deployment that the row is about.
    pub subject: Subject,
    /// Its revision.
    pub revision: i64,
    /// Epoch of the claim. Its outcome counts only while no other process has claimed the row.
    pub epoch: i64,
    /// Number of earlier attempts.
    pub attempts: u32,
    /// Number of requests of this revision that the backend has accepted.
    pub taken: u32,
    /// Content to send.
    pub prepared: PreparedRequest,
    /// Count of the 404 and 405 answers at the end of its attempts.
    pub not_found: NotFound,
    /// Start of the failed attempts at the end of its attempts. `None` if the last attempt did not fail, or there was
    /// none.
    pub failing_since: Option<Timestamp>,
    /// `true` if it sends a revision a second time that the backend accepted before.
    pub repeats: bool,
}

/// Choice among the due rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOrder {
    /// The rows that have been due for the longest time. Suspect rows only if no other row is due.
    All,
    /// One row as a probe. A suspect row, or the row of the last probe, only if no other row is due.
    Probe {
        /// `true` to choose the newest of the rows that have not failed, if there is one. Else the row that is due
        /// longest.
        newest: bool,
        /// Row of the last probe that failed.
        last: Option<i64>,
    },
}

/// Claimed rows, and the time for the next claim if nothing changes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// Rows to send now.
    pub rows: Vec<Claimed>,
    /// Time at which the next row that waits is due.
    pub next_due_at: Option<Timestamp>,
}

/// Frees the rows of a backend that this process has claimed, and returns the epoch for new claims. `before`: epoch of its
/// last claims. On PostgreSQL claims end with their epoch, so if the lease still has that epoch it is given back, and the
/// result is `None` until it is taken again. Also `None` while another replica sends.
pub(in crate::store) fn begin(
    session: &Session<'_>,
    backend: &str,
    before: Option<i64>,
) -> sql::Result<Option<i64>> {
    const FREE: &str = "UPDATE outbox SET claimed_by = NULL
        WHERE backend = ?1 AND due_at_ns IS NOT NULL AND claimed_by = ?2";
    let epoch = session.own_epoch(backend)?;
    if session.has_leases() {
        // All claims end with their epoch. To look for them would take too long for a turn when many rows wait.
        if epoch.is_some() && epoch == before {
            session.release_lease(backend)?;
            return Ok(None);
        }
    } else if let Some(epoch) = epoch {
        session.run(FREE, params![backend, epoch])?;
    }
    Ok(epoch)
}

/// Claims due rows of a lane. A row waits while an earlier revision of its failure or deployment is still to be sent.
pub(in crate::store) fn claim(
    session: &mut Session<'_>,
    (backend, epoch): (&str, i64),
    lane: Lane,
    (choice, limit): (ClaimOrder, usize),
    now: Timestamp,
) -> sql::Result<Claim> {
    const ATTEMPT: &str = "UPDATE outbox SET attempts = attempts + 1, in_doubt = in_doubt + 1,
        unknown = unknown + 1, claimed_by = ?2 WHERE id = ?1";
    const NEXT: &str = "SELECT due_at_ns FROM outbox WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?3
        ORDER BY due_at_ns LIMIT 1";
    if session.own_epoch(backend)? != Some(epoch) {
        // Rows of an epoch that is over may be under way in this process, and are free in the next one.
        return Ok(Claim::default());
    }
    clamp(session, backend, lane, now)?;
    let mut rows: Vec<Claimed> = Vec::new();
    for query in selections(choice) {
        if rows.len() < limit {
            for claimed in due(session, (backend, epoch), lane, &query, now, limit)? {
                if !rows.iter().any(|known| known.row == claimed.row) {
                    rows.push(claimed);
                }
            }
        }
    }
    rows.truncate(limit);
    for claimed in &rows {
        // Counted on the disk before the request is sent: a row that may have reached the backend is never silently
        // replaced.
        session.run(ATTEMPT, params![claimed.row, epoch])?;
    }
    let next: Option<i64> =
        session.db().one(NEXT, params![backend, lane.as_str(), now.as_nanos()], |row| row.get(0))?;
    Ok(Claim { rows, next_due_at: next.map(Timestamp::from_nanos) })
}

/// Undoes the claim of a row that is not sent. If the claim is not valid any more, nothing changes: an attempt that never
/// began then counts as one that the backend may have.
pub(in crate::store) fn give_back(session: &Session<'_>, row: i64, epoch: i64) -> sql::Result<()> {
    const GIVE_BACK: &str = "UPDATE outbox SET claimed_by = NULL, attempts = attempts - 1,
        in_doubt = in_doubt - 1, unknown = unknown - 1 WHERE id = ?1 AND claimed_by = ?2";
    session.run(GIVE_BACK, params![row, epoch]).map(drop)
}

/// A condition on rows, and their order.
struct ClaimQuery {
    condition: &'static str,
    order: &'static str,
    /// A row that is left out.
    except: Option<i64>,
}

/// Queries for the rows to choose from. Rows of an earlier query are preferred.
fn selections(choice: ClaimOrder) -> Vec<ClaimQuery> {
    const LONGEST_DUE: &str = "o.due_at_ns, o.id";
    const NEWEST: &str = "o.due_at_ns DESC, o.id DESC";
    let query = |condition, order, except| ClaimQuery { condition, order, except };
    match choice {
        ClaimOrder::All => {
            vec![query("o.suspect = 0", LONGEST_DUE, None), query("o.suspect = 1", LONGEST_DUE, None)]
        }
        ClaimOrder::Probe { newest, last } => {
            let newest = newest.then(|| query("o.suspect = 0 AND o.failing_since_ns IS NULL", NEWEST, last));
            let others = [
                query("o.suspect = 0", LONGEST_DUE, last),
                query("o.suspect = 1", LONGEST_DUE, last),
                query("TRUE", LONGEST_DUE, None),
            ];
            newest.into_iter().chain(others).collect()
        }
    }
}

impl ClaimQuery {
    /// Due rows that no earlier revision holds back. `IS TRUE`: see [`engine::sql`](sql).
    fn sql(&self) -> String {
        const DUE: &str =
            "SELECT o.id, f.failure_id, o.revision, o.attempts, o.taken, o.action, o.body, d.deployment_id,
                o.missing_since_ns, o.missing, o.failing_since_ns, o.repeats
            FROM outbox o LEFT JOIN failure f ON f.id = o.failure LEFT JOIN stored_deployment d ON d.id = o.deployment
            WHERE o.backend = ?1 AND o.lane = ?2 AND o.due_at_ns <= ?3 AND (CAST(?5 AS BIGINT) IS NULL OR o.id <> ?5)
            AND (o.claimed_by IS NULL OR o.claimed_by <> ?6)
            AND NOT EXISTS (SELECT 1 FROM outbox earlier WHERE earlier.failure = o.failure
                AND (earlier.backend = o.backend AND earlier.state = 'pending') IS TRUE
                AND (earlier.revision, earlier.id) < (o.revision, o.id))
            AND NOT EXISTS (SELECT 1 FROM outbox earlier WHERE earlier.deployment = o.deployment
                AND (earlier.backend = o.backend AND earlier.state = 'pending') IS TRUE
                AND (earlier.revision, earlier.id) < (o.revision, o.id))";
        let Self { condition, order, .. } = self;
        format!("{DUE} AND {condition} ORDER BY {order} LIMIT ?4")
    }
}

/// Chooses rows that are due.
fn due(
    session: &Session<'_>,
    (backend, epoch): (&str, i64),
    lane: Lane,
    query: &ClaimQuery,
    now: Timestamp,
    limit: usize,
) -> sql::Result<Vec<Claimed>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session.db().all(
        &query.sql(),
        params![backend, lane.as_str(), now.as_nanos(), limit, query.except, epoch],
        |row| {
            Ok(Claimed {
                row: row.get(0)?,
                subject: subject(row, 1, 7)?,
                revision: row.get(2)?,
                epoch,
                attempts: row.get(3)?,
                taken: row.get(4)?,
                prepared: prepared(row, 5)?,
                not_found: NotFound { since: time(row, 8)?, times: row.get(9)? },
                failing_since: time(row, 10)?,
                repeats: row.get(11)?,
            })
        },
    )
}

/// The time in this column.
fn time(row: &Row<'_>, column: usize) -> sql::Result<Option<Timestamp>> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_nanos))
}

/// Number of rows that are made due in one transaction, so that nobody waits long for the writer.
const CLAMPED_AT_A_TIME: u32 = if cfg!(test) { 2 } else { 1_000 };

/// Makes rows due now whose time is farther ahead than the longest wait. This happens after the clock was set back. If
/// there are many, the next claims go on.
fn clamp(session: &Session<'_>, backend: &str, lane: Lane, now: Timestamp) -> sql::Result<()> {
    const LATEST: &str = "SELECT due_at_ns FROM outbox
        WHERE backend = ?1 AND lane = ?2 AND due_at_ns IS NOT NULL ORDER BY due_at_ns DESC LIMIT 1";
    const CLAMP: &str = "UPDATE outbox SET due_at_ns = ?3 WHERE id IN (SELECT id FROM outbox
        WHERE backend = ?1 AND lane = ?2 AND due_at_ns > ?4 ORDER BY due_at_ns LIMIT ?5)";
    let longest_wait = retry::LONGEST_WAIT.max(session.settings.policy.settle);
    let horizon_ns = now.saturating_add(longest_wait).as_nanos();
    let latest: Option<i64> = session.db().one(LATEST, params![backend, lane.as_str()], |row| row.get(0))?;
    if latest > Some(horizon_ns) {
        session.run(CLAMP, params![backend, lane.as_str(), now.as_nanos(), horizon_ns, CLAMPED_AT_A_TIME])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::open_store::open_to_write;
    use crate::store::engine::sqlite::plan::plan;

    /// After `outbox retry --all`, all rows have the same time.
    #[test]
    fn rows_that_are_due_at_the_same_time_are_not_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        let probe = ClaimOrder::Probe { newest: true, last: Some(1) };
        for query in [ClaimOrder::All, probe].into_iter().flat_map(selections) {
            let plan = plan(&db, &query.sql());
            assert!(plan.contains("outbox_due") && !plan.contains("ORDER BY"), "{}\n{plan}", query.sql());
        }
    }
}
