//! Gauges of the store.

use super::backends::{BackendStatus, backend_statuses};
use super::reader::Reader;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::shared_gauges::SharedGauges;
use crate::store::engine::sizes::Sizes;
use crate::store::engine::sql::{Row, params};

/// Gauges of the store.
#[derive(Debug, Default)]
pub struct StoreGauges {
    /// Open failures.
    pub open_failures: i64,
    /// Bodies in quarantine.
    pub quarantined: i64,
    /// Sizes of the store's files.
    pub sizes: Sizes,
    /// Pending, dead and suspect rows, for each backend that has any.
    pub outbox: Vec<OutboxGauge>,
    /// Gauges of a store that several daemons share. `None` for a file.
    pub shared: Option<SharedGauges>,
    /// Status of every backend that ever got a request, or that rows wait for.
    pub backends: Vec<BackendStatus>,
}

/// One backend's outbox.
#[derive(Debug)]
pub struct OutboxGauge {
    /// The backend.
    pub backend: String,
    /// Rows to be sent.
    pub pending: i64,
    /// Dead rows.
    pub dead: i64,
    /// Rows that fail again and again while others are accepted.
    pub suspect: i64,
    /// Time at which the oldest row to be sent was put into the outbox.
    pub oldest_at: Option<Timestamp>,
}

impl Reader {
    /// Time at which the last new event was received. `None` if there was none yet.
    pub fn last_received_at(&self) -> Result<Option<Timestamp>, ReadError> {
        const SQL: &str = "SELECT received_at_ns FROM event ORDER BY id DESC LIMIT 1";
        let db = self.lock();
        let last: Option<i64> = db.one(SQL, params![], |row| row.get(0))?;
        Ok(last.map(Timestamp::from_nanos))
    }

    /// Time at which the last new event of a source was received. `None` if there was none yet.
    pub fn last_received_from(&self, source: &SourceName) -> Result<Option<Timestamp>, ReadError> {
        const HAS_ANY: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE source = ?1)";
        // Reads backwards until one is found. An index by source and time of arrival would cost time for each new
        // event.
        const NEWEST_FIRST: &str = "SELECT source, received_at_ns FROM event ORDER BY id DESC";
        let db = self.lock();
        if !db.only(HAS_ANY, params![source.as_str()], |row| row.get(0))? {
            return Ok(None);
        }
        Ok(db.find(NEWEST_FIRST, params![], |row| {
            let is_from = row.text(0)? == source.as_str();
            is_from.then(|| row.get(1).map(Timestamp::from_nanos)).transpose()
        })?)
    }

    /// Number of the row of the last event; 0 if there is none.
    pub fn last_event(&self) -> Result<i64, ReadError> {
        const SQL: &str = "SELECT coalesce(max(id), 0) FROM event";
        Ok(self.lock().only(SQL, params![], |row| row.get(0))?)
    }

    /// `true` if an event of this type was stored after the row `after`.
    pub fn has_event_after(&self, after: i64, event_type: &str) -> Result<bool, ReadError> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE id > ?1 AND event_type = ?2)";
        Ok(self.lock().only(SQL, params![after, event_type], |row| row.get(0))?)
    }

    /// End of the last deployment. `None` if there was none yet.
    pub fn last_deployment_at(&self) -> Result<Option<Timestamp>, ReadError> {
        const SQL: &str = "SELECT finished_at_ns FROM deployment ORDER BY finished_at_ns DESC LIMIT 1";
        let db = self.lock();
        let last: Option<i64> = db.one(SQL, params![], |row| row.get(0))?;
        Ok(last.map(Timestamp::from_nanos))
    }

    /// Reads the gauges.
    pub fn gauges(&self) -> Result<StoreGauges, ReadError> {
        const OPEN: &str = "SELECT count(*) FROM failure WHERE state = 'open' AND finished_at_ns IS NULL";
        const OUTBOX: &str =
            "SELECT backend, CAST(sum(pending) AS BIGINT), CAST(sum(dead) AS BIGINT), min(oldest),
                CAST(sum(suspect) AS BIGINT) FROM (
                SELECT backend, count(*) AS pending, 0 AS dead, min(created_at_ns) AS oldest, 0 AS suspect
                FROM outbox WHERE due_at_ns IS NOT NULL GROUP BY backend
                UNION ALL
                SELECT backend, 0, count(*), NULL, 0 FROM outbox WHERE state = 'dead' GROUP BY backend
                UNION ALL
                SELECT backend, 0, 0, NULL, count(*) FROM outbox WHERE suspect = 1 GROUP BY backend
            ) AS counted GROUP BY backend";
        let db = self.lock();
        let count = |sql| db.only(sql, params![], |row| row.get(0));
        let outbox = |row: &Row<'_>| {
            let oldest: Option<i64> = row.get(3)?;
            Ok(OutboxGauge {
                backend: row.get(0)?,
                pending: row.get(1)?,
                dead: row.get(2)?,
                suspect: row.get(4)?,
                oldest_at: oldest.map(Timestamp::from_nanos),
            })
        };
        Ok(StoreGauges {
            open_failures: count(OPEN)?,
            quarantined: count("SELECT count(*) FROM quarantine")?,
            sizes: Sizes::of(&db)?,
            outbox: db.all(OUTBOX, params![], outbox)?,
            shared: SharedGauges::of(&db)?,
            backends: backend_statuses(&db)?,
        })
    }
}
