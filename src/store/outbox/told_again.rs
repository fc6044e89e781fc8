//! Requests that backends get again because a person asks for it.

use super::rows::{ExistingRow, NewRow, Revisions, RowState, Topic};
use crate::domain::failure::{Evaluated, FailureState};
use crate::domain::forwarding::{Action, Destination, RevisionContext};
use crate::domain::tell::ToldCounts;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql;

/// If the backend is told again: puts the desired request into the outbox once more, with its revision and its bytes.
/// `newest` is the row that has it. Only a request that was accepted is sent again: another one still waits, or needs a
/// decision of a person.
pub(super) fn put(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    revisions: Revisions<'_>,
    newest: &ExistingRow,
    now: Timestamp,
) -> sql::Result<()> {
    if session.changes.told_again.is_none() {
        return Ok(());
    }
    match newest.state {
        RowState::Sent => {
            let ExistingRow { revision, ref prepared, .. } = *newest;
            let request = NewRow { revision, repeats: true, due_at: Some(now), prepared: prepared.clone() };
            revisions.put(session, destination, &request, now)?;
            count(session, revisions, |counts| &mut counts.again);
        }
        RowState::Pending => count(session, revisions, |counts| &mut counts.waiting),
        RowState::Dead => count(session, revisions, |counts| &mut counts.dead),
        RowState::Discarded => count(session, revisions, |counts| &mut counts.discarded),
        RowState::Superseded => {}
    }
    Ok(())
}

/// `true` if a failure does not count, and can be deleted at the backend without harm: another host may have told of it
/// while it counted, and a deletion of what the backend does not have changes nothing there.
pub(super) fn may_be_deleted(destination: &dyn Destination, evaluated: &Evaluated) -> bool {
    let Evaluated { failure, .. } = evaluated;
    let correction = RevisionContext { revision: 0, is_correction: true };
    matches!(failure.state, FailureState::Ignored | FailureState::Merged)
        && destination.filter().passes(failure)
        && destination.prepare(evaluated, correction).action == Action::Delete
}

/// Counts a row if its backend is told again.
pub(super) fn count(
    session: &mut Session<'_>,
    Revisions { topic, backend, .. }: Revisions<'_>,
    which: fn(&mut ToldCounts) -> &mut u64,
) {
    let Some(rows) = session.changes.told_again.as_mut().and_then(|told| told.get_mut(backend)) else {
        return;
    };
    let counts = match topic {
        Topic::Failure => &mut rows.failures,
        Topic::Deployment => &mut rows.deployments,
        Topic::Mark => &mut rows.marks,
    };
    *which(counts) += 1;
}
