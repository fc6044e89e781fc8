//! Rows of the outbox that need a person, grouped by backend and answer.

use super::reader::Reader;
use crate::domain::forwarding::Subject;
use crate::domain::id::FailureId;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::outbox::group_commands::{GroupKind, RowGroup, group_of};
use crate::store::outbox::rows::subject;
use crate::store::state::failure::FailureRow;

/// A group of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its backend, kind and answer.
    pub group: RowGroup,
    /// Number of its rows.
    pub rows: i64,
    /// Time at which its oldest row was made.
    pub oldest_at: Timestamp,
    /// Its first row, as an example.
    pub example: i64,
    /// Subject of that row.
    pub subject: Subject,
}

/// A dead row of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRow {
    /// The row.
    pub id: i64,
    /// Its backend.
    pub backend: String,
    /// Its revision.
    pub revision: i64,
}

impl Reader {
    /// The groups of dead and of suspect rows, of one backend or of all, the largest first; at most `limit`.
    pub fn outbox_groups(&self, backend: Option<&str>, limit: usize) -> Result<Vec<ListedGroup>, ReadError> {
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let mut groups = Vec::new();
        for kind in GroupKind::ALL {
            groups.extend(groups_in(&db, kind, backend, limit)?);
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.rows));
        groups.truncate(limit);
        Ok(groups)
    }

    /// The group of a row, with the number of its rows. `None` if the row needs no attention, or does not exist.
    pub fn outbox_group_of(&self, row: i64) -> Result<Option<ListedGroup>, ReadError> {
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let Some(group) = group_of(&db, row)? else { return Ok(None) };
        let condition = "o.last_status IS NOT DISTINCT FROM ?3 AND o.last_error IS NOT DISTINCT FROM ?4";
        let sql = grouped(group.kind, condition);
        Ok(db.one(&sql, params![group.backend, 1_i64, group.last_status, group.last_error], listed)?)
    }

    /// The dead rows of a failure, oldest first.
    pub fn dead_rows(&self, failure: &FailureId) -> Result<Vec<DeadRow>, ReadError> {
        const SQL: &str =
            "SELECT id, backend, revision FROM outbox WHERE failure = ?1 AND state = 'dead' ORDER BY id";
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let Some(row) = FailureRow::load(&db, failure)?.and_then(|row| row.id) else { return Ok(Vec::new()) };
        Ok(db.all(SQL, params![row], |row| {
            Ok(DeadRow { id: row.get(0)?, backend: row.get(1)?, revision: row.get(2)? })
        })?)
    }
}

fn groups_in(db: &Db, kind: GroupKind, backend: Option<&str>, limit: usize) -> sql::Result<Vec<ListedGroup>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.all(&grouped(kind, "true"), params![backend, limit], listed)
}

/// Groups of the rows of this kind that meet a condition, the largest first.
fn grouped(kind: GroupKind, condition: &str) -> String {
    let is_of_kind = kind.condition();
    format!(
        "SELECT g.*, failure_id, deployment_id FROM (
            SELECT o.backend, o.state = 'dead', o.last_status, o.last_error, count(*) AS number, min(o.created_at_ns), min(o.id) AS first
            FROM outbox o WHERE {is_of_kind} AND (CAST(?1 AS TEXT) IS NULL OR o.backend = ?1) AND {condition}
            GROUP BY o.backend, o.state, o.last_status, o.last_error ORDER BY number DESC, first LIMIT ?2
        ) g JOIN outbox o ON o.id = g.first
            LEFT JOIN failure f ON f.id = o.failure LEFT JOIN stored_deployment d ON d.id = o.deployment"
    )
}

fn listed(row: &Row<'_>) -> sql::Result<ListedGroup> {
    Ok(ListedGroup {
        group: RowGroup::of_columns(row)?,
        rows: row.get(4)?,
        oldest_at: Timestamp::from_nanos(row.get(5)?),
        example: row.get(6)?,
        subject: subject(row, 7, 8)?,
    })
}
