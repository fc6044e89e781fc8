//! Filling in the past: incidents that were read from their source's API are stored and evaluated in one transaction,
//! which says what that changes. A dry run undoes it at the end.

use super::apart::{Treatment, apart};
use crate::domain::backfill::AddedFailure;
use crate::domain::changed_failure::ChangedFailure;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::progress::{self, BACKFILLED_SINCE, BACKFILLED_UP_TO};
use crate::store::engine::session::Session;
use crate::store::engine::sql;
use crate::store::state::difference;
use crate::store::state::fold;
use crate::store::state::reading::{self, ReadIncident};

/// Number of incidents of a dry run that are stored at once, and then removed: they can be merged into each other.
const DRY_RUN_AT_ONCE: usize = 8;

/// Some incidents of a backfill.
#[derive(Debug, Clone)]
pub struct BackfillPart {
    /// The incidents, as they were read.
    pub incidents: Vec<ReadIncident>,
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

/// A part that is being stored, one incident after the other.
pub(in crate::store) struct Work {
    part: BackfillPart,
    /// Number of incidents that are done.
    done: usize,
    backfilled: Backfilled,
}

impl Work {
    pub(in crate::store) fn of(part: BackfillPart) -> Self {
        Self { part, done: 0, backfilled: Backfilled::default() }
    }

    /// Stores what the next incident tells, or finds out what that would change. Returns the changes of the whole part
    /// once it is done.
    pub(in crate::store) fn advance(&mut self, session: &mut Session<'_>) -> sql::Result<Option<Backfilled>> {
        let at_once = if self.part.is_dry_run { DRY_RUN_AT_ONCE } else { 1 };
        let end = self.part.incidents.len().min(self.done + at_once);
        let incidents = self.part.incidents.get(self.done..end).unwrap_or_default();
        let BackfillPart { is_dry_run, is_quiet, .. } = self.part;
        let Backfilled { events, added, changed } =
            apart(session, Treatment { is_dry_run, is_quiet }, |session| store(session, incidents))?;
        self.backfilled.events += events;
        self.backfilled.added.extend(added);
        for changed in changed {
            self.backfilled.add_change(changed);
        }
        self.done = end;
        Ok((end >= self.part.incidents.len()).then(|| std::mem::take(&mut self.backfilled)))
    }
}

impl Backfilled {
    /// Adds a change. A failure that is new, or has changed before, is not listed again.
    fn add_change(&mut self, failure: ChangedFailure) {
        if let Some(added) = self.added.iter_mut().find(|added| added.id == failure.id) {
            added.state = failure.new_state().unwrap_or(added.state);
        } else if let Some(known) = self.changed.iter_mut().find(|known| known.id == failure.id) {
            known.add(failure);
        } else {
            self.changed.push(failure);
        }
    }
}

fn store(session: &mut Session<'_>, incidents: &[ReadIncident]) -> sql::Result<Backfilled> {
    let mut backfilled = Backfilled::default();
    for incident in incidents {
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
    Ok(backfilled)
}

/// Notes that everything is stored that was created from `since` until `up_to`.
pub(in crate::store) fn set_progress(
    session: &Session<'_>,
    since: Timestamp,
    up_to: Timestamp,
) -> sql::Result<()> {
    progress::set(session.db(), BACKFILLED_SINCE, since.as_nanos())?;
    progress::set(session.db(), BACKFILLED_UP_TO, up_to.as_nanos())
}

/// Notes that no backfill is unfinished.
pub(in crate::store) fn end(session: &Session<'_>) -> sql::Result<()> {
    progress::set(session.db(), BACKFILLED_UP_TO, 0)
}
