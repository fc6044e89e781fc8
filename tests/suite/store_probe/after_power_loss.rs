//! Content of a store after a power loss, which may have damaged it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::FromSql;

/// The parts of a store that a power loss must not lose.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// `ok`, or the damage.
    pub(crate) integrity: String,
    /// Version of the schema. 0 if the store is still empty; then nothing else was read.
    pub(crate) schema: i64,
    /// Bodies of events and of the quarantine, and the number of copies of each.
    pub(crate) kept: BTreeMap<Vec<u8>, usize>,
    /// Requests with at least one attempt, and the number of copies of each.
    pub(crate) attempted: BTreeMap<Vec<u8>, usize>,
    /// Number of events that belong to no failure.
    pub(crate) unfolded: i64,
    /// Number of completed failures without a row in the outbox.
    pub(crate) without_row: i64,
    /// Time up to which the store says that it has everything that PagerDuty's REST API tells, in nanoseconds.
    pub(crate) reconciled_up_to_ns: i64,
    /// Ids of failures, and the number of events of each that come from PagerDuty's REST API.
    pub(crate) read: BTreeMap<String, usize>,
}

impl Found {
    /// Reads a store. Damage is an error, or named in `integrity`.
    pub(crate) fn read(store: &Path) -> rusqlite::Result<Self> {
        const KEPT: &str = "SELECT body FROM event UNION ALL SELECT body FROM quarantine";
        // The beginning of an attempt is stored before the request is sent.
        const ATTEMPTED: &str = "SELECT body FROM outbox WHERE attempts > 0";
        const UNFOLDED: &str = "SELECT count(*) FROM event WHERE event_type LIKE 'incident.%'
            AND NOT EXISTS (SELECT 1 FROM failure_event WHERE event = event.id)";
        const WITHOUT_ROW: &str = "SELECT count(*) FROM failure WHERE state = 'completed'
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE failure = failure.id)";
        const RECONCILED: &str =
            "SELECT ifnull((SELECT value FROM progress WHERE name = 'reconciled_up_to_ns'), 0)";
        const READ: &str = "SELECT failure_id FROM failure JOIN failure_event ON failure = failure.id
            JOIN event ON event.id = event WHERE source = 'pagerdutyapi'";
        let db = Connection::open(store)?;
        let integrity: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let schema: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if integrity != "ok" || schema == 0 {
            return Ok(Self { integrity, schema, ..Self::default() });
        }
        let number = |sql| db.query_row(sql, [], |row| row.get(0));
        let (kept, attempted) = (counted(&db, KEPT)?, counted(&db, ATTEMPTED)?);
        let (unfolded, without_row) = (number(UNFOLDED)?, number(WITHOUT_ROW)?);
        let (reconciled_up_to_ns, read) = (number(RECONCILED)?, counted(&db, READ)?);
        Ok(Self { integrity, schema, kept, attempted, unfolded, without_row, reconciled_up_to_ns, read })
    }
}

/// Values that a query returns, and the number of copies of each.
fn counted<T: FromSql + Ord>(db: &Connection, sql: &str) -> rusqlite::Result<BTreeMap<T, usize>> {
    let mut found = BTreeMap::new();
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *found.entry(row.get(0)?).or_default() += 1;
    }
    Ok(found)
}
