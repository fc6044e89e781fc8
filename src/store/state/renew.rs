//! Updating links: when a deployment arrives or changes, the links of the failures in its reach are decided again.

use super::failed_deployments;
use super::failure;
use super::links::decide;
use super::reach;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::{Session, TouchedFailure};
use crate::store::engine::sql::{self, params};

/// Decides again the links that the deployments of this transaction may have changed.
pub(in crate::store) fn links(session: &mut Session<'_>) -> sql::Result<()> {
    if session.changes.deployments.is_empty() {
        return Ok(());
    }
    let mut touched = std::mem::take(&mut session.changes.deployments);
    let sends_marks = session.settings.destinations.iter().any(|destination| destination.forwards_marks());
    for (row, deployment) in touched.iter_mut().filter(|(_, touched)| !touched.is_linked) {
        deployment.is_linked = true;
        // A deployment that was sent again unchanged changes no link.
        if !deployment.is_changed() {
            continue;
        }
        let now = deployment.now;
        for failure in reach::failures(session, *row, deployment)? {
            relink(session, failure, now)?;
        }
        session.changes.touch_mark(Some(*row), now);
        if sends_marks {
            for failed in reach::later_remediations(session.db(), deployment)? {
                session.changes.touch_mark(Some(failed), now);
            }
            // A version may name one deployment no more, or again.
            for namesake in reach::namesakes(session.db(), *row, deployment)? {
                session.changes.touch_mark(Some(namesake), now);
            }
        }
    }
    session.changes.deployments = touched;
    Ok(())
}

/// Decides the links of a stored failure again.
fn relink(session: &mut Session<'_>, row: i64, now: Timestamp) -> sql::Result<()> {
    const SAVE: &str = "UPDATE failure SET cause = ?2, cause_how = ?3, remediation = ?4 WHERE id = ?1";
    let Some(stored) = failure::stored(session.db(), row)? else { return Ok(()) };
    let before = stored.links;
    let after = decide(session.db(), &stored.evaluated, session.settings.policy.link_window)?;
    // Also if the links stay the same: the deployment that fixed the failure may have changed.
    session.changes.touch_mark(before.cause, now);
    session.changes.touch_mark(after.cause, now);
    if before == after {
        return Ok(());
    }
    session.run(SAVE, params![row, after.cause, after.how.as_str(), after.remediation])?;
    failed_deployments::note(session, [before.cause, after.cause])?;
    if before.cause != after.cause {
        let touched = TouchedFailure { evaluated: Some(stored.evaluated), revision: stored.revision, now };
        session.changes.failures.entry(row).or_insert(touched);
    }
    Ok(())
}
