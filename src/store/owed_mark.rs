//! Changes of deployments' marks while a backend that knows some was not told of any.
//!
//! The backend is told once it is told of marks again, because it would keep a mark that is not true any more.
//! Marks that it does not know are past.

use rusqlite::params;

use super::writer::Session;
use crate::domain::timestamp::Timestamp;

/// So many deployments in one transaction, so that nobody waits long for the writer.
const AT_A_TIME: u32 = 200;

/// Remembers who knows a mark of a deployment that may have changed, and is not told of that now.
pub(super) fn owe(session: &Session<'_>, deployment: i64) -> rusqlite::Result<()> {
    const KNOWN_TO: &str = "SELECT DISTINCT backend FROM outbox
        WHERE deployment = ?1 AND action IN ('mark', 'unmark') AND state <> 'superseded'";
    const OWE: &str = "INSERT INTO owed_mark VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let mut statement = session.prepare(KNOWN_TO)?;
    let mut known_to = statement.query([deployment])?;
    while let Some(row) = known_to.next()? {
        let backend = row.get_ref(0)?.as_str()?;
        let mut destinations = session.settings.destinations.iter();
        if !destinations.any(|destination| destination.takes_marks() && destination.name() == backend) {
            session.execute(OWE, params![backend, deployment])?;
        }
    }
    Ok(())
}

/// Has some of that looked at again for a backend that is told of marks (again). Returns whether there was any.
pub(super) fn make_up(session: &mut Session<'_>, backend: &str, now: Timestamp) -> rusqlite::Result<bool> {
    const OWED: &str = "SELECT deployment FROM owed_mark WHERE backend = ?1 LIMIT ?2";
    const FORGET: &str = "DELETE FROM owed_mark WHERE backend = ?1 AND deployment = ?2";
    let mut statement = session.prepare(OWED)?;
    let owed = statement.query_map(params![backend, AT_A_TIME], |row| row.get(0))?;
    let owed: Vec<i64> = owed.collect::<Result<_, _>>()?;
    for deployment in &owed {
        session.execute(FORGET, params![backend, deployment])?;
        session.affect(Some(*deployment), now);
    }
    Ok(!owed.is_empty())
}
