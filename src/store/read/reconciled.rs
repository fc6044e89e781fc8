//! Which incidents have to be read from their source's API, and up to which time it was read.

use serde::Deserialize;

use super::reader::Reader;
use crate::domain::failure::Flag;
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::engine::progress::{self, RECONCILED_UP_TO};

/// Part of an evaluated failure.
#[derive(Deserialize)]
struct Evaluated {
    flags: Vec<Flag>,
    merged_into: Option<String>,
}

impl Reader {
    /// Time up to which everything was read. `None` if nothing was read yet.
    pub fn reconciled_up_to(&self) -> Result<Option<Timestamp>, ReadError> {
        let nanos = progress::get(&self.lock(), RECONCILED_UP_TO)?;
        Ok((nanos > 0).then(|| Timestamp::from_nanos(nanos)))
    }

    /// The incidents whose stored events cannot be all: those that have not ended, and those that another one was
    /// merged into and that no event shows. Incidents that the source has deleted are left out.
    pub fn incidents_to_read(&self) -> Result<Vec<IncidentId>, ReadError> {
        const WITHOUT_END: &str = "SELECT failure_id, evaluated FROM failure
            WHERE finished_at_ns IS NULL AND state IS NOT NULL";
        // A target that was asked for and not found has an event that says so.
        const INTO_UNSEEN: &str = "SELECT failure_id, evaluated FROM failure AS merged
            WHERE merged_into_key IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM failure AS target WHERE target.failure_key = merged.merged_into_key
                    AND EXISTS (SELECT 1 FROM failure_event WHERE failure = target.id))";
        let db = self.lock();
        let mut incidents = Vec::new();
        for (sql, is_target) in [(WITHOUT_END, false), (INTO_UNSEEN, true)] {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (id, evaluated): (String, String) = (row.get(0)?, row.get(1)?);
                let Some(incident) = IncidentId::of_failure(&id) else { continue };
                let evaluated: Evaluated = from_json(&evaluated)?;
                if is_target {
                    let target = evaluated.merged_into.as_deref();
                    incidents.extend(target.and_then(|id| IncidentId::parse(incident.source(), id)));
                } else if !evaluated.flags.contains(&Flag::Deleted) {
                    incidents.push(incident);
                }
            }
        }
        Ok(incidents)
    }
}
