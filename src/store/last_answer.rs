//! What a backend said last, for a process that has not asked it anything yet.

use rusqlite::{OptionalExtension, params};

use super::writer::Session;
use crate::domain::timestamp::Timestamp;

/// An answer's status, and when it came.
pub type LastAnswer = (u16, Timestamp);

/// The last answer to deletions and marks that wait for this backend, or to anything else that does: the former may need
/// a key of their own, so that a refused one says nothing about the rest. `None`: nothing of that has had one.
pub(super) fn last_answer(
    session: &Session<'_>,
    backend: &str,
    needs_more: bool,
) -> rusqlite::Result<Option<LastAnswer>> {
    const SQL: &str = "SELECT status, ended_at_ns FROM outbox JOIN attempt ON attempt.outbox = outbox.id
        WHERE backend = ?1 AND due_at_ns IS NOT NULL AND (action IN ('delete', 'mark', 'unmark')) = ?2
        AND status IS NOT NULL ORDER BY ended_at_ns DESC LIMIT 1";
    session
        .prepare(SQL)?
        .query_row(params![backend, needs_more], |row| Ok((row.get(0)?, Timestamp::from_nanos(row.get(1)?))))
        .optional()
}
