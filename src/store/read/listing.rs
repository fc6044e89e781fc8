//! Listing failures.

use rusqlite::params;

use super::forwarded::{Forwarded, forwarded};
use super::reader::Reader;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::state::stored_failure::failure;

/// Failures to list, newest start first.
#[derive(Debug, Clone, Default)]
pub struct FailureFilter {
    /// Only those in this state.
    pub state: Option<FailureState>,
    /// Only those that count for this service.
    pub service: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those in this env.
    pub env: Option<String>,
    /// Only those of this severity.
    pub severity: Option<String>,
    /// Only those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Largest number of failures.
    pub limit: usize,
    /// Cursor from [`FailurePage::next`] of the previous page.
    pub cursor: Option<String>,
}

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
        let (before_start, before_id) = match &filter.cursor {
            Some(cursor) => parse_cursor(cursor).ok_or(ReadError::Cursor)?,
            None => (i64::MAX, i64::MAX),
        };
        // The state is in the text of the statement. With a parameter SQLite could not use the index of failures
        // without an end.
        let state = match filter.state {
            Some(FailureState::Open) => "state = 'open' AND failure.finished_at_ns IS NULL".to_owned(),
            Some(state) => format!("state = '{}'", state.as_str()),
            None => "state IS NOT NULL".to_owned(),
        };
        let sql = format!(
            "SELECT failure.id, failure.started_at_ns, revision, evaluated, deployment_id FROM failure
             LEFT JOIN deployment ON deployment.id = cause
             WHERE {state} AND failure.started_at_ns >= ?1 AND (failure.started_at_ns, failure.id) < (?2, ?3)
             AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(evaluated, '$.services') WHERE value = ?4))
             AND (?6 IS NULL OR evaluated ->> 'team' = ?6) AND (?7 IS NULL OR evaluated ->> 'env' = ?7)
             AND (?8 IS NULL OR evaluated ->> 'severity' = ?8)
             ORDER BY failure.started_at_ns DESC, failure.id DESC LIMIT ?5"
        );
        let since = filter.since.map_or(i64::MIN, Timestamp::as_nanos);
        let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.lock();
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params![
            since,
            before_start,
            before_id,
            filter.service,
            one_more,
            filter.team,
            filter.env,
            filter.severity,
        ])?;
        let mut page = FailurePage { failures: Vec::new(), next: None };
        let mut last = (0, 0);
        while let Some(row) = rows.next()? {
            if page.failures.len() == filter.limit {
                page.next = Some(cursor(last));
                break;
            }
            let id: i64 = row.get(0)?;
            last = (row.get(1)?, id);
            let mut listed: Failure = failure(&row.get::<_, String>(3)?)?;
            listed.deployment = row.get(4)?;
            page.failures.push(ListedFailure {
                failure: listed,
                revision: row.get(2)?,
                forwarded: forwarded(&db, id)?,
            });
        }
        Ok(page)
    }
}

fn cursor((started_at_ns, id): (i64, i64)) -> String {
    format!("{started_at_ns}-{id}")
}

fn parse_cursor(text: &str) -> Option<(i64, i64)> {
    let (started_at_ns, id) = text.split_once('-')?;
    Some((started_at_ns.parse().ok()?, id.parse().ok()?))
}
