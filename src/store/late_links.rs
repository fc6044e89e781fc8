//! Beginning to keep links: those of the failures that were there before.
//!
//! Backends are told nothing of them, because that is past. But what changes from now on meets them: a deployment that
//! an old failure links to keeps its mark.

use rusqlite::{Connection, params};

use super::blame;
use super::stored_failure::{self, details};
use super::writer::Session;
use crate::domain::failure::Evaluated;

/// So many failures in one transaction, so that memory stays small and a crash loses little.
const AT_A_TIME: u32 = 200;

/// `true` if linking has begun. Then it goes on, also without a backend that is told of marks: the links that are
/// kept must stay true.
pub(super) fn is_begun(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM linked)", [], |row| row.get(0))
}

/// `true` if every failure from before is linked.
pub(super) fn is_done(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM linked WHERE up_to IS NULL)", [], |row| row.get(0))
}

/// Links some more of them; after the last, remembers that those were all.
pub(super) fn link_some(session: &mut Session<'_>) -> rusqlite::Result<()> {
    const UP_TO: &str = "SELECT coalesce(max(up_to), 0) FROM linked";
    const NEXT: &str = "SELECT id, evaluated, details FROM failure WHERE id > ?1 AND state IS NOT NULL
        ORDER BY id LIMIT ?2";
    const REMEMBER: &str = "INSERT INTO linked VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET up_to = ?1";
    let up_to: i64 = session.prepare(UP_TO)?.query_row([], |row| row.get(0))?;
    let mut statement = session.prepare(NEXT)?;
    let failures = statement.query_map(params![up_to, AT_A_TIME], |row| {
        let failure = stored_failure::failure(row.get_ref(1)?.as_str()?)?;
        Ok((row.get(0)?, Evaluated { failure, details: details(row.get_ref(2)?.as_str_or_null()?)? }))
    })?;
    let failures: Vec<(i64, Evaluated)> = failures.collect::<Result<_, _>>()?;
    for (row, evaluated) in &failures {
        blame::failure_saved(session, *row, Some(evaluated), evaluated.failure.started_at)?;
    }
    session.affected.clear();
    let up_to = failures.last().filter(|_| failures.len() == AT_A_TIME as usize).map(|(row, _)| *row);
    session.execute(REMEMBER, [up_to]).map(drop)
}
