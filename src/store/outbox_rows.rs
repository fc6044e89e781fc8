//! The outbox as people see it, and what they may do with its rows.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::listing::{ReadError, Reader};
use super::writer::Session;
use crate::domain::timestamp::Timestamp;

/// Which rows to list, oldest first.
#[derive(Debug, Clone, Default)]
pub struct OutboxFilter {
    /// Only those in this state.
    pub state: Option<RowState>,
    /// Only those after this one: what [`OutboxPage::next`] said before.
    pub after: i64,
    /// At most that many.
    pub limit: usize,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// To be sent.
    Pending,
    /// The backend has it.
    Sent,
    /// The backend will not take it.
    Dead,
    /// A newer revision replaced it. The backend has nothing of it: it was never attempted, or every attempt was clearly
    /// refused (with a 429, for example).
    Superseded,
    /// A person gave it up.
    Discarded,
}

impl RowState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sent, Self::Dead, Self::Superseded, Self::Discarded];

    /// The word for it in JSON, tables and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Superseded => "superseded",
            Self::Discarded => "discarded",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A part of the outbox, as the API's JSON has it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct OutboxPage {
    /// The rows.
    pub rows: Vec<OutboxRow>,
    /// Where the next part begins, where there is one.
    pub next: Option<i64>,
}

/// One revision of one failure, or of one deployment, for one backend.
#[derive(Debug, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The row.
    pub id: i64,
    /// The backend.
    pub backend: String,
    /// The failure that it is about; `None`: it is about a deployment.
    pub failure: Option<String>,
    /// The deployment that it is about, or marks; `None`: it is about a failure.
    pub deployment: Option<String>,
    /// Its revision.
    pub revision: i64,
    /// What became of it.
    pub state: RowState,
    /// How often it was attempted.
    pub attempts: u32,
    /// When it is tried next; only of a pending one.
    pub next_attempt_at: Option<Timestamp>,
    /// The last answer, if there was one.
    pub last_status: Option<u16>,
    /// What was wrong last.
    pub last_error: Option<String>,
}

impl OutboxRow {
    /// The id of what it is about.
    pub fn subject(&self) -> &str {
        self.failure.as_deref().or(self.deployment.as_deref()).unwrap_or_default()
    }
}

/// What a person wants done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Try it again, now.
    Retry,
    /// Give it up.
    Discard,
}

/// What came of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obeyed {
    /// It is done.
    Done,
    /// There is no such row.
    NotFound,
    /// It has been sent, superseded or discarded.
    Settled(RowState),
    /// A newer revision for the same backend has taken its place.
    Outdated,
    /// It is being sent just now.
    UnderWay,
}

impl Order {
    /// The word for it in routes and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
        }
    }
}

impl Obeyed {
    /// What came of an order, for people.
    pub const fn says(self, order: Order) -> &'static str {
        match (self, order) {
            (Self::Done, Order::Retry) => "it is tried again now",
            (Self::Done, Order::Discard) => "it is given up",
            (Self::NotFound, _) => "there is no such row",
            (Self::Settled(RowState::Superseded), _) => "a newer revision has superseded it",
            (Self::Settled(RowState::Discarded), _) => "it was given up before",
            (Self::Settled(_), _) => "the backend has it already",
            (Self::Outdated, _) => "there is a newer revision, which says it all",
            (Self::UnderWay, _) => "it is being sent just now",
        }
    }
}

impl Reader {
    /// The rows that pass the filter.
    pub fn outbox(&self, filter: &OutboxFilter) -> Result<OutboxPage, ReadError> {
        const SQL: &str = "SELECT o.id, backend, failure_id, o.revision, o.state, attempts, due_at_ns,
                last_status, last_error, deployment_id FROM outbox o LEFT JOIN failure f ON f.id = o.failure
                LEFT JOIN deployment d ON d.id = o.deployment
            WHERE o.id > ?1 AND (?2 IS NULL OR o.state = ?2) ORDER BY o.id LIMIT ?3";
        let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.lock();
        let mut statement = db.prepare_cached(SQL)?;
        let state = filter.state.map(RowState::as_str);
        let rows = statement.query_map(params![filter.after, state, one_more], |row| {
            let due_at_ns: Option<i64> = row.get(6)?;
            Ok(OutboxRow {
                id: row.get(0)?,
                backend: row.get(1)?,
                failure: row.get(2)?,
                deployment: row.get(9)?,
                revision: row.get(3)?,
                state: RowState::parse(row.get_ref(4)?.as_str()?).unwrap_or(RowState::Dead),
                attempts: row.get(5)?,
                next_attempt_at: due_at_ns.map(Timestamp::from_nanos),
                last_status: row.get(7)?,
                last_error: row.get(8)?,
            })
        })?;
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        let has_more = rows.len() > filter.limit;
        rows.truncate(filter.limit);
        let next = rows.last().filter(|_| has_more).map(|row| row.id);
        Ok(OutboxPage { rows, next })
    }
}

/// Does with a row what a person wants.
pub(super) fn obey(
    session: &mut Session<'_>,
    row: i64,
    order: Order,
    now: Timestamp,
) -> rusqlite::Result<Obeyed> {
    // A deployment's forwarding says nothing of its mark, nor the other way round.
    const FIND: &str = "SELECT state, EXISTS (SELECT 1 FROM outbox newer WHERE newer.failure = o.failure
            AND newer.backend = o.backend AND newer.revision > o.revision)
        OR EXISTS (SELECT 1 FROM outbox newer WHERE newer.deployment = o.deployment
            AND newer.backend = o.backend AND newer.revision > o.revision
            AND (newer.action IN ('mark', 'unmark')) = (o.action IN ('mark', 'unmark')))
        FROM outbox o WHERE id = ?1";
    const SET: &str = "UPDATE outbox SET state = ?2, due_at_ns = ?3 WHERE id = ?1";
    let found = session.prepare(FIND)?.query_row([row], |columns| {
        let state = RowState::parse(columns.get_ref(0)?.as_str()?).unwrap_or(RowState::Dead);
        Ok((state, columns.get(1)?))
    });
    let Some((state, has_newer)): Option<(RowState, bool)> = found.optional()? else {
        return Ok(Obeyed::NotFound);
    };
    match (state, order) {
        _ if session.claimed.contains(&row) => return Ok(Obeyed::UnderWay),
        (RowState::Pending | RowState::Dead, Order::Discard) => {
            session.execute(SET, params![row, RowState::Discarded.as_str(), None::<i64>])?;
        }
        // What is newer says it all: an older one behind it would undo that.
        (RowState::Dead, Order::Retry) if has_newer => return Ok(Obeyed::Outdated),
        (RowState::Pending | RowState::Dead, Order::Retry) => {
            session.execute(SET, params![row, RowState::Pending.as_str(), now.as_nanos()])?;
        }
        (settled, _) => return Ok(Obeyed::Settled(settled)),
    }
    session.outbox_changed = true;
    Ok(Obeyed::Done)
}
