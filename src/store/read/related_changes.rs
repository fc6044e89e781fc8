//! Which incidents have to be asked for the changes that are related to them.

use serde::Deserialize;

use super::reader::Reader;
use crate::domain::id::{IncidentId, SOURCE_SEPARATOR};
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::engine::sql::params;

/// Part of an evaluated failure.
#[derive(Deserialize)]
struct Evaluated {
    source: SourceName,
}

impl Reader {
    /// Incidents of a source that ended at `since` or later, whose failures are completed, and for which nothing is
    /// saved of the changes related to them. At most `most`, those that ended last.
    pub fn incidents_without_changes(
        &self,
        source: &SourceName,
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<IncidentId>, ReadError> {
        const SQL: &str = "SELECT failure_id, evaluated FROM failure
            WHERE finished_at_ns >= ?1 AND state = 'completed' AND substr(failure_id, 1, length(?2)) = ?2
            AND NOT EXISTS (SELECT 1 FROM related_changes WHERE failure = failure.id)
            ORDER BY finished_at_ns DESC";
        let prefix = format!("{source}{SOURCE_SEPARATOR}");
        let db = self.lock();
        let mut incidents = Vec::new();
        db.find(SQL, params![since.as_nanos(), prefix], |row| {
            if incidents.len() == most {
                return Ok(Some(()));
            }
            let evaluated: Evaluated = from_json(row.text(1)?)?;
            // A failure that was sent to the event API may have such an id, too.
            if evaluated.source == *source {
                incidents.extend(IncidentId::of_failure(row.text(0)?));
            }
            Ok(None)
        })?;
        Ok(incidents)
    }
}
