//! Telling backends again: what ended at a time or later is reconciled with the backends as if it had just changed. So
//! a backend gets what it was never told, and once more what it has, with the same ids, revisions and bytes.
//!
//! This is for the host that takes over from another one that died: the store does not know what that one had told.

use super::apart::{Treatment, apart};
use super::reconcile;
use crate::domain::forwarding::{Destination, FailuresSent};
use crate::domain::tell::{TellOrder, TellPart, TellPlace, TellStep, ToldBackend, ToldBackends, ToldRows};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::{Session, TouchedDeployment, TouchedFailure};
use crate::store::engine::sql::{self, Db, params};
use crate::store::engine::time_limit::TimeLimit;
use crate::store::facts::deployment::of_row;
use crate::store::state::failure::stored;

/// Largest number of subjects that are read for a part. [`TimeLimit`] usually ends the part earlier.
const AT_A_TIME: u32 = 200;

/// Tells the next subjects, as many as there is time for.
pub(in crate::store) fn tell(
    session: &mut Session<'_>,
    order: &TellOrder,
    now: Timestamp,
) -> sql::Result<TellStep> {
    let asked = |destination: &&dyn Destination| {
        order.backend.as_ref().is_none_or(|backend| backend == destination.name())
    };
    let destinations = session.settings.destinations.iter().map(|destination| &**destination);
    let destinations: Vec<&dyn Destination> = destinations.filter(asked).collect();
    let told: Vec<&dyn Destination> =
        destinations.iter().copied().filter(|destination| !destination.counts_each_request()).collect();
    let subjects = if is_needed(order.from.part, &told) { find(session.db(), order)? } else { Vec::new() };
    let treatment = Treatment { is_dry_run: order.is_dry_run, is_quiet: false };
    let (rows, next) = apart(session, treatment, |session| {
        session.changes.told_again =
            Some(told.iter().map(|told| (told.name().to_owned(), ToldRows::default())).collect());
        let (limit, mut next) = (TimeLimit::of_a_part(), next(order.from.part, &subjects));
        for subject in &subjects {
            touch(session, order.from.part, subject.row, now)?;
            // Subject by subject, because the time is spent here.
            reconcile::all(session)?;
            if limit.is_over() {
                next = Some(after(order.from.part, subject));
                break;
            }
        }
        Ok((session.changes.told_again.take().unwrap_or_default(), next))
    })?;
    Ok(TellStep { backends: result(&destinations, &rows), next })
}

fn result(destinations: &[&dyn Destination], rows: &ToldBackends) -> Vec<ToldBackend> {
    let told = |destination: &&dyn Destination| ToldBackend {
        backend: destination.name().to_owned(),
        left_out: destination.counts_each_request(),
        rows: rows.get(destination.name()).copied().unwrap_or_default(),
    };
    destinations.iter().map(told).collect()
}

/// `true` if one of the backends may take something of a part.
fn is_needed(part: TellPart, told: &[&dyn Destination]) -> bool {
    told.iter().any(|destination| match part {
        TellPart::Deployments => destination.forwards_deployments() || destination.forwards_marks(),
        TellPart::Failures => destination.failures_sent() != FailuresSent::None,
        TellPart::OpenFailures => destination.failures_sent() == FailuresSent::OpenToo,
        TellPart::Marks => destination.forwards_marks(),
    })
}

/// A subject, and its place in the order of its part.
struct Found {
    row: i64,
    at_ns: i64,
}

/// The next subjects of a part.
fn find(db: &Db, order: &TellOrder) -> sql::Result<Vec<Found>> {
    const DEPLOYMENTS: &str = "SELECT id, finished_at_ns FROM deployment
        WHERE finished_at_ns >= ?1 AND (finished_at_ns, id) > (?2, ?3) ORDER BY finished_at_ns, id LIMIT ?4";
    const FAILURES: &str = "SELECT id, finished_at_ns FROM failure WHERE finished_at_ns >= ?1
        AND (finished_at_ns, id) > (?2, ?3) AND state IN ('completed', 'ignored', 'merged') ORDER BY finished_at_ns, id LIMIT ?4";
    const OPEN: &str = "SELECT id, started_at_ns FROM failure
        WHERE state = 'open' AND finished_at_ns IS NULL AND started_at_ns >= ?1
        AND (started_at_ns, id) > (?2, ?3) ORDER BY started_at_ns, id LIMIT ?4";
    // Causes that are themselves of the first part are left out.
    const MARKS: &str = "SELECT d.id, d.finished_at_ns FROM deployment d WHERE d.id IN (
            SELECT cause FROM failure WHERE finished_at_ns >= ?1 AND cause IS NOT NULL UNION
            SELECT cause FROM failure WHERE state = 'open' AND finished_at_ns IS NULL AND cause IS NOT NULL)
        AND d.finished_at_ns < ?1 AND (d.finished_at_ns, d.id) > (?2, ?3) ORDER BY d.finished_at_ns, d.id LIMIT ?4";
    let TellOrder { since, from: TellPlace { part, at, after }, .. } = order;
    let (sql, since_ns) = match part {
        TellPart::Deployments => (DEPLOYMENTS, since.as_nanos()),
        TellPart::Failures => (FAILURES, since.as_nanos()),
        TellPart::OpenFailures => (OPEN, i64::MIN),
        TellPart::Marks => (MARKS, since.as_nanos()),
    };
    let at_ns = at.map_or(i64::MIN, Timestamp::as_nanos);
    db.all(sql, params![since_ns, at_ns, after, AT_A_TIME], |row| {
        Ok(Found { row: row.get(0)?, at_ns: row.get(1)? })
    })
}

/// Has a subject reconciled with the backends.
fn touch(session: &mut Session<'_>, part: TellPart, row: i64, now: Timestamp) -> sql::Result<()> {
    match part {
        TellPart::Deployments => {
            let Some(deployment) = of_row(session.db(), row)? else { return Ok(()) };
            // No link follows: the deployment did not change.
            let touched =
                TouchedDeployment { deployment, counts: true, replaced: Vec::new(), is_linked: true, now };
            session.changes.deployments.insert(row, touched);
            session.changes.touch_mark(Some(row), now);
        }
        TellPart::Failures | TellPart::OpenFailures => {
            let Some(stored) = stored(session.db(), row)? else { return Ok(()) };
            let touched =
                TouchedFailure { evaluated: Some(stored.evaluated), revision: stored.revision, now };
            session.changes.failures.insert(row, touched);
        }
        TellPart::Marks => session.changes.touch_mark(Some(row), now),
    }
    Ok(())
}

/// Begin of the step after this subject.
fn after(part: TellPart, subject: &Found) -> TellPlace {
    TellPlace { part, at: Some(Timestamp::from_nanos(subject.at_ns)), after: subject.row }
}

/// Begin of the step after all these subjects.
fn next(part: TellPart, subjects: &[Found]) -> Option<TellPlace> {
    match subjects.last() {
        Some(last) if subjects.len() == AT_A_TIME as usize => Some(after(part, last)),
        _ => part.next().map(|part| TellPlace { part, ..TellPlace::default() }),
    }
}

#[cfg(test)]
mod tests;
