//! Failures sent to the event API. A failure is replaced whole, and the last one committed wins.

use super::failure::{Facts, FailureRow};
use super::links::remember_names;
use crate::domain::failure::FailureState;
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// Result of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// The failure is saved or deleted.
    Done,
    /// The id belongs to an incident that has events here.
    BelongsToIncident,
    /// There is no such failure.
    NotFound,
}

pub(in crate::store) fn save(
    session: &mut Session<'_>,
    submission: &Submission,
    now: Timestamp,
) -> sql::Result<Submitted> {
    let facts = Facts::Submission(Box::new(submission.clone()));
    let row = match FailureRow::load(session.db(), &submission.id)? {
        Some(FailureRow { facts: Facts::History(_) | Facts::Damaged, .. }) => {
            return Ok(Submitted::BelongsToIncident);
        }
        Some(stored) => stored.with(facts),
        None => FailureRow::new(submission.id.clone(), facts),
    };
    row.save(session, Some(submission.evaluate(&session.settings.policy)), now)?;
    Ok(Submitted::Done)
}

/// Removes a failure, also from the backends that have it.
pub(in crate::store) fn delete(
    session: &mut Session<'_>,
    id: &FailureId,
    now: Timestamp,
) -> sql::Result<Submitted> {
    const HIDE: &str =
        "UPDATE failure SET state = NULL, kind = NULL, counts_for = NULL, created_at_ns = NULL,
        duration_log2 = NULL, cause = NULL, cause_how = NULL, remediation = NULL WHERE id = ?1";
    let Some(row) = FailureRow::load(session.db(), id)? else {
        return Ok(Submitted::NotFound);
    };
    let Facts::Submission(submission) = &row.facts else {
        return Ok(Submitted::BelongsToIncident);
    };
    let mut withdrawn = submission.evaluate(&session.settings.policy);
    withdrawn.failure.state = FailureState::Ignored;
    withdrawn.failure.reason = Some("deleted".to_owned());
    let row = row.save(session, Some(withdrawn), now)?;
    session.run(HIDE, params![row])?;
    remember_names(session, row, None)?;
    Ok(Submitted::Done)
}
