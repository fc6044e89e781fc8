//! The column `failed` of deployments: listings find the failed ones by it.

use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// Updates `failed` of the deployments that were and are the cause of a changed failure.
pub(super) fn note(session: &Session<'_>, causes: [Option<i64>; 2]) -> sql::Result<()> {
    // Most changes of a failure change nothing here: then no row is written.
    const SQL: &str =
        "UPDATE stored_deployment SET failed = 1 - failed WHERE id = ?1 AND failed <> CASE WHEN EXISTS (
        SELECT 1 FROM failure WHERE cause = ?1 AND state IN ('open', 'completed')) THEN 1 ELSE 0 END";
    for cause in causes.into_iter().flatten() {
        session.run(SQL, params![cause])?;
    }
    Ok(())
}
