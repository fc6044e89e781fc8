//! The `event` table: every event once, identified by its source and its id.

use super::delivery::Delivery;
use crate::domain::event::Heading;
use crate::domain::source_name::SourceName;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// Inserts an event. `None` if its source sent an event with this id before.
pub(in crate::store) fn insert(
    session: &Session<'_>,
    heading: &Heading,
    delivery: &Delivery,
) -> sql::Result<Option<i64>> {
    const SQL: &str = "INSERT INTO event
        (source, event_id, event_type, occurred_at_ns, received_at_ns, delivery_id, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (source, event_id) DO NOTHING";
    session.insert(
        SQL,
        params![
            delivery.source.name.as_str(),
            heading.id,
            &*heading.event_type,
            heading.occurred_at.unwrap_or(delivery.received_at).as_nanos(),
            delivery.received_at.as_nanos(),
            delivery.id,
            &*delivery.body,
        ],
    )
}

/// `true` if an event with this id is stored, or one whose id goes on with a colon.
pub(in crate::store) fn is_stored(
    session: &Session<'_>,
    source: &SourceName,
    event_id: &str,
) -> sql::Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE source = ?1 AND event_id = ?2)
        OR EXISTS (SELECT 1 FROM event WHERE source = ?1 AND event_id > ?2 || ':' AND event_id < ?2 || ';')";
    session.db().only(SQL, params![source.as_str(), event_id], |row| row.get(0))
}

/// Counts a duplicate of a stored event. `false` if the delivery has other facts; then nothing is counted.
///
/// After the body's retention there is no body to compare with. Then every event with this id counts as a duplicate.
pub(in crate::store) fn count_duplicate(
    session: &Session<'_>,
    event_id: &str,
    delivery: &Delivery,
) -> sql::Result<bool> {
    const STORED: &str = "SELECT body FROM event WHERE source = ?1 AND event_id = ?2";
    const COUNT: &str = "UPDATE event SET duplicates = duplicates + 1 WHERE source = ?1 AND event_id = ?2";
    let source = delivery.source.name.as_str();
    let parse = delivery.source.parse;
    let has_same_facts = |stored: &[u8]| {
        *stored == *delivery.body
            || parse(stored).is_some_and(|first| parse(&delivery.body).is_some_and(|second| first == second))
    };
    let is_same = session
        .db()
        .one(STORED, params![source, event_id], |row| Ok(row.bytes_or_null(0)?.is_none_or(has_same_facts)))?;
    if is_same == Some(false) {
        return Ok(false);
    }
    session.run(COUNT, params![source, event_id])?;
    Ok(true)
}
