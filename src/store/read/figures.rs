//! Input of the figures: failures and deployments, read in parallel, nearly all from indexes alone.

use std::num::NonZeroI64;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use foldhash::{HashMap, HashSet};

use super::reader::open_up_to_date;
use super::timed_failures::{self, TimedFailureFilter, TimedFailures};
use crate::domain::figures::{
    Dataset, DatasetBuilder, DeploymentIndex, FailureTimes, LinkedKeys, Report, ReportQuery, report,
};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::address::StoreAddress;
use crate::store::engine::error::ReadError;
use crate::store::engine::open_error::OpenError;
use crate::store::engine::open_store::open_to_read;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::state::figure_columns::kind;

/// Reader of the input of figures. Clones share its connections and take turns.
#[derive(Clone)]
pub struct FiguresReader {
    /// Two, because failures and deployments are read in parallel.
    connections: Arc<Mutex<[Db; 2]>>,
}

impl FiguresReader {
    /// Opens an existing store, query-only.
    pub fn open(address: impl Into<StoreAddress>) -> Result<Self, OpenError> {
        let address = address.into();
        let connections = [open_up_to_date(&address)?, open_to_read(&address)?];
        Ok(Self { connections: Arc::new(Mutex::new(connections)) })
    }

    /// Computes a report.
    pub fn report(&self, query: &ReportQuery) -> Result<Report, ReadError> {
        Ok(report(query, &self.dataset(query.data_since(), query.until)?))
    }

    /// Times to restore of single failures.
    pub fn timed_failures(&self, filter: &TimedFailureFilter) -> Result<TimedFailures, ReadError> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let [for_failures, _] = &mut *connections;
        Ok(timed_failures::read(for_failures, filter)?)
    }

    /// Input of the figures of `[since, until)`.
    pub fn dataset(&self, since: Timestamp, until: Timestamp) -> Result<Dataset, ReadError> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let [for_failures, for_deployments] = &mut *connections;
        // Two snapshots. The one of deployments is a moment earlier, so a deployment that arrives in between is not in
        // it.
        let db = for_deployments.snapshot()?;
        let first_start = first_start(&db, since, until)?;
        let (failures, deployed) = thread::scope(|scope| {
            let read = || FailureScan::read(for_failures, first_start, until);
            let failures = thread::Builder::new().name("figures-failure".into()).spawn_scoped(scope, read);
            let failures = failures.map_err(ReadError::Thread)?;
            let deployed = deployed(&db, since, until);
            let failures = failures.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok::<_, ReadError>((failures?, deployed?))
        })?;
        Ok(failures.builder.with(deployed))
    }
}

/// Start of the period, or of the first deployment that ended in it, if that is earlier.
fn first_start(db: &Db, since: Timestamp, until: Timestamp) -> sql::Result<Timestamp> {
    const FIRST_START: &str =
        "SELECT min(started_at_ns) FROM deployment WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2";
    let first: Option<i64> =
        db.only(FIRST_START, params![since.as_nanos(), until.as_nanos()], |row| row.get(0))?;
    Ok(first.map_or(since, |first| Timestamp::from_nanos(first).min(since)))
}

/// The deployments that ended in the period.
fn deployed(db: &Db, since: Timestamp, until: Timestamp) -> sql::Result<DeploymentIndex> {
    const BEGUN_BEFORE: &str = "SELECT id, finished_at_ns, service, team, env FROM deployment
        WHERE id IN (SELECT id FROM deployment
            WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2 AND started_at_ns < ?1)";
    const BEGUN_SINCE: &str = "SELECT id, finished_at_ns, service, team, env FROM deployment
        WHERE started_at_ns >= ?1 AND started_at_ns < ?2 AND finished_at_ns < ?2";
    let mut deployed = DeploymentIndex::default();
    for sql in [BEGUN_BEFORE, BEGUN_SINCE] {
        db.each(sql, params![since.as_nanos(), until.as_nanos()], |row| {
            let made = (row.text(2)?, row.text_or_null(3)?, row.text(4)?);
            deployed.add(row.get(0)?, made, Timestamp::from_nanos(row.get(1)?));
            Ok(())
        })?;
    }
    Ok(deployed)
}

/// Failures, as they are read.
#[derive(Default)]
struct FailureScan {
    builder: DatasetBuilder,
    /// Number of each kind, by its text in `counts_for`.
    kinds: HashMap<String, u32>,
    /// Ids of the failures whose cause somebody named.
    named: HashSet<i64>,
}

impl FailureScan {
    /// Reads the failures that began before `until` and had not ended by `since`. Of the failures that began later,
    /// reads those that were caused by a deployment that ended in `[since, until)`.
    fn read(db: &mut Db, since: Timestamp, until: Timestamp) -> sql::Result<Self> {
        const ENDED: &str =
            "SELECT started_at_ns, finished_at_ns, counts_for, restore_ns, cause, remediation, id FROM failure
            WHERE finished_at_ns >= ?1 AND started_at_ns < ?2 AND counts_for IS NOT NULL";
        const WITHOUT_END: &str =
            "SELECT started_at_ns, finished_at_ns, counts_for, restore_ns, cause, remediation, id FROM failure
            WHERE state IN ('open', 'ignored') AND finished_at_ns IS NULL AND started_at_ns < ?2
            AND (state = 'open' OR started_at_ns >= ?1) AND counts_for IS NOT NULL";
        const LATER: &str =
            "SELECT f.started_at_ns, f.finished_at_ns, counts_for, restore_ns, cause, remediation, f.id FROM failure f
            JOIN deployment d ON d.id = f.cause WHERE f.started_at_ns >= ?2 AND cause IS NOT NULL
            AND d.finished_at_ns >= ?1 AND d.finished_at_ns < ?2 AND counts_for IS NOT NULL";
        const LAST: &str =
            "SELECT started_at_ns FROM failure WHERE cause IS NOT NULL ORDER BY started_at_ns DESC LIMIT 1";
        // Few failures name their cause. To read the way from each failure would need a wider index.
        const NAMED: &str = "SELECT id FROM failure WHERE cause_how IN ('id', 'commit', 'version')";
        let db = db.snapshot()?;
        let named = db.all(NAMED, params![], |row| row.get(0))?.into_iter().collect();
        let mut failures = Self { named, ..Self::default() };
        // Nearly always the period ends now. Then each of its deployments would be looked up for nothing.
        let last: Option<i64> = db.one(LAST, params![], |row| row.get(0))?;
        let later = last.filter(|last| *last >= until.as_nanos()).map(|_| LATER);
        for sql in [ENDED, WITHOUT_END].into_iter().chain(later) {
            db.each(sql, params![since.as_nanos(), until.as_nanos()], |row| failures.add(row))?;
        }
        Ok(failures)
    }

    fn add(&mut self, row: &Row<'_>) -> sql::Result<()> {
        let finished_at: Option<i64> = row.get(1)?;
        let times = FailureTimes {
            started_at: Timestamp::from_nanos(row.get(0)?),
            finished_at: finished_at.map(Timestamp::from_nanos),
            restore_ns: row.get(3)?,
        };
        let kind = self.kind(row.text(2)?)?;
        let is_named = !self.named.is_empty() && self.named.contains(&row.get(6)?);
        let key = |column| Ok::<_, sql::Error>(row.get::<Option<i64>>(column)?.and_then(NonZeroI64::new));
        self.builder.add(kind, times, LinkedKeys { cause: key(4)?, is_named, remediation: key(5)? });
        Ok(())
    }

    fn kind(&mut self, counts_for: &str) -> sql::Result<u32> {
        if let Some(known) = self.kinds.get(counts_for) {
            return Ok(*known);
        }
        let known = self.builder.add_kind(kind(counts_for)?);
        self.kinds.insert(counts_for.to_owned(), known);
        Ok(known)
    }
}

#[cfg(test)]
mod tests;
