//! Events that are stored and not folded yet, in a table that all replicas share.

use super::connection::Connection;
use crate::store::engine::backlog::{Slice, Unfolded};
use crate::store::engine::sql::{Result, params};

/// Adds events that the open transaction has stored.
pub(super) fn add(db: &Connection, events: &[Unfolded]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> =
        events.iter().map(|Unfolded { subject_key, row }| format!("({row}, {subject_key})")).collect();
    // If a group is repeated after a commit without a clear answer, its events exist, and `events` is empty.
    db.batch(&format!("INSERT INTO unfolded VALUES {}", rows.join(", "))).map(drop)
}

/// The next events to fold, at most `wanted`. `None` if there are none. Called in a turn.
pub(in crate::store) fn next(db: &Connection, wanted: usize) -> Result<Option<Slice>> {
    const NEXT: &str = "SELECT subject_key, event FROM unfolded ORDER BY subject_key, event LIMIT ?1";
    let mut events = Vec::new();
    db.each(NEXT, params![i64::try_from(wanted).unwrap_or(i64::MAX)], |row| {
        events.push(Unfolded { subject_key: row.get(0)?, row: row.get(1)? });
        Ok(())
    })?;
    Ok((!events.is_empty()).then(|| Slice::of_table(events)))
}

/// Removes events that the open transaction has folded.
pub(in crate::store) fn remove(db: &Connection, slice: &Slice) -> Result<()> {
    let rows: Vec<String> = slice.events.iter().map(|unfolded| unfolded.row.to_string()).collect();
    db.batch(&format!("DELETE FROM unfolded WHERE event IN ({})", rows.join(", "))).map(drop)
}

/// All events up to this one are folded.
pub(in crate::store) fn folded_up_to(db: &Connection) -> Result<i64> {
    const FOLDED: &str =
        "SELECT coalesce((SELECT min(event) - 1 FROM unfolded), (SELECT max(id) FROM event), 0)";
    Ok(db.one(FOLDED, params![], |row| row.get(0))?.unwrap_or(0))
}

/// `true` if there are events to fold.
pub(in crate::store) fn has_any(db: &Connection) -> Result<bool> {
    const ANY: &str = "SELECT EXISTS (SELECT 1 FROM unfolded)";
    Ok(db.one(ANY, params![], |row| row.get(0))?.unwrap_or(false))
}

/// Number of events to fold.
pub(in crate::store) fn count(db: &Connection) -> Result<i64> {
    const COUNT: &str = "SELECT count(*) FROM unfolded";
    Ok(db.one(COUNT, params![], |row| row.get(0))?.unwrap_or(0))
}
