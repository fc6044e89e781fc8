//! Reconciling: the desired state of a backend is compared with its sent state, and the difference is put into the
//! outbox. This works in the same way for failures, deployments and marks, and does not depend on the reason of a
//! change.

use std::collections::BTreeMap;

use super::desired::{Desired, failed, of_deployment, of_failure, remediation_kind};
use super::late::repeat;
use super::mark_target;
use super::rows::{ExistingRow, NewRow, Revisions, Topic, destination};
use super::told_again;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Evaluated, FailureState};
use crate::domain::forwarding::{Action, Destination, FailuresSent, RevisionContext};
use crate::domain::id::DeploymentId;
use crate::domain::mark::{FailedDeployment, Mark, MarkRequest, MarkTarget, Remediation};
use crate::domain::mark_address::{AddressFacts, address};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::{Session, TouchedFailure};
use crate::store::engine::sql::{self, params};
use crate::store::facts::deployment::of_row;

/// Reconciles everything that a transaction has touched with every backend. Runs at its end, so that no intermediate
/// state is sent.
pub(in crate::store) fn all(session: &mut Session<'_>) -> sql::Result<()> {
    for (row, touched) in std::mem::take(&mut session.changes.failures) {
        failure(session, row, &touched)?;
    }
    for (row, touched) in std::mem::take(&mut session.changes.deployments) {
        for destination in destinations_where(session, |destination| destination.forwards_deployments()) {
            let id = &touched.deployment.id;
            let counting = Some(&touched.deployment).filter(|_| touched.counts);
            deployment(session, destination, row, (id, counting), touched.now)?;
        }
    }
    let marks: BTreeMap<i64, Timestamp> = std::mem::take(&mut session.changes.marks);
    marks.into_iter().try_for_each(|(row, now)| mark(session, row, now))
}

/// The backends that fulfil a condition. If some are told again, only these.
fn destinations_where<'a>(
    session: &Session<'a>,
    takes: fn(&dyn Destination) -> bool,
) -> Vec<&'a dyn Destination> {
    let all = session.settings.destinations.iter().map(|destination| &**destination);
    let only = session.changes.told_again.as_ref();
    let is_told = |name| only.is_none_or(|only| only.contains_key(name));
    all.filter(|destination| takes(*destination) && is_told(destination.name())).collect()
}

/// Puts the desired state of one backend into the outbox. Returns `true` if that added a row, which has the number
/// `revision`.
///
/// Rows that cannot have reached the backend are superseded. No row is added if the newest remaining one has the
/// desired state.
fn reconcile(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    (revisions, newest): (Revisions<'_>, Option<&ExistingRow>),
    desired: Desired,
    (revision, due_at, now): (i64, Timestamp, Timestamp),
) -> sql::Result<bool> {
    let mut replaced = 0;
    if let Some(newest) = newest {
        if desired.is_request_of(newest) {
            told_again::put(session, destination, revisions, newest, now)?;
            return Ok(false);
        }
        replaced = revisions.supersede(session, desired.request.is_none())?;
        let remaining = if replaced > 0 { revisions.newest(session)? } else { None };
        if let Some(existing) = remaining.filter(|existing| desired.is_satisfied_by(existing)) {
            told_again::put(session, destination, revisions, &existing, now)?;
            // A superseded row may have been the repeat of that revision.
            repeat(session, revisions, now)?;
            return Ok(false);
        }
    }
    let Some(prepared) = desired.request else { return Ok(false) };
    // If a waiting row was superseded, the new one is sent even if the change is quiet: the backend was to get a request
    // anyway.
    let is_discarded = session.changes.is_quiet && replaced == 0;
    let request = NewRow { revision, repeats: false, due_at: (!is_discarded).then_some(due_at), prepared };
    revisions.put(session, destination, &request, now)?;
    told_again::count(session, revisions, |counts| &mut counts.new);
    Ok(true)
}

fn failure(session: &mut Session<'_>, row: i64, touched: &TouchedFailure) -> sql::Result<()> {
    const NUMBER: &str = "UPDATE failure SET revision = ?2 WHERE id = ?1";
    let TouchedFailure { evaluated: Some(evaluated), revision, now } = touched else { return Ok(()) };
    let state = evaluated.failure.state;
    let destinations =
        destinations_where(session, |destination| destination.failures_sent() != FailuresSent::None);
    let is_told_again = session.changes.told_again.is_some();
    let is_sent = |destination: &&dyn Destination| destination.failures_sent().includes(state);
    if *revision == 0 && !is_told_again && !destinations.iter().any(is_sent) {
        return Ok(());
    }
    let end = evaluated.failure.finished_at.filter(|_| state == FailureState::Completed);
    let due_at = session.settings.policy.forward_at(end, *now);
    let mut is_new = false;
    for destination in destinations {
        let revisions = Revisions { topic: Topic::Failure, subject: row, backend: destination.name() };
        let newest = if *revision > 0 { revisions.newest(session)? } else { None };
        let is_correction = (*revision > 0 && revisions.newest_at_backend(session)?.is_some())
            || (is_told_again && told_again::may_be_deleted(destination, evaluated));
        let context = RevisionContext { revision: revision + 1, is_correction };
        let linked = linked(session, destination, row, evaluated)?;
        let evaluated = linked.as_ref().unwrap_or(evaluated);
        if let Some(desired) = of_failure(destination, evaluated, context, newest.as_ref()) {
            let place = (revisions, newest.as_ref());
            is_new |= reconcile(session, destination, place, desired, (revision + 1, due_at, *now))?;
        }
    }
    if is_new {
        session.run(NUMBER, params![row, revision + 1])?;
    }
    Ok(())
}

/// A failure with the deployment that caused it, for a backend that gets links. `None` for other backends.
fn linked(
    session: &Session<'_>,
    destination: &dyn Destination,
    row: i64,
    evaluated: &Evaluated,
) -> sql::Result<Option<Evaluated>> {
    const CAUSE: &str =
        "SELECT deployment_id, version FROM failure f JOIN deployment d ON d.id = f.cause WHERE f.id = ?1";
    if !destination.includes_cause() {
        return Ok(None);
    }
    let mut evaluated = evaluated.clone();
    let cause: Option<(String, Option<String>)> =
        session.db().one(CAUSE, params![row], |columns| Ok((columns.get(0)?, columns.get(1)?)))?;
    let (id, version) = cause.map_or((None, None), |(id, version)| (Some(id), version));
    (evaluated.failure.deployment, evaluated.failure.deployment_version) = (id, version);
    Ok(Some(evaluated))
}

fn deployment(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    row: i64,
    (id, counting): (&DeploymentId, Option<&Deployment>),
    now: Timestamp,
) -> sql::Result<()> {
    let revisions = Revisions { topic: Topic::Deployment, subject: row, backend: destination.name() };
    let (is_correction, revision) =
        (revisions.newest_at_backend(session)?.is_some(), revisions.next_number(session)?);
    let desired = of_deployment(destination, (id, counting), RevisionContext { revision, is_correction });
    let newest = revisions.newest(session)?;
    reconcile(session, destination, (revisions, newest.as_ref()), desired, (revision, now, now)).map(drop)
}

fn mark(session: &mut Session<'_>, row: i64, now: Timestamp) -> sql::Result<()> {
    let destinations = destinations_where(session, |destination| destination.forwards_marks());
    if destinations.is_empty() {
        return Ok(());
    }
    let Some(deployment) = of_row(session.db(), row)? else { return Ok(()) };
    let failed = failed(session.db(), row)?;
    let due_at = session.settings.policy.forward_at(failed.as_ref().and_then(|failed| failed.ended_at), now);
    let mark = failed.map(|failed| to_mark(session, failed)).transpose()?;
    for destination in destinations {
        // A mark is about the deployment, so the filter is compared with the deployment's service, team and env.
        let passes = destination.filter().passes_deployment(&deployment);
        let mark = mark.as_ref().filter(|_| passes);
        mark_at(session, destination, (row, &deployment, mark), (due_at, now))?;
    }
    Ok(())
}

fn to_mark(session: &Session<'_>, failed: FailedDeployment) -> sql::Result<Mark> {
    let remediation = failed.remediation.map(|deployment| {
        let kind = remediation_kind(session.db(), &deployment)?;
        Ok::<_, sql::Error>(Remediation { kind, version: deployment.version, deployment: deployment.id })
    });
    Ok(Mark { remediation: remediation.transpose()? })
}

/// Sets or removes the mark of a deployment at a backend, if the sent state differs.
fn mark_at(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    (row, made, mark): (i64, &Deployment, Option<&Mark>),
    (due_at, now): (Timestamp, Timestamp),
) -> sql::Result<()> {
    let Some(marks_by) = destination.marks_by() else { return Ok(()) };
    let deployments = Revisions { topic: Topic::Deployment, subject: row, backend: destination.name() };
    let marks = Revisions { topic: Topic::Mark, ..deployments };
    let (newest, existing) = (marks.newest(session)?, deployments.newest(session)?);
    let known = marks.newest_at_backend(session)?;
    let known = known.as_ref().map(|known| mark_target::marked(destination, known)).unwrap_or_default();
    let mut desired = Desired::NOTHING;
    if let Some(mark) = mark {
        let told = existing.as_ref().map(|existing| (existing.state, existing.prepared.action));
        let facts = AddressFacts {
            deployment: made,
            marks_by,
            is_told: mark_target::is_told(told, destination.forwards_deployments()),
            shares_version: mark_target::shares_version(session.db(), row, made)?,
        };
        // Without a name, a mark that waits is given up, and one that the backend has stays.
        if let Ok(target) = address(facts) {
            let older = known.into_iter().filter(|older| *older != target).collect();
            let removed = mark_target::safe(session.db(), row, older)?;
            desired = desired_mark(destination, (&target, Some(mark)), &removed, newest.as_ref());
        }
        // A deployment that is sent whole again may lose its mark.
        let is_older =
            |mark: &ExistingRow| existing.as_ref().is_some_and(|existing| existing.revision > mark.revision);
        if newest.as_ref().is_some_and(is_older) {
            desired.same.clear();
        }
        let is_sent = newest.as_ref().is_some_and(|newest| desired.is_request_of(newest));
        if !is_sent && existing.is_none() && destination.forwards_deployments() {
            // Deployments were not forwarded to the backend when this one was saved. It has to be sent before it can be
            // marked.
            deployment(session, destination, row, (&made.id, Some(made)), now)?;
        }
    } else {
        if newest.as_ref().is_none_or(|newest| newest.prepared.action == Action::Unmark) {
            return Ok(());
        }
        // Only a mark that this program set is removed, and only if the deployment was not deleted at the backend.
        let is_deleted = existing.is_some_and(|existing| existing.prepared.action == Action::Delete);
        let marked = if is_deleted { Vec::new() } else { mark_target::safe(session.db(), row, known)? };
        if let Some((target, removed)) = marked.split_last() {
            desired = desired_mark(destination, (target, None), removed, newest.as_ref());
        }
    }
    let revision = marks.next_number(session)?;
    reconcile(session, destination, (marks, newest.as_ref()), desired, (revision, due_at, now)).map(drop)
}

/// Desired state of a mark. A row that also removed older names has the same effect.
fn desired_mark(
    destination: &dyn Destination,
    (target, mark): (&MarkTarget, Option<&Mark>),
    removed: &[MarkTarget],
    newest: Option<&ExistingRow>,
) -> Desired {
    let named = newest.map(|newest| destination.mark_targets(&newest.prepared)).unwrap_or_default();
    let removed_before = named.split_last().map(|(_, removed)| removed).unwrap_or_default();
    let request = destination.prepare_mark(MarkRequest { removed, target, mark });
    let before = destination.prepare_mark(MarkRequest { removed: removed_before, target, mark });
    // A row that does not remove every older name is not enough.
    let before = before.filter(|_| removed.iter().all(|older| removed_before.contains(older)));
    Desired { same: request.iter().cloned().chain(before).collect(), request }
}

/// Number of marks that are reconciled in one transaction, so that nobody waits long for the writer, or on PostgreSQL for the
/// turn: each takes about a dozen statements.
const AT_A_TIME: usize = if cfg!(test) { 2 } else { 20 };
/// Number of deployments that are looked at for them.
const LOOKED_AT: u32 = if cfg!(test) { 3 } else { 1_000 };

/// If marks are newly switched on for a backend, reconciles a part of the marks that it has: those of deployments after
/// the row `after`. They may have changed while marks were switched off. Past deployments without a mark are not
/// marked. Returns the row of the last deployment that was looked at; `None` if these were all.
pub(in crate::store) fn known_marks(
    session: &mut Session<'_>,
    backend: &str,
    after: i64,
    now: Timestamp,
) -> sql::Result<Option<i64>> {
    const IS_DONE: &str = "SELECT EXISTS (SELECT 1 FROM marked_backend WHERE backend = ?1)";
    // Rows of the outbox are found by their deployment. `IS TRUE`: see `engine::sql`.
    const NEXT: &str = "SELECT id, EXISTS (SELECT 1 FROM outbox WHERE deployment = d.id
            AND (backend = ?1 AND topic = 'mark' AND state <> 'superseded') IS TRUE)
        FROM stored_deployment d WHERE id > ?2 ORDER BY id LIMIT ?3";
    const DONE: &str = "INSERT INTO marked_backend VALUES (?1) ON CONFLICT DO NOTHING";
    if session.db().only(IS_DONE, params![backend], |row| row.get(0))? {
        return Ok(None);
    }
    let next: Vec<(i64, bool)> =
        session.db().all(NEXT, params![backend, after, LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut last, mut known) = (None, 0);
    for (deployment, has_mark) in next {
        last = Some(deployment);
        if has_mark {
            session.changes.touch_mark(Some(deployment), now);
            known += 1;
        }
        if known == AT_A_TIME {
            break;
        }
    }
    if last.is_none() {
        session.run(DONE, params![backend])?;
    }
    Ok(last)
}

/// Removes the backends without marks from `marked_backend`. If marks are switched on again later, [`known_marks`]
/// compares all marks of the backend.
pub(in crate::store) fn forget_unmarked(session: &Session<'_>) -> sql::Result<()> {
    const ALL: &str = "SELECT backend FROM marked_backend";
    const FORGET: &str = "DELETE FROM marked_backend WHERE backend = ?1";
    let names: Vec<String> = session.db().all(ALL, params![], |row| row.get(0))?;
    for name in names {
        if !destination(session, &name).is_some_and(Destination::forwards_marks) {
            session.run(FORGET, params![name])?;
        }
    }
    Ok(())
}
