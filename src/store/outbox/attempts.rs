//! Recording the outcomes of attempts.

use super::late;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// `true` if an answer that leads to a retry proves that the backend accepted nothing: wrong credentials, no such
/// record (yet), too many requests. A 503 proves nothing, because it may come from a proxy.
fn proves_rejection(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 429)
}

/// Minimum number of failed attempts of a suspect row. Other rows must have been accepted meanwhile.
const SUSPECT_FROM_ATTEMPTS: u32 = 3;

/// Maximum number of stored attempts of each row. An outage of two days causes about six hundred.
const MOST_ATTEMPTS_KEPT: i64 = 20;

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The backend accepted the row.
    Sent {
        /// Status of the answer; `None` if there was nothing to send.
        status: Option<u16>,
    },
    /// The row will be retried.
    Retry {
        /// Time of the next attempt.
        due_at: Timestamp,
        /// Status of the answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
    /// The row will not be tried again, unless a person retries it.
    Dead {
        /// Status of the answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
    /// Our credentials were refused. That is not counted as an attempt.
    CredentialsRefused {
        /// Time of the next attempt.
        due_at: Timestamp,
        /// Status of the answer, if there was one.
        status: Option<u16>,
        /// Error of the attempt.
        error: String,
    },
}

impl AttemptOutcome {
    /// `true` if the backend itself answered the request, so that the request cannot arrive later. A proxy that answers
    /// with an error may still pass the request on.
    fn is_answered(&self) -> bool {
        match self {
            Self::Retry { status, .. } => {
                status.is_some_and(|status| (200..=501).contains(&status) && status != 408)
            }
            Self::Sent { .. } | Self::Dead { .. } | Self::CredentialsRefused { .. } => true,
        }
    }

    /// `true` if the backend certainly did not accept the last request.
    fn is_clearly_rejected(&self) -> bool {
        match self {
            Self::Sent { status } => status.is_none(),
            Self::Retry { status, .. } => status.is_some_and(proves_rejection),
            Self::Dead { .. } | Self::CredentialsRefused { .. } => true,
        }
    }
}

/// An attempt that ended.
pub(in crate::store) struct EndedAttempt {
    /// The row.
    pub(in crate::store) row: i64,
    /// Epoch of its claim.
    pub(in crate::store) epoch: i64,
    /// Result of the attempt.
    pub(in crate::store) outcome: AttemptOutcome,
    /// Number of the row's requests that the backend has.
    pub(in crate::store) taken: u32,
}

/// `true` if nobody else has claimed the row of an attempt since.
pub(in crate::store) fn has_valid_claim(session: &Session<'_>, ended: &EndedAttempt) -> sql::Result<bool> {
    const CLAIM: &str = "SELECT claimed_by FROM outbox WHERE id = ?1";
    let claimed_by: Option<Option<i64>> =
        session.db().one(CLAIM, params![ended.row], |columns| columns.get(0))?;
    Ok(claimed_by == Some(Some(ended.epoch)))
}

/// Notes the outcome of an attempt whose claim is not valid any more. Another replica has sent the row, or will: the outcome
/// only tells that the backend may have got an older state last.
pub(in crate::store) fn ended_late(
    session: &mut Session<'_>,
    EndedAttempt { row, outcome, .. }: &EndedAttempt,
    now: Timestamp,
) -> sql::Result<()> {
    if outcome.is_clearly_rejected() {
        return Ok(());
    }
    late::ended_late(session, *row, outcome.is_answered(), now)
}

/// Records the outcome of an attempt whose claim is valid, and releases the claim.
pub(in crate::store) fn record(
    session: &mut Session<'_>,
    EndedAttempt { row, outcome, taken, .. }: &EndedAttempt,
    now: Timestamp,
) -> sql::Result<()> {
    const REMEMBER: &str = "INSERT INTO attempt SELECT id, attempts, ?2, ?3, ?4 FROM outbox WHERE id = ?1
        ON CONFLICT (outbox, number) DO UPDATE SET ended_at_ns = ?2, status = ?3, error = ?4";
    const FORGET: &str = "DELETE FROM attempt WHERE outbox = ?1
        AND number <= (SELECT attempts FROM outbox WHERE id = ?1) - ?2";
    const RECORD: &str =
        "UPDATE outbox SET state = ?2, due_at_ns = ?3, claimed_by = NULL, attempts = attempts - ?4,
        refusals = refusals + ?4, last_status = coalesce(?5, last_status), last_error = ?6,
        in_doubt = in_doubt - ?7, unknown = unknown - ?8, 
        taken = CASE WHEN taken < ?9 THEN ?9 ELSE taken END WHERE id = ?1";
    let (state, due_at_ns, status, error) = match outcome {
        AttemptOutcome::Sent { status } => ("sent", None, *status, None),
        AttemptOutcome::Retry { due_at, status, error }
        | AttemptOutcome::CredentialsRefused { due_at, status, error } => {
            ("pending", Some(due_at.as_nanos()), *status, Some(error))
        }
        AttemptOutcome::Dead { status, error } => ("dead", None, *status, Some(error)),
    };
    session.run(REMEMBER, params![row, now.as_nanos(), status, error])?;
    session.run(FORGET, params![row, MOST_ATTEMPTS_KEPT])?;
    let not_counted = matches!(outcome, AttemptOutcome::CredentialsRefused { .. });
    let (not_in_doubt, is_answered) = (outcome.is_clearly_rejected(), outcome.is_answered());
    session.run(
        RECORD,
        params![row, state, due_at_ns, not_counted, status, error, not_in_doubt, is_answered, taken],
    )?;
    update_failing_since(session, *row, outcome, now)?;
    match outcome {
        AttemptOutcome::Sent { status: Some(_) } => late::accepted(session, *row, now),
        AttemptOutcome::Dead { .. } => late::after_giving_up(session, *row, now),
        _ => Ok(()),
    }
}

/// Updates the time since which a row fails, and marks the row as suspect if other rows were accepted since then.
fn update_failing_since(
    session: &Session<'_>,
    row: i64,
    outcome: &AttemptOutcome,
    now: Timestamp,
) -> sql::Result<()> {
    const WELL: &str =
        "UPDATE outbox SET failing_since_ns = NULL, missing_since_ns = NULL, missing = 0, suspect = 0
        WHERE id = ?1 AND (failing_since_ns IS NOT NULL OR suspect = 1)";
    const MISSING: &str =
        "UPDATE outbox SET missing_since_ns = coalesce(missing_since_ns, ?2), missing = missing + 1
        WHERE id = ?1";
    const NOT_MISSING: &str = "UPDATE outbox SET missing_since_ns = NULL, missing = 0
        WHERE id = ?1 AND missing > 0";
    const FAILS: &str = "UPDATE outbox SET failing_since_ns = coalesce(failing_since_ns, ?2),
        suspect = CASE WHEN attempts >= ?3 AND EXISTS (SELECT 1 FROM lane WHERE lane.backend = outbox.backend
            AND lane.lane = outbox.lane AND lane.succeeded_at_ns >= coalesce(outbox.failing_since_ns, ?2 + 1))
            THEN 1 ELSE 0 END
        WHERE id = ?1";
    let (AttemptOutcome::Retry { status, .. } | AttemptOutcome::CredentialsRefused { status, .. }) = outcome
    else {
        return session.run(WELL, params![row]).map(drop);
    };
    match status {
        Some(404 | 405) => drop(session.run(MISSING, params![row, now.as_nanos()])?),
        Some(_) => drop(session.run(NOT_MISSING, params![row])?),
        None => {}
    }
    if *status == Some(429) {
        return Ok(());
    }
    session.run(FAILS, params![row, now.as_nanos(), SUSPECT_FROM_ATTEMPTS]).map(drop)
}
