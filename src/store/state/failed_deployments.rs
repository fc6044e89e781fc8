//! The column `failed` of deployments: listings find the failed ones by it.

use crate::store::engine::session::Session;

/// Notes for a failure's cause, before and after a change of the failure, if it caused a failure that counts.
pub(super) fn note(session: &Session<'_>, causes: [Option<i64>; 2]) -> rusqlite::Result<()> {
    // Most changes of a failure change nothing here: then no row is written.
    const SQL: &str = "UPDATE deployment SET failed = NOT failed WHERE id = ?1 AND failed <> EXISTS (
        SELECT 1 FROM failure WHERE cause = ?1 AND state IN ('open', 'completed'))";
    for cause in causes.into_iter().flatten() {
        session.execute(SQL, [cause])?;
    }
    Ok(())
}
