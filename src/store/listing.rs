//! Reading the store beside the writer: listings and gauges.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::forwarded::{Forwarded, forwarded};
use super::lane::{Standing, standings};
use super::schema::{OpenError, advice, open_to_read};
use super::sizes::Sizes;
use super::{deployment_row, stored_failure};
use crate::domain::failure::{Failure, State};
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;

/// A connection that cannot write. Clones share it and take turns.
#[derive(Clone)]
pub struct Reader {
    db: Arc<Mutex<Connection>>,
    /// `dora.link_window`: which deployment a failure is linked to is asked whenever it is shown, because deployments
    /// may arrive late.
    pub(super) link_window: Duration,
}

/// Failures to list, newest start first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that count for this service.
    pub service: Option<String>,
    /// Only those that began then or later.
    pub since: Option<Timestamp>,
    /// At most that many.
    pub limit: usize,
    /// Cursor from [`Page::next`] of the previous page.
    pub cursor: Option<String>,
}

/// A part of a listing.
#[derive(Debug)]
pub struct Page {
    /// The failures.
    pub failures: Vec<ListedFailure>,
    /// The cursor of the next part, where there is one.
    pub next: Option<String>,
}

/// A failure, and where its forwarding stands.
#[derive(Debug)]
pub struct ListedFailure {
    /// The failure itself.
    pub failure: Failure,
    /// Number of times that the failure, as backends see it, has changed; 0: never told.
    pub revision: i64,
    /// Progress at each backend.
    pub forwarded: Vec<Forwarded>,
}

/// Gauges of the store.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Open failures.
    pub open_failures: i64,
    /// Bodies in quarantine.
    pub quarantined: i64,
    /// Sizes of the store's files.
    pub sizes: Sizes,
    /// Of each backend that has rows which are not done: its name, pending, dead, and the oldest pending one.
    pub outbox: Vec<OutboxGauge>,
    /// Standing of every backend that was ever asked, or that rows wait for.
    pub standings: Vec<Standing>,
}

/// One backend's outbox.
#[derive(Debug)]
pub struct OutboxGauge {
    /// The backend.
    pub backend: String,
    /// Rows to be sent.
    pub pending: i64,
    /// Rows given up.
    pub dead: i64,
    /// Rows that fail again and again while others are accepted.
    pub suspect: i64,
    /// Time at which the oldest row to be sent was put there.
    pub oldest_at: Option<Timestamp>,
}

/// Reason why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is none of ours.
    #[error("invalid cursor: use the `next` value of a previous page")]
    Cursor,
    /// The store.
    #[error("the store could not be read: {0}{advice}", advice = advice(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// There was no thread to read with.
    #[error("no thread could be started to read the store: {0}")]
    Thread(#[source] std::io::Error),
}

impl Reader {
    /// Opens an existing store, query-only.
    pub fn open(path: &Path, link_window: Duration) -> Result<Self, OpenError> {
        Ok(Self { db: Arc::new(Mutex::new(open_to_read(path)?)), link_window })
    }

    /// The failures that pass the filter.
    pub fn failures(&self, filter: &Filter) -> Result<Page, ReadError> {
        let (before_start, before_id) = match &filter.cursor {
            Some(cursor) => parse_cursor(cursor).ok_or(ReadError::Cursor)?,
            None => (i64::MAX, i64::MAX),
        };
        // The state stands in the text, not as a parameter, so that the index of those without an end can be used.
        let state = match filter.state {
            Some(State::Open) => "state = 'open' AND finished_at_ns IS NULL".to_owned(),
            Some(state) => format!("state = '{}'", state.as_str()),
            None => "state IS NOT NULL".to_owned(),
        };
        let sql = format!(
            "SELECT id, started_at_ns, revision, evaluated, details FROM failure
             WHERE {state} AND started_at_ns >= ?1 AND (started_at_ns, id) < (?2, ?3)
             AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(evaluated, '$.services') WHERE value = ?4))
             ORDER BY started_at_ns DESC, id DESC LIMIT ?5"
        );
        let since = filter.since.map_or(i64::MIN, Timestamp::as_nanos);
        let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.lock();
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params![since, before_start, before_id, filter.service, one_more])?;
        let mut page = Page { failures: Vec::new(), next: None };
        let mut last = (0, 0);
        while let Some(row) = rows.next()? {
            if page.failures.len() == filter.limit {
                page.next = Some(cursor(last));
                break;
            }
            let id: i64 = row.get(0)?;
            last = (row.get(1)?, id);
            let evaluated = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            let details = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let mut failure = stored_failure::failure(evaluated)?;
            deployment_row::link(&db, &mut failure, details, self.link_window)?;
            page.failures.push(ListedFailure {
                failure,
                revision: row.get(2)?,
                forwarded: forwarded(&db, id)?,
            });
        }
        Ok(page)
    }

    /// Time at which the last new event was received; `None`: there was none yet.
    pub fn last_received_at(&self) -> Result<Option<Timestamp>, ReadError> {
        const SQL: &str = "SELECT received_at_ns FROM event ORDER BY id DESC LIMIT 1";
        let db = self.lock();
        let last: Option<i64> = db.prepare_cached(SQL)?.query_row([], |row| row.get(0)).optional()?;
        Ok(last.map(Timestamp::from_nanos))
    }

    /// Time at which the last new event of a source was received; `None`: there was none yet.
    pub fn last_received_from(&self, source: &SourceName) -> Result<Option<Timestamp>, ReadError> {
        const HAS_ANY: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE source = ?1)";
        // Read until one is found: there is no index by source and time of arrival, which each new event would pay for.
        const NEWEST_FIRST: &str = "SELECT source, received_at_ns FROM event ORDER BY id DESC";
        let db = self.lock();
        if !db.prepare_cached(HAS_ANY)?.query_row([source.as_str()], |row| row.get(0))? {
            return Ok(None);
        }
        let mut statement = db.prepare_cached(NEWEST_FIRST)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? == source.as_str() {
                return Ok(Some(Timestamp::from_nanos(row.get(1)?)));
            }
        }
        Ok(None)
    }

    /// End of the last deployment; `None`: there was none yet.
    pub fn last_deployment_at(&self) -> Result<Option<Timestamp>, ReadError> {
        const SQL: &str = "SELECT finished_at_ns FROM deployment ORDER BY finished_at_ns DESC LIMIT 1";
        let db = self.lock();
        let last: Option<i64> = db.prepare_cached(SQL)?.query_row([], |row| row.get(0)).optional()?;
        Ok(last.map(Timestamp::from_nanos))
    }

    /// Reads the gauges.
    pub fn gauges(&self) -> Result<Gauges, ReadError> {
        const OPEN: &str = "SELECT count(*) FROM failure WHERE state = 'open' AND finished_at_ns IS NULL";
        const OUTBOX: &str = "SELECT backend, sum(pending), sum(dead), min(oldest), sum(suspect) FROM (
                SELECT backend, count(*) AS pending, 0 AS dead, min(created_at_ns) AS oldest, 0 AS suspect
                FROM outbox WHERE due_at_ns IS NOT NULL GROUP BY backend
                UNION ALL
                SELECT backend, 0, count(*), NULL, 0 FROM outbox WHERE state = 'dead' GROUP BY backend
                UNION ALL
                SELECT backend, 0, 0, NULL, count(*) FROM outbox WHERE suspect = 1 GROUP BY backend
            ) GROUP BY backend";
        let db = self.lock();
        let count = |sql| db.prepare_cached(sql)?.query_row([], |row| row.get(0));
        let outbox = |row: &rusqlite::Row<'_>| {
            let oldest: Option<i64> = row.get(3)?;
            Ok(OutboxGauge {
                backend: row.get(0)?,
                pending: row.get(1)?,
                dead: row.get(2)?,
                suspect: row.get(4)?,
                oldest_at: oldest.map(Timestamp::from_nanos),
            })
        };
        Ok(Gauges {
            open_failures: count(OPEN)?,
            quarantined: count("SELECT count(*) FROM quarantine")?,
            sizes: Sizes::of(&db),
            outbox: db.prepare_cached(OUTBOX)?.query_map([], outbox)?.collect::<Result<_, _>>()?,
            standings: standings(&db)?,
        })
    }

    /// A reader that panicked left nothing half done behind: it cannot write.
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cursor((started_at_ns, id): (i64, i64)) -> String {
    format!("{started_at_ns}-{id}")
}

fn parse_cursor(text: &str) -> Option<(i64, i64)> {
    let (started_at_ns, id) = text.split_once('-')?;
    Some((started_at_ns.parse().ok()?, id.parse().ok()?))
}
