//! Filling in the past: incidents that were read from their source's API are stored and evaluated in one transaction,
//! which says what that changes. A dry run undoes it at the end.

use std::collections::BTreeMap;

use super::reconcile;
use crate::domain::backfill::AddedFailure;
use crate::domain::changed_failure::ChangedFailure;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::progress::{self, BACKFILLED_SINCE, BACKFILLED_UP_TO};
use crate::store::engine::session::{Changes, Session};
use crate::store::state::difference;
use crate::store::state::reading::{self, ReadIncident};
use crate::store::state::{fold, renew};

/// Some incidents of a backfill.
#[derive(Debug, Clone)]
pub struct BackfillPart {
    /// The incidents, as they were read.
    pub incidents: Vec<ReadIncident>,
    /// Begin of the backfill, and the time before which every incident is stored with this part. `None`: other parts of
    /// the same time follow.
    pub progress: Option<(Timestamp, Timestamp)>,
    /// `true` if nothing is changed.
    pub is_dry_run: bool,
    /// `true` if backends are not told of the changes.
    pub is_quiet: bool,
}

/// What a part of a backfill changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// Number of events that are new.
    pub events: usize,
    /// Failures that are new.
    pub added: Vec<AddedFailure>,
    /// Failures that differ from what was stored.
    pub changed: Vec<ChangedFailure>,
}

/// Stores what a part of a backfill tells, or finds out what that would change.
pub(in crate::store) fn apply(
    session: &mut Session<'_>,
    part: &BackfillPart,
) -> rusqlite::Result<Backfilled> {
    // The changes of the other writes of this transaction come first: they are not the backfill's, and `is_quiet` must
    // not hold them back.
    put_into_outbox(session)?;
    let asked =
        Changes { contents_before: Some(BTreeMap::new()), is_quiet: part.is_quiet, ..Changes::default() };
    let others = std::mem::replace(&mut session.changes, asked);
    if part.is_dry_run {
        session.execute("SAVEPOINT dry_run", [])?;
    }
    let backfilled = store(session, part)?;
    let own = std::mem::replace(&mut session.changes, others);
    if part.is_dry_run {
        session.execute("ROLLBACK TO dry_run", [])?;
        session.execute("RELEASE dry_run", [])?;
    } else {
        session.changes.add_finished(own);
        if let Some((since, up_to)) = part.progress {
            progress::set(session.db(), BACKFILLED_SINCE, since.as_nanos())?;
            progress::set(session.db(), BACKFILLED_UP_TO, up_to.as_nanos())?;
        }
    }
    Ok(backfilled)
}

fn store(session: &mut Session<'_>, part: &BackfillPart) -> rusqlite::Result<Backfilled> {
    let mut backfilled = Backfilled::default();
    for incident in &part.incidents {
        backfilled.events += reading::record(session, incident)?.len();
    }
    let events = std::mem::take(&mut session.changes.to_fold);
    fold::at_once(session, &events)?;
    for (row, before) in session.changes.contents_before.take().unwrap_or_default() {
        let after = difference::stored(session.db(), row)?;
        let touched = session.changes.failures.get(&row);
        let Some(failure) = touched.and_then(|touched| touched.evaluated.as_ref()) else { continue };
        let failure = &failure.failure;
        match before.filter(|before| before.failure.is_some()) {
            None => {
                backfilled.added.push(AddedFailure { id: failure.id.clone(), state: failure.state });
            }
            Some(before) if before != after => {
                let changes = difference::between(session.db(), &before, &after)?;
                backfilled.changed.push(ChangedFailure { id: failure.id.clone(), changes });
            }
            Some(_) => {}
        }
    }
    if part.is_quiet {
        // A later change of the deployment's failures marks it. A discarded mark would count as sent.
        session.changes.marks.clear();
    }
    put_into_outbox(session)?;
    Ok(backfilled)
}

/// Notes that no backfill is unfinished.
pub(in crate::store) fn end(session: &Session<'_>) -> rusqlite::Result<()> {
    progress::set(session.db(), BACKFILLED_UP_TO, 0)
}

/// Does now what the end of a transaction does.
fn put_into_outbox(session: &mut Session<'_>) -> rusqlite::Result<()> {
    renew::links(session)?;
    reconcile::all(session)
}
