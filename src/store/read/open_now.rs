//! The open failures that matter most.

use rusqlite::Row;

use super::reader::Reader;
use crate::domain::failure::Failure;
use crate::domain::figures::FailureTraits;
use crate::domain::severity::severity_rank;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::state::figure_columns::kind;
use crate::store::state::stored_failure::failure;

/// Open failures to list.
#[derive(Debug, Clone, Default)]
pub struct OpenFilter {
    /// Only those in this env.
    pub env: Option<String>,
    /// Only those that count for this service.
    pub service: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those of this severity.
    pub severity: Option<String>,
    /// Largest number of failures.
    pub limit: usize,
}

/// Open failures.
#[derive(Debug, Default)]
pub struct OpenNow {
    /// Number of all that pass the filter.
    pub count: usize,
    /// The most severe, and of those the longest, first.
    pub failures: Vec<Failure>,
}

/// Place of an open failure among the others, and its row.
type Ranked = (u32, Timestamp, i64);

impl Reader {
    /// The open failures that pass the filter.
    pub fn open_now(&self, filter: &OpenFilter) -> Result<OpenNow, ReadError> {
        const OPEN: &str = "SELECT id, started_at_ns, counts_for FROM failure
            WHERE state = 'open' AND finished_at_ns IS NULL AND counts_for IS NOT NULL";
        const ONE: &str = "SELECT evaluated FROM failure WHERE id = ?1";
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.transaction()?;
        let mut ranked: Vec<Ranked> = Vec::new();
        let mut statement = db.prepare_cached(OPEN)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            ranked.extend(filter.ranked(row)?);
        }
        ranked.sort_unstable();
        let mut one = db.prepare_cached(ONE)?;
        let failures = ranked
            .iter()
            .take(filter.limit)
            .map(|(.., row)| one.query_row([row], |row| failure(row.get_ref(0)?.as_str()?)));
        Ok(OpenNow { count: ranked.len(), failures: failures.collect::<rusqlite::Result<_>>()? })
    }
}

impl OpenFilter {
    /// The place of a failure. `None` if it does not pass.
    fn ranked(&self, row: &Row<'_>) -> rusqlite::Result<Option<Ranked>> {
        let traits = kind(row.get_ref(2)?.as_str()?)?;
        let started_at = Timestamp::from_nanos(row.get(1)?);
        let place = (severity_rank(traits.severity.as_deref()), started_at, row.get(0)?);
        Ok(self.passes(&traits).then_some(place))
    }

    fn passes(&self, traits: &FailureTraits) -> bool {
        let is = |asked: Option<&String>, own: Option<&String>| asked.is_none() || asked == own;
        is(self.env.as_ref(), Some(&traits.env))
            && self.service.as_ref().is_none_or(|service| traits.services.contains(service))
            && is(self.team.as_ref(), traits.team.as_ref())
            && is(self.severity.as_ref(), traits.severity.as_ref())
    }
}
