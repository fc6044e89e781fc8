//! Which incidents have to be read from their source's API, and up to which time it was read.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::reader::Reader;
use crate::domain::failure::Flag;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::engine::progress::{self, BACKFILLED_SINCE, BACKFILLED_UP_TO, RECONCILED_UP_TO};
use crate::store::engine::sql::{self, Db, params};
use crate::store::state::failure::{Facts, FailureRow};

/// Part of an evaluated failure.
#[derive(Deserialize)]
struct Evaluated {
    source: SourceName,
    flags: Vec<Flag>,
    merged_into: Option<String>,
}

/// `true` if the source has deleted an incident, of which nothing else is known.
fn is_deleted(db: &Db, incident: &IncidentId) -> sql::Result<bool> {
    let row = FailureRow::load(db, &FailureId::of_incident(incident))?;
    Ok(row.is_some_and(|row| matches!(&row.facts, Facts::History(history) if history.is_deleted())))
}

impl Reader {
    /// Time up to which everything was read, except the unread incidents. `None` if nothing was read yet.
    pub fn reconciled_up_to(&self) -> Result<Option<Timestamp>, ReadError> {
        let nanos = progress::get(&self.lock(), RECONCILED_UP_TO)?;
        Ok((nanos > 0).then(|| Timestamp::from_nanos(nanos)))
    }

    /// The incidents that the last look could not read.
    pub fn unread_incidents(&self) -> Result<BTreeSet<IncidentId>, ReadError> {
        let db = self.lock();
        let mut incidents = BTreeSet::new();
        db.each("SELECT failure_id FROM unread_incident", params![], |row| {
            incidents.extend(IncidentId::of_failure(row.text(0)?));
            Ok(())
        })?;
        Ok(incidents)
    }

    /// Begin of the backfill that has not ended, and the time up to which it has come. `None` if there is none.
    pub fn unfinished_backfill(&self) -> Result<Option<(Timestamp, Timestamp)>, ReadError> {
        let db = self.lock();
        let [since, up_to] = [progress::get(&db, BACKFILLED_SINCE)?, progress::get(&db, BACKFILLED_UP_TO)?];
        Ok((up_to > 0).then(|| (Timestamp::from_nanos(since), Timestamp::from_nanos(up_to))))
    }

    /// Begin of the import from a backend that has not ended, and the time up to which it has come. `None` if there is
    /// none.
    pub fn unfinished_import(&self, backend: &str) -> Result<Option<(Timestamp, Timestamp)>, ReadError> {
        let db = self.lock();
        let names = [progress::imported_since(backend), progress::imported_up_to(backend)];
        let [since, up_to] = [progress::get(&db, &names[0])?, progress::get(&db, &names[1])?];
        Ok((up_to > 0).then(|| (Timestamp::from_nanos(since), Timestamp::from_nanos(up_to))))
    }

    /// The incidents whose stored events cannot be all: those that have not ended, and those that another one was
    /// merged into and that no event shows. Incidents that the source has deleted are left out.
    pub fn incidents_to_read(&self) -> Result<Vec<IncidentId>, ReadError> {
        const WITHOUT_END: &str = "SELECT failure_id, evaluated FROM failure
            WHERE finished_at_ns IS NULL AND state IS NOT NULL";
        const INTO_UNSEEN: &str = "SELECT failure_id, evaluated FROM failure AS merged
            WHERE merged_into_key IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM failure AS target
                WHERE target.failure_key = merged.merged_into_key AND target.state IS NOT NULL)";
        let db = self.lock();
        let (mut incidents, mut targets) = (Vec::new(), Vec::new());
        for (sql, is_merged) in [(WITHOUT_END, false), (INTO_UNSEEN, true)] {
            db.each(sql, params![], |row| {
                let Some(incident) = IncidentId::of_failure(row.text(0)?) else { return Ok(()) };
                let evaluated: Evaluated = from_json(row.text(1)?)?;
                if evaluated.source == SourceName::API {
                    return Ok(());
                }
                if is_merged {
                    let target = evaluated.merged_into.as_deref();
                    targets.extend(target.and_then(|id| IncidentId::parse(incident.source(), id)));
                } else if !evaluated.flags.contains(&Flag::Deleted) {
                    incidents.push(incident);
                }
                Ok(())
            })?;
        }
        for target in targets {
            if !is_deleted(&db, &target)? {
                incidents.push(target);
            }
        }
        Ok(incidents)
    }
}
