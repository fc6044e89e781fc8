//! Commands of people for a group of rows: those of one backend with the same answer.

use super::commands::{CommandTotals, READ_AT_A_TIME, RowCommand, apply_in_time};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Db, Row, params};

/// Kind of rows that need a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// The backend rejected them.
    Dead,
    /// They still wait, but may never be accepted.
    Suspect,
}

/// Rows of one kind and one backend, which have the same last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// The backend.
    pub backend: String,
    /// Kind of the rows.
    pub kind: GroupKind,
    /// Status of their last answer, if there was one.
    pub last_status: Option<u16>,
    /// Their last error.
    pub last_error: Option<String>,
}

impl GroupKind {
    /// Both kinds.
    pub(in crate::store) const ALL: [Self; 2] = [Self::Dead, Self::Suspect];

    /// Word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Suspect => "suspect",
        }
    }

    /// Condition by which the rows are found, through an index that has these rows only.
    pub(in crate::store) const fn condition(self) -> &'static str {
        match self {
            Self::Dead => "o.state = 'dead'",
            Self::Suspect => "o.suspect = 1",
        }
    }
}

impl RowGroup {
    /// The group in these four columns. The second one is `true` for dead rows.
    pub(in crate::store) fn of_columns(row: &Row<'_>) -> sql::Result<Self> {
        Ok(Self {
            backend: row.get(0)?,
            kind: if row.get(1)? { GroupKind::Dead } else { GroupKind::Suspect },
            last_status: row.get(2)?,
            last_error: row.get(3)?,
        })
    }
}

/// Applies a command to the next rows of a group, after the row `after`. Returns their number, and the row to continue
/// after; `None` if there are no more.
pub(in crate::store) fn apply_to_group(
    session: &mut Session<'_>,
    group: &RowGroup,
    command: RowCommand,
    after: i64,
    now: Timestamp,
) -> sql::Result<(CommandTotals, Option<i64>)> {
    let sql = format!(
        "SELECT o.id FROM outbox o WHERE {} AND o.backend = ?1 AND o.last_status IS NOT DISTINCT FROM ?2
        AND o.last_error IS NOT DISTINCT FROM ?3 AND o.id > ?4 ORDER BY o.id LIMIT ?5",
        group.kind.condition()
    );
    let rows: Vec<i64> = session.db().all(
        &sql,
        params![group.backend, group.last_status, group.last_error, after, READ_AT_A_TIME],
        |row| row.get(0),
    )?;
    let (total, handled) = apply_in_time(session, rows.iter().copied(), command, now)?;
    Ok((total, rows[..handled].last().copied()))
}

/// The group of a row that needs a person. `None` if the row does not, or does not exist.
pub(in crate::store) fn group_of(db: &Db, row: i64) -> sql::Result<Option<RowGroup>> {
    const SQL: &str = "SELECT backend, state = 'dead', last_status, last_error FROM outbox
        WHERE id = ?1 AND (state = 'dead' OR suspect = 1)";
    db.one(SQL, params![row], RowGroup::of_columns)
}
