//! Which incidents have to be asked for the changes that are related to them.

use rusqlite::params;
use serde::Deserialize;

use super::reader::Reader;
use crate::domain::id::{IncidentId, SOURCE_SEPARATOR};
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;

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
        let mut statement = db.prepare_cached(SQL)?;
        let mut rows = statement.query(params![since.as_nanos(), prefix])?;
        let mut incidents = Vec::new();
        while incidents.len() < most
            && let Some(row) = rows.next()?
        {
            let (id, evaluated): (String, String) = (row.get(0)?, row.get(1)?);
            let evaluated: Evaluated = from_json(&evaluated)?;
            // A failure that was sent to the event API may have such an id, too.
            if evaluated.source == *source {
                incidents.extend(IncidentId::of_failure(&id));
            }
        }
        Ok(incidents)
    }
}
