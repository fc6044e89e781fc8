//! The outbox: what each backend has still to be told, and what became of what it was told.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Params, Row, params};

use super::deployment_row;
use super::failure_row::FailureRow;
use super::resend;
use super::writer::Session;
use crate::domain::failure::{Evaluated, State};
use crate::domain::forwarding::{Action, Destination, Frozen, Subject, Telling, seen_through};
use crate::domain::lane::Lane;
use crate::domain::timestamp::Timestamp;

/// The answers to be tried again that say that nothing was taken: keys were wrong, there is nothing (yet) to change,
/// too much at once. After a 503 of some proxy that is not certain.
fn is_clear(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 429)
}

/// A row is suspect from so many failed attempts on, while other rows are accepted.
const SUSPECT_FROM_ATTEMPTS: u32 = 3;

/// Number of a row's attempts that are kept; two days of an outage are six hundred.
const MOST_ATTEMPTS_KEPT: i64 = 20;

/// Something new for one backend.
pub(super) struct News {
    backend: String,
    due_at: Timestamp,
    /// `None`: it was never told of the failure, and now need not be.
    frozen: Option<Frozen>,
}

impl News {
    /// `true` if there is a request to send.
    pub(super) fn is_revision(&self) -> bool {
        self.frozen.is_some()
    }
}

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The backend has it.
    Sent {
        /// The answer; `None`: there was nothing to send.
        status: Option<u16>,
    },
    /// To be tried again.
    Retry {
        /// Time of the next attempt.
        due_at: Timestamp,
        /// The answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
    /// Never to be tried again, unless a person says so.
    Dead {
        /// The answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
    /// Refused for reasons that are not its own: it was no attempt.
    Released {
        /// Time to look at it again.
        due_at: Timestamp,
        /// The answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
}

impl Outcome {
    /// `true` if the backend itself answered the request, so that the request cannot arrive later: a proxy that
    /// gave up on it may still pass it on.
    fn is_answered(&self) -> bool {
        match self {
            Self::Retry { status, .. } => {
                status.is_some_and(|status| (200..=501).contains(&status) && status != 408)
            }
            Self::Sent { .. } | Self::Dead { .. } | Self::Released { .. } => true,
        }
    }

    /// `true` if the backend certainly has nothing of the last request.
    fn is_clear_refusal(&self) -> bool {
        match self {
            Self::Sent { status } => status.is_none(),
            Self::Retry { status, .. } => status.is_some_and(is_clear),
            Self::Dead { .. } | Self::Released { .. } => true,
        }
    }
}

/// Revisions that the backends do not know yet: the first when a failure completes, later ones whenever the bytes
/// change.
pub(super) fn news(
    session: &Session<'_>,
    row: &FailureRow,
    evaluated: &Evaluated,
    now: Timestamp,
) -> rusqlite::Result<Vec<News>> {
    if evaluated.failure.state != State::Completed && row.revision == 0 {
        return Ok(Vec::new());
    }
    let end = evaluated.failure.finished_at.filter(|_| evaluated.failure.state == State::Completed);
    let due_at = session.settings.policy.told_at(end, now);
    let mut news = Vec::new();
    for destination in &session.settings.destinations {
        let backend = destination.name();
        let mut seen = seen_through(destination.filter(), evaluated);
        if destination.shows_links() {
            let linked = deployment_row::linked(session, evaluated)?;
            seen.to_mut().failure.deployment = linked.map(|id| id.to_string());
        }
        let is_correction = row.revision > 0 && was_told(session, row, backend)?;
        let frozen = if seen.failure.state == State::Completed || is_correction {
            let telling = Telling { revision: row.revision + 1, is_correction };
            match latest(session, row, backend)? {
                Some((revision, latest)) if says_the_same(&**destination, &seen, revision, &latest) => {
                    continue;
                }
                _ => Some(destination.freeze(&seen, telling)),
            }
        } else if row.revision > 0 {
            None
        } else {
            continue;
        };
        news.push(News { backend: backend.to_owned(), due_at, frozen });
    }
    Ok(news)
}

/// `true` if a request tells exactly this evaluation, as a first message or as a correction.
fn says_the_same(
    destination: &dyn Destination,
    evaluated: &Evaluated,
    revision: i64,
    frozen: &Frozen,
) -> bool {
    [false, true]
        .into_iter()
        .any(|is_correction| destination.freeze(evaluated, Telling { revision, is_correction }) == *frozen)
}

/// `true` if the backend may know the failure: at least one attempt was not clearly refused.
fn was_told(session: &Session<'_>, row: &FailureRow, backend: &str) -> rusqlite::Result<bool> {
    const SQL: &str =
        "SELECT 1 FROM outbox WHERE failure = ?1 AND backend = ?2 AND (in_doubt > 0 OR taken > 0)";
    session.prepare(SQL)?.exists(params![row.id, backend])
}

/// The revision that the backend was told of, or will be, and how.
fn latest(session: &Session<'_>, row: &FailureRow, backend: &str) -> rusqlite::Result<Option<(i64, Frozen)>> {
    const SQL: &str =
        "SELECT revision, action, body FROM outbox WHERE failure = ?1 AND backend = ?2 AND state <> 'superseded'
        ORDER BY revision DESC LIMIT 1";
    if row.revision == 0 {
        return Ok(None);
    }
    session
        .prepare(SQL)?
        .query_row(params![row.id, backend], |row| Ok((row.get(0)?, frozen(row, 1)?)))
        .optional()
}

/// The request in these two columns.
pub(super) fn frozen(row: &Row<'_>, first_column: usize) -> rusqlite::Result<Frozen> {
    Ok(Frozen { action: action(row, first_column)?, body: row.get(first_column + 1)? })
}

/// The action in this column.
pub(super) fn action(row: &Row<'_>, column: usize) -> rusqlite::Result<Action> {
    let word = row.get_ref(column)?.as_str()?;
    let action = Action::ALL.into_iter().find(|action| action.as_str() == word);
    action.ok_or_else(|| unknown_word(column, word))
}

/// A word that this program never writes there: the store is damaged.
pub(super) fn unknown_word(column: usize, word: &str) -> rusqlite::Error {
    let error = format!("the store holds an unknown word: {word:?}");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// Subject of a row: the failure's id is in one column, the deployment's in another.
pub(super) fn subject(row: &Row<'_>, failure: usize, deployment: usize) -> rusqlite::Result<Subject> {
    let failure: Option<String> = row.get(failure)?;
    match failure {
        Some(id) => Ok(Subject::Failure(id)),
        None => row.get(deployment).map(Subject::Deployment),
    }
}

/// Puts a revision before the backends, in place of those that none of them can know.
pub(super) fn add(
    session: &mut Session<'_>,
    failure: i64,
    revision: i64,
    news: Vec<News>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for News { backend, due_at, frozen } in news {
        supersede(session, failure, &backend, frozen.is_none())?;
        if let Some(frozen) = frozen {
            put(
                session,
                About::Failure(failure),
                &Revision { backend: &backend, number: revision, due_at, frozen },
                now,
            )?;
        }
    }
    Ok(())
}

/// The row that a revision is about.
#[derive(Clone, Copy)]
pub(super) enum About {
    Failure(i64),
    Deployment(i64),
}

/// Revision for a backend.
pub(super) struct Revision<'a> {
    pub(super) backend: &'a str,
    pub(super) number: i64,
    pub(super) due_at: Timestamp,
    pub(super) frozen: Frozen,
}

pub(super) fn put(
    session: &mut Session<'_>,
    about: About,
    Revision { backend, number, due_at, frozen }: &Revision<'_>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const INSERT: &str =
        "INSERT INTO outbox (backend, failure, deployment, revision, due_at_ns, created_at_ns, lane, action, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (failure, deployment) = match about {
        About::Failure(row) => (Some(row), None),
        About::Deployment(row) => (None, Some(row)),
    };
    let (due_at_ns, now_ns) = (due_at.as_nanos(), now.as_nanos());
    let Frozen { action, body } = frozen;
    let lane = destination(session, backend).map_or(Lane::Main, |destination| destination.lane(*action));
    let (lane, action) = (lane.as_str(), action.as_str());
    session.execute(
        INSERT,
        params![backend, failure, deployment, number, due_at_ns, now_ns, lane, action, body],
    )?;
    session.outbox_changed = true;
    Ok(())
}

/// Takes back what the backend cannot know. Where nothing new takes its place, what it refused for good must not be
/// revived either: the failure does not count any more.
fn supersede(session: &Session<'_>, failure: i64, backend: &str, also_dead: bool) -> rusqlite::Result<()> {
    const UNKNOWN: &str =
        "SELECT id FROM outbox WHERE failure = ?1 AND backend = ?2 AND in_doubt = 0 AND taken = 0
        AND (state = 'pending' OR (state = 'dead' AND ?3))";
    supersede_rows(session, UNKNOWN, params![failure, backend, also_dead])
}

/// Takes back the rows that a query finds, but for those that are under way.
pub(super) fn supersede_rows(session: &Session<'_>, sql: &str, params: impl Params) -> rusqlite::Result<()> {
    const SUPERSEDE: &str = "UPDATE outbox SET state = 'superseded', due_at_ns = NULL WHERE id = ?1";
    let rows: Vec<i64> =
        session.prepare(sql)?.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?;
    for row in rows.into_iter().filter(|row| !session.claimed.contains(row)) {
        session.execute(SUPERSEDE, [row])?;
    }
    Ok(())
}

/// The backend of this name, where it is configured.
pub(super) fn destination<'a>(session: &Session<'a>, backend: &str) -> Option<&'a dyn Destination> {
    let settings = session.settings;
    settings.destinations.iter().find(|destination| destination.name() == backend).map(|found| &**found)
}

/// An attempt that ended.
pub(super) struct Attempted {
    /// The row.
    pub(super) row: i64,
    /// Result of the attempt.
    pub(super) outcome: Outcome,
    /// Number of the row's requests that the backend has.
    pub(super) taken: u32,
}

/// Records what came of an attempt.
pub(super) fn record_attempt(
    session: &mut Session<'_>,
    Attempted { row, outcome, taken }: &Attempted,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const REMEMBER: &str = "INSERT OR REPLACE INTO attempt
        SELECT id, attempts, ?2, ?3, ?4 FROM outbox WHERE id = ?1";
    const FORGET: &str = "DELETE FROM attempt WHERE outbox = ?1
        AND number <= (SELECT attempts FROM outbox WHERE id = ?1) - ?2";
    const STATE: &str = "SELECT state FROM outbox WHERE id = ?1";
    const RECORD: &str =
        "UPDATE outbox SET state = ?2, due_at_ns = ?3, again_at_ns = ?4, attempts = attempts - ?5,
        refusals = refusals + ?5, last_status = coalesce(?6, last_status), last_error = ?7,
        in_doubt = in_doubt - ?8, unknown = unknown - ?9, taken = max(taken, ?10) WHERE id = ?1";
    let state: String = session.prepare(STATE)?.query_row([row], |columns| columns.get(0))?;
    let (new_state, later, status, error) = match outcome {
        Outcome::Sent { status } => ("sent", None, *status, None),
        Outcome::Retry { due_at, status, error } | Outcome::Released { due_at, status, error } => {
            ("pending", Some(due_at.as_nanos()), *status, Some(error))
        }
        Outcome::Dead { status, error } => ("dead", None, *status, Some(error)),
    };
    // A row that is sent once more stays sent, whatever the result.
    let is_sent_again = state == "sent";
    let (state, due_at_ns, again_at_ns) =
        if is_sent_again { ("sent", None, later) } else { (new_state, later, None) };
    session.execute(REMEMBER, params![row, now.as_nanos(), status, error])?;
    session.execute(FORGET, params![row, MOST_ATTEMPTS_KEPT])?;
    let not_counted = matches!(outcome, Outcome::Released { .. });
    let (not_in_doubt, is_answered) = (outcome.is_clear_refusal(), outcome.is_answered());
    session.execute(
        RECORD,
        params![
            row,
            state,
            due_at_ns,
            again_at_ns,
            not_counted,
            status,
            error,
            not_in_doubt,
            is_answered,
            taken
        ],
    )?;
    judge(session, *row, outcome, now)?;
    match outcome {
        Outcome::Sent { status: Some(_) } => resend::accepted(session, *row, is_sent_again, now)?,
        Outcome::Dead { .. } if is_sent_again => resend::refused(session, *row)?,
        _ => {}
    }
    session.claimed.remove(row);
    Ok(())
}

/// Notes since when a row fails, and whether it is at fault itself: others of its backend were accepted since.
fn judge(session: &Session<'_>, row: i64, outcome: &Outcome, now: Timestamp) -> rusqlite::Result<()> {
    const WELL: &str =
        "UPDATE outbox SET failing_since_ns = NULL, missing_since_ns = NULL, missing = 0, suspect = 0
        WHERE id = ?1 AND (failing_since_ns IS NOT NULL OR suspect = 1)";
    const MISSING: &str =
        "UPDATE outbox SET missing_since_ns = coalesce(missing_since_ns, ?2), missing = missing + 1
        WHERE id = ?1";
    const NOT_MISSING: &str = "UPDATE outbox SET missing_since_ns = NULL, missing = 0
        WHERE id = ?1 AND missing > 0";
    const FAILS: &str = "UPDATE outbox SET failing_since_ns = coalesce(failing_since_ns, ?2),
        suspect = attempts >= ?3 AND EXISTS (SELECT 1 FROM lane WHERE lane.backend = outbox.backend
            AND lane.lane = outbox.lane AND lane.succeeded_at_ns >= coalesce(outbox.failing_since_ns, ?2 + 1))
        WHERE id = ?1";
    let (Outcome::Retry { status, .. } | Outcome::Released { status, .. }) = outcome else {
        return session.execute(WELL, [row]).map(drop);
    };
    match status {
        Some(404 | 405) => drop(session.execute(MISSING, params![row, now.as_nanos()])?),
        Some(_) => drop(session.execute(NOT_MISSING, [row])?),
        None => {}
    }
    if *status == Some(429) {
        return Ok(());
    }
    session.execute(FAILS, params![row, now.as_nanos(), SUSPECT_FROM_ATTEMPTS]).map(drop)
}
