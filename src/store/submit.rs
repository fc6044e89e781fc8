//! Failures that come by the event API: replaced whole, the last one committed wins.

use super::failure_row::{Facts, FailureRow};
use super::writer::Session;
use crate::domain::failure::State;
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;

/// Result of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is done.
    Done,
    /// The id is that of an incident this daemon follows itself.
    IncidentsOwn,
    /// There is no such failure.
    NotFound,
}

pub(super) fn save(
    session: &mut Session<'_>,
    submission: &Submission,
    now: Timestamp,
) -> rusqlite::Result<Submitted> {
    let facts = Facts::Submission(Box::new(submission.clone()));
    let row = match FailureRow::load(session.db(), &submission.id)? {
        Some(FailureRow { facts: Facts::History(_) | Facts::Damaged, .. }) => {
            return Ok(Submitted::IncidentsOwn);
        }
        Some(stored) => FailureRow { facts, ..stored },
        None => FailureRow::new(submission.id.clone(), facts),
    };
    row.save(session, Some(&submission.evaluate(&session.settings.policy)), now)?;
    Ok(Submitted::Done)
}

/// Takes a failure back, also at the backends that were told of it.
pub(super) fn delete(
    session: &mut Session<'_>,
    id: &FailureId,
    now: Timestamp,
) -> rusqlite::Result<Submitted> {
    const HIDE: &str = "UPDATE failure SET state = NULL, counts_for = NULL WHERE id = ?1";
    let Some(row) = FailureRow::load(session.db(), id)? else {
        return Ok(Submitted::NotFound);
    };
    let Facts::Submission(submission) = &row.facts else {
        return Ok(Submitted::IncidentsOwn);
    };
    let mut withdrawn = submission.evaluate(&session.settings.policy);
    withdrawn.failure.state = State::Ignored;
    withdrawn.failure.reason = Some("deleted".to_owned());
    let row = row.save(session, Some(&withdrawn), now)?;
    session.execute(HIDE, [row])?;
    Ok(Submitted::Done)
}
