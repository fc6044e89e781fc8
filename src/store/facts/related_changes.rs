//! The `related_changes` table: the changes that the source of an incident relates to it, asked for once.

use super::subject_key::failure_key;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::related_change::RelatedChange;
use crate::store::engine::json::{from_json, to_json};
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Db, params};

/// Saves the changes that are related to an incident, unless some are saved already. `None`: the source does not tell.
/// No failure changes.
pub(in crate::store) fn save(
    session: &Session<'_>,
    incident: &IncidentId,
    changes: Option<&[RelatedChange]>,
) -> sql::Result<()> {
    const SQL: &str = "INSERT INTO related_changes (failure, changes)
        SELECT id, ?3 FROM failure WHERE failure_key = ?1 AND failure_id = ?2 ON CONFLICT (failure) DO NOTHING";
    let failure = FailureId::of_incident(incident);
    let changes = changes.map(|changes| to_json(&changes)).transpose()?;
    session.run(SQL, params![failure_key(&failure), failure.as_str(), changes]).map(drop)
}

/// The changes that are related to the incident of a failure, by the failure's row. `None` if they are not known.
pub(in crate::store) fn of_failure(db: &Db, row: i64) -> sql::Result<Option<Vec<RelatedChange>>> {
    const SQL: &str = "SELECT changes FROM related_changes WHERE failure = ?1";
    let changes: Option<Option<String>> = db.one(SQL, params![row], |columns| columns.get(0))?;
    changes.flatten().map(|changes| from_json(&changes)).transpose()
}
