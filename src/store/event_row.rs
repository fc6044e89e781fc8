//! The `event` table: every event once, found again by its id.

use rusqlite::{OptionalExtension, params};

use super::record::Delivery;
use super::writer::Session;
use crate::domain::event::Event;
use crate::domain::timestamp::Timestamp;

/// Inserts an event. `None`: its id was there before.
pub(super) fn insert(
    session: &Session<'_>,
    event: &Event,
    delivery: &Delivery,
) -> rusqlite::Result<Option<i64>> {
    const SQL: &str = "INSERT INTO event
        (event_id, event_type, occurred_at_ns, received_at_ns, delivery_id, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (event_id) DO NOTHING";
    let changed = session.execute(
        SQL,
        params![
            event.id,
            event.event_type,
            event.occurred_at.as_nanos(),
            delivery.received_at.as_nanos(),
            delivery.id,
            delivery.bytes(),
        ],
    )?;
    Ok((changed == 1).then(|| session.last_insert_rowid()))
}

/// Counts another delivery of an event, if it says the same as the first. `false`: it does not.
///
/// Once the body is past its retention there is nothing to compare with, and the id alone decides.
pub(super) fn count_duplicate(
    session: &Session<'_>,
    event: &Event,
    delivery: &Delivery,
) -> rusqlite::Result<bool> {
    const STORED: &str = "SELECT body FROM event WHERE event_id = ?1";
    const COUNT: &str = "UPDATE event SET duplicates = duplicates + 1 WHERE event_id = ?1";
    let stored: Option<Vec<u8>> =
        session.prepare(STORED)?.query_row([&event.id], |row| row.get(0)).optional()?.flatten();
    let says_the_same = |stored: &[u8]| {
        stored == delivery.bytes() || (session.settings.parse)(stored).is_some_and(|first| first == *event)
    };
    if stored.is_some_and(|stored| !says_the_same(&stored)) {
        return Ok(false);
    }
    session.execute(COUNT, [&event.id])?;
    Ok(true)
}

/// How many bodies are removed at a time, so that nobody waits long for the writer.
const FORGOTTEN_AT_A_TIME: i64 = 200;

/// Removes bodies received before `before`, oldest first. The events themselves stay.
pub(super) fn forget_bodies(session: &Session<'_>, before: Timestamp) -> rusqlite::Result<usize> {
    // Rows stand in order of arrival, so the ones to look at begin where the forgotten ones end.
    const FIRST: &str = "SELECT coalesce(max(up_to), 0) FROM forgotten";
    const OLD: &str = "SELECT id FROM event WHERE id > ?1 AND received_at_ns < ?2 ORDER BY id LIMIT ?3";
    const FORGET: &str = "UPDATE event SET body = NULL WHERE id = ?1";
    const REMEMBER: &str = "INSERT INTO forgotten VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET up_to = ?1";
    let up_to: i64 = session.prepare(FIRST)?.query_row([], |row| row.get(0))?;
    let old: Vec<i64> = session
        .prepare(OLD)?
        .query_map(params![up_to, before.as_nanos(), FORGOTTEN_AT_A_TIME], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &old {
        session.execute(FORGET, [id])?;
    }
    if let Some(last) = old.last() {
        session.execute(REMEMBER, [last])?;
    }
    Ok(old.len())
}
