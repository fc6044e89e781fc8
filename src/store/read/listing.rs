//! Listing failures.

use super::failure_filter::FailureFilter;
use super::failure_search::search;
use super::forwarded::{Forwarded, forwarded};
use super::place::{cursor, place};
use super::reader::Reader;
use crate::domain::failure::Failure;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, params};
use crate::store::state::stored_failure::failure;

/// A part of a listing.
#[derive(Debug)]
pub struct FailurePage {
    /// The failures.
    pub failures: Vec<ListedFailure>,
    /// Cursor of the next part, if there is one.
    pub next: Option<String>,
}

/// A failure, and the progress of its forwarding.
#[derive(Debug)]
pub struct ListedFailure {
    /// The failure itself.
    pub failure: Failure,
    /// Last revision for any backend; 0: never forwarded.
    pub revision: i64,
    /// Progress at each backend.
    pub forwarded: Vec<Forwarded>,
}

impl Reader {
    /// The failures that pass the filter.
    pub fn failures(&self, filter: &FailureFilter) -> Result<FailurePage, ReadError> {
        let after = place(filter.cursor.as_deref())?;
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let mut places = search(&db, filter, after, filter.limit.saturating_add(1))?;
        let has_more = places.len() > filter.limit;
        places.truncate(filter.limit);
        let next = places.last().filter(|_| has_more).copied().map(cursor);
        let failures = places.iter().map(|(_, id)| listed(&db, *id)).collect::<Result<_, _>>()?;
        Ok(FailurePage { failures, next })
    }
}

fn listed(db: &Db, id: i64) -> sql::Result<ListedFailure> {
    const SQL: &str = "SELECT revision, evaluated, deployment_id FROM failure
        LEFT JOIN deployment ON deployment.id = cause WHERE failure.id = ?1";
    db.only(SQL, params![id], |row| {
        let mut listed: Failure = failure(row.text(1)?)?;
        listed.deployment = row.get(2)?;
        Ok(ListedFailure { failure: listed, revision: row.get(0)?, forwarded: forwarded(db, id)? })
    })
}
