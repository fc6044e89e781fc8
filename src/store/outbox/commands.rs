//! Commands of people for rows of the outbox.

use serde::{Deserialize, Serialize};

use super::lane;
use super::late;
use super::rows::{RowState, row_state};
use crate::domain::lane::Lane;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};
use crate::store::engine::time_limit::TimeLimit;

/// Largest number of rows that are read for a part. [`TimeLimit`] usually ends the part earlier.
pub(super) const READ_AT_A_TIME: i64 = 1_000;

/// Command for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RowCommand {
    /// Retry the row now.
    Retry,
    /// Give the row up.
    Discard,
}

/// Result of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    /// The command is done.
    Done,
    /// There is no such row.
    NotFound,
    /// The row is sent, superseded or discarded.
    Final(RowState),
    /// A newer revision for the same backend exists.
    Outdated,
    /// The row is being sent just now.
    UnderWay,
}

impl RowCommand {
    /// Name of the command in routes and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl CommandOutcome {
    /// Result of a command as a message for people.
    pub const fn message(self, command: RowCommand) -> &'static str {
        match (self, command) {
            (Self::Done, RowCommand::Retry) => "it is retried now",
            (Self::Done, RowCommand::Discard) => "it is given up",
            (Self::NotFound, _) => "there is no such row",
            (Self::Final(RowState::Superseded), _) => "a newer revision has superseded it",
            (Self::Final(RowState::Discarded), _) => "it was given up before",
            (Self::Final(_), _) => "the backend has it already",
            (Self::Outdated, _) => "a newer revision exists; retry that one",
            (Self::UnderWay, _) => "it is being sent just now",
        }
    }
}

/// Applies a person's command to a row.
pub(in crate::store) fn apply(
    session: &mut Session<'_>,
    row: i64,
    command: RowCommand,
    now: Timestamp,
) -> sql::Result<CommandOutcome> {
    // A newer revision of a deployment does not replace its mark, nor the other way round, so topics are compared.
    const FIND: &str = "SELECT backend, state, EXISTS (SELECT 1 FROM outbox newer
            WHERE (newer.failure = o.failure OR newer.deployment = o.deployment) AND newer.topic = o.topic
            AND newer.backend = o.backend AND newer.revision > o.revision), claimed_by
        FROM outbox o WHERE id = ?1";
    const DISCARD: &str =
        "UPDATE outbox SET state = 'discarded', due_at_ns = NULL, suspect = 0 WHERE id = ?1";
    const RETRY: &str =
        "UPDATE outbox SET state = 'pending', due_at_ns = ?2, missing_since_ns = NULL, missing = 0
        WHERE id = ?1";
    let found = session.db().one(FIND, params![row], |columns| {
        Ok((columns.get(0)?, row_state(columns, 1)?, columns.get(2)?, columns.get(3)?))
    })?;
    let Some((backend, state, has_newer, claimed_by)): Option<(String, RowState, bool, Option<i64>)> = found
    else {
        return Ok(CommandOutcome::NotFound);
    };
    match (state, command) {
        _ if claimed_by == Some(session.epoch(&backend)?) => return Ok(CommandOutcome::UnderWay),
        (RowState::Pending | RowState::Dead, RowCommand::Discard) => {
            session.run(DISCARD, params![row])?;
            late::after_giving_up(session, row, now)?;
        }
        // A newer revision has every field. An older one sent after it would undo it.
        (RowState::Dead, RowCommand::Retry) if has_newer => return Ok(CommandOutcome::Outdated),
        (RowState::Pending | RowState::Dead, RowCommand::Retry) => {
            session.run(RETRY, params![row, now.as_nanos()])?;
            lane::request_retry(session, &backend, now)?;
        }
        (settled, _) => return Ok(CommandOutcome::Final(settled)),
    }
    session.changes.outbox_changed = true;
    Ok(CommandOutcome::Done)
}

/// Result of a command for all dead rows, or for a part of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandTotals {
    /// Number of rows for which the command is done.
    pub done: u64,
    /// Number of rows that the command left as they are: a newer revision exists, or the row is being sent or has changed.
    pub outdated: u64,
    /// Number of rows that were not dead, and waited because of failed attempts. They are retried now.
    pub waiting: u64,
}

impl std::ops::AddAssign for CommandTotals {
    fn add_assign(&mut self, part: Self) {
        self.done += part.done;
        self.outdated += part.outdated;
        self.waiting += part.waiting;
    }
}

/// Progress of a command for all dead rows: the backend and the id of the last row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandCursor(String, i64);

/// Applies a person's command to the next dead rows. Returns their number, and the place to continue after; `None` if
/// there are no more.
pub(in crate::store) fn apply_to_some(
    session: &mut Session<'_>,
    backend: Option<&str>,
    command: RowCommand,
    CommandCursor(last_backend, last_id): &CommandCursor,
    now: Timestamp,
) -> sql::Result<(CommandTotals, Option<CommandCursor>)> {
    // In the order of the index of dead rows, which is small.
    const DEAD: &str = "SELECT backend, id FROM outbox WHERE state = 'dead' AND (backend, id) > (?1, ?2)
        AND (CAST(?3 AS TEXT) IS NULL OR backend = ?3) ORDER BY backend, id LIMIT ?4";
    // The rows of one backend begin there in the index.
    let last_backend = backend.filter(|backend| *backend > last_backend.as_str()).unwrap_or(last_backend);
    let rows = session.db().all(DEAD, params![last_backend, last_id, backend, READ_AT_A_TIME], |row| {
        Ok(CommandCursor(row.get(0)?, row.get(1)?))
    })?;
    let ids = rows.iter().map(|CommandCursor(_, row)| *row);
    let (total, handled) = apply_in_time(session, ids, command, now)?;
    Ok((total, rows[..handled].last().cloned()))
}

/// Applies a person's command to these rows in their order, until the time for a part is over. Returns the totals, and the
/// number of rows handled.
pub(super) fn apply_in_time(
    session: &mut Session<'_>,
    rows: impl Iterator<Item = i64>,
    command: RowCommand,
    now: Timestamp,
) -> sql::Result<(CommandTotals, usize)> {
    let limit = TimeLimit::of_a_part();
    let (mut total, mut handled) = (CommandTotals::default(), 0);
    for row in rows {
        match apply(session, row, command, now)? {
            CommandOutcome::Done => total.done += 1,
            CommandOutcome::NotFound
            | CommandOutcome::Final(_)
            | CommandOutcome::Outdated
            | CommandOutcome::UnderWay => total.outdated += 1,
        }
        handled += 1;
        if limit.is_over() {
            break;
        }
    }
    Ok((total, handled))
}

/// Progress of a retry of the rows that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryCursor {
    /// Backend and credential of the last lane whose rows are all retried.
    after: (String, String),
    /// Number of rows of the next lane that were made due.
    made_due: u64,
}

/// Retries some of the waiting rows of a backend, or of all, at once: those that wait because of failed attempts, and
/// those that wait for a probe. Returns their number, and the place to continue after; `None` if there are no more.
pub(in crate::store) fn request_retry_of_some(
    session: &mut Session<'_>,
    backend: Option<&str>,
    cursor: &RetryCursor,
    now: Timestamp,
) -> sql::Result<(CommandTotals, Option<RetryCursor>)> {
    const NEXT: &str = "SELECT backend, lane FROM lane WHERE (backend, lane) > (?1, ?2)
        AND (CAST(?3 AS TEXT) IS NULL OR backend = ?3) ORDER BY backend, lane LIMIT 1";
    let (last_backend, last_lane) = &cursor.after;
    let next: Option<(String, String)> =
        session
            .db()
            .one(NEXT, params![last_backend, last_lane, backend], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((backend, word)) = next else { return Ok((CommandTotals::default(), None)) };
    let lane = Lane::parse(&word).ok_or_else(|| unknown_word(1, &word))?;
    let part = lane::make_due(session, &backend, (lane, true), now)?;
    let made_due = cursor.made_due + part.rows;
    if part.may_have_more {
        return Ok((CommandTotals::default(), Some(RetryCursor { made_due, ..cursor.clone() })));
    }
    // If only probes are sent, the rows just made due are among those that wait for a probe.
    let waiting = u64::from(lane::waiting_for_probe(session, &backend, lane, now)?).max(made_due);
    lane::request_retry(session, &backend, now)?;
    let next = RetryCursor { after: (backend, word), made_due: 0 };
    Ok((CommandTotals { waiting, ..CommandTotals::default() }, Some(next)))
}
