//! Growth of the store.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sizes::Sizes;
use crate::store::engine::sql::{self, Db, params};

/// Time whose events are counted.
const MONTH: Duration = Duration::from_hours(30 * 24);
/// With less than this, an estimate would say nothing.
const SHORTEST: Duration = Duration::from_hours(24);

/// Growth of the store in a month, at the rate of its newest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Events in a month.
    pub events: i64,
    /// Bytes in a month: the events, by the mean size that an event takes in the database, failures and rows for backends
    /// included.
    pub bytes: u64,
}

impl Reader {
    /// Growth in a month. `None` if the store is younger than a day.
    pub fn growth(&self, now: Timestamp) -> Result<Option<Growth>, ReadError> {
        Ok(growth(&self.lock(), now)?)
    }
}

fn growth(db: &Db, now: Timestamp) -> sql::Result<Option<Growth>> {
    const RECEIVED_AT_FROM: &str = "SELECT received_at_ns FROM event WHERE id >= ?1 ORDER BY id LIMIT 1";
    const NEWEST_ID: &str = "SELECT coalesce(max(id), 0) FROM event";
    let received_at = |id: i64| db.one(RECEIVED_AT_FROM, params![id], |row| row.get::<i64>(0));
    let Some(first_at) = received_at(0)? else { return Ok(None) };
    let last: i64 = db.only(NEWEST_ID, params![], |row| row.get(0))?;
    let since = now.saturating_sub(MONTH).as_nanos().max(first_at);
    let age = Duration::from_nanos(u64::try_from(now.as_nanos() - since).unwrap_or(0));
    if age < SHORTEST {
        return Ok(None);
    }
    // Ids are in order of arrival, so a binary search finds the first event of the month.
    let (mut before, mut from) = (0, last + 1);
    while before + 1 < from {
        let middle = i64::midpoint(before, from);
        if received_at(middle)?.is_some_and(|at| at >= since) { from = middle } else { before = middle }
    }
    let events = last + 1 - from;
    let per_month =
        |count: i64| count.saturating_mul(MONTH.as_secs().cast_signed()) / age.as_secs().cast_signed();
    let bytes_per_event = Sizes::of(db)?.database / u64::try_from(last).unwrap_or(1).max(1);
    let events = per_month(events);
    Ok(Some(Growth { events, bytes: bytes_per_event.saturating_mul(u64::try_from(events).unwrap_or(0)) }))
}
