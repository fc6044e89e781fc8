//! The open failures that matter most.

use super::failure_filter::FailureFilter;
use super::reader::Reader;
use crate::domain::failure::Failure;
use crate::domain::severity::severity_rank;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, params};
use crate::store::state::stored_failure::failure;

/// Open failures.
#[derive(Debug, Default)]
pub struct OpenNow {
    /// Number of all that pass the filter.
    pub count: usize,
    /// The most severe, and of those the longest, first.
    pub failures: Vec<Failure>,
}

/// Rank of an open failure's severity, its start in nanoseconds, and its row.
pub(super) type Ranked = (u32, i64, i64);

/// The open failures. SQLite keeps the order of a CROSS JOIN: they are few, and an index covers them.
const OPEN: &str =
    "SELECT failure.id, started_at_ns, severity FROM failure CROSS JOIN failure_kind k
    WHERE k.id = kind AND failure.state = 'open' AND finished_at_ns IS NULL AND started_at_ns >= ?1 AND started_at_ns < ?6
    AND (CAST(?2 AS TEXT) IS NULL OR env = ?2) AND (CAST(?3 AS TEXT) IS NULL OR team = ?3)
    AND (CAST(?4 AS TEXT) IS NULL OR severity = ?4)
    AND (CAST(?5 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM failure_kind_service s WHERE s.service = ?5 AND s.kind = k.id))";

impl Reader {
    /// The open failures that pass the filter. Its state and its cursor are not used.
    pub fn open_now(&self, filter: &FailureFilter) -> Result<OpenNow, ReadError> {
        const ONE: &str = "SELECT evaluated FROM failure WHERE id = ?1";
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let ranked = ranked(&db, filter)?;
        let failures = ranked
            .iter()
            .take(filter.limit)
            .map(|(.., row)| db.only(ONE, params![row], |row| failure(row.text(0)?)));
        Ok(OpenNow { count: ranked.len(), failures: failures.collect::<sql::Result<_>>()? })
    }
}

/// The open failures that pass the filter, in the order of their ranks.
pub(super) fn ranked(db: &Db, filter: &FailureFilter) -> sql::Result<Vec<Ranked>> {
    let FailureFilter { since, until, env, team, severity, service, .. } = filter;
    let since = since.map_or(i64::MIN, Timestamp::as_nanos);
    let until = until.map_or(i64::MAX, Timestamp::as_nanos);
    let mut ranked: Vec<Ranked> =
        db.all(OPEN, params![since, env, team, severity, service, until], |row| {
            Ok((severity_rank(row.text_or_null(2)?), row.get(1)?, row.get(0)?))
        })?;
    ranked.sort_unstable();
    Ok(ranked)
}
