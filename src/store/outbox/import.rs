//! Importing failures and deployments that another system holds. Backends are not told of them.

use std::time::Duration;

use super::apart::{Treatment, apart};
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::import::{IMPORTED, ImportCounts};
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::progress;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};
use crate::store::facts::deployment::{load, of_id};
use crate::store::state::duplicates;
use crate::store::state::failure::{Facts, FailureRow};
use crate::store::state::stored_failure::{details, failure};
use crate::store::state::submission;

/// Number of records that are stored at once, so that webhooks do not wait long.
const AT_ONCE: usize = 10;

/// Some records of an import.
#[derive(Debug, Clone)]
pub struct ImportPart {
    /// Deployments. They are stored first, so that failures are linked to them.
    pub deployments: Vec<Deployment>,
    /// Failures.
    pub failures: Vec<Submission>,
    /// `true` if nothing is changed.
    pub is_dry_run: bool,
    /// The present time.
    pub now: Timestamp,
}

/// Result for a part of an import. `found` is the number of its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportedPart {
    /// Counts of deployments.
    pub deployments: ImportCounts,
    /// Counts of failures.
    pub failures: ImportCounts,
    /// Number of the added failures that have not ended.
    pub open: usize,
}

/// A part that is being stored, some records after the others.
pub(in crate::store) struct Work {
    part: ImportPart,
    /// Number of records that are done.
    done: usize,
    imported: ImportedPart,
}

/// Result for a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Added,
    Changed,
    Kept,
}

impl Fate {
    fn count(self) -> ImportCounts {
        let is = |fate| usize::from(self == fate);
        ImportCounts { found: 1, added: is(Self::Added), changed: is(Self::Changed), kept: is(Self::Kept) }
    }
}

impl Work {
    pub(in crate::store) fn of(part: ImportPart) -> Self {
        Self { part, done: 0, imported: ImportedPart::default() }
    }

    /// Stores the next records, or finds out what that would change. Returns the counts once the part is done.
    pub(in crate::store) fn advance(
        &mut self,
        session: &mut Session<'_>,
    ) -> sql::Result<Option<ImportedPart>> {
        let Self { part, done, imported } = self;
        let treatment = Treatment { is_dry_run: part.is_dry_run, is_quiet: true };
        let some = apart(session, treatment, |session| store(session, part, *done))?;
        imported.deployments += some.deployments;
        imported.failures += some.failures;
        imported.open += some.open;
        *done += AT_ONCE;
        Ok((*done >= part.deployments.len() + part.failures.len()).then_some(*imported))
    }
}

fn store(session: &mut Session<'_>, part: &ImportPart, done: usize) -> sql::Result<ImportedPart> {
    let mut imported = ImportedPart::default();
    let deployments = part.deployments.iter().skip(done).take(AT_ONCE);
    let begun = deployments.len();
    for record in deployments {
        imported.deployments += store_deployment(session, record, part.now)?.count();
    }
    let failures = part.failures.iter().skip(done.saturating_sub(part.deployments.len()));
    for record in failures.take(AT_ONCE - begun) {
        let (fate, is_open) = store_failure(session, record, part.now)?;
        imported.failures += fate.count();
        imported.open += usize::from(fate == Fate::Added && is_open);
    }
    Ok(imported)
}

fn store_deployment(session: &mut Session<'_>, record: &Deployment, now: Timestamp) -> sql::Result<Fate> {
    let stored = of_id(session.db(), record.id.as_str())?.map(|stored| stored.deployment);
    let fate = match stored {
        Some(stored) if stored == *record || !stored.tags.contains(IMPORTED) => return Ok(Fate::Kept),
        Some(_) => Fate::Changed,
        None if has_same_deployment(session, record)? => return Ok(Fate::Kept),
        None => Fate::Added,
    };
    duplicates::save_submitted(session, record, now)?;
    Ok(fate)
}

/// `true` if the same deployment came here under another id. A service has one deployment to an env that starts in a
/// second (Datadog: Deployments of the same service cannot occur at the same second).
fn has_same_deployment(session: &Session<'_>, record: &Deployment) -> sql::Result<bool> {
    const SAME_START: &str = "SELECT facts FROM deployment
        WHERE service = ?1 AND env = ?2 AND started_at_ns >= ?3 AND started_at_ns < ?4";
    let (since, until) = second(record.started_at);
    let same = load(session.db(), SAME_START, params![record.service, record.env, since, until])?;
    Ok(same.iter().any(|stored| !stored.tags.contains(IMPORTED)))
}

/// Returns also `true` if the failure is open.
fn store_failure(
    session: &mut Session<'_>,
    record: &Submission,
    now: Timestamp,
) -> sql::Result<(Fate, bool)> {
    let fate = match FailureRow::load(session.db(), &record.id)? {
        Some(FailureRow { facts: Facts::Submission(stored), .. }) => {
            if *stored == *record || !stored.tags.contains(IMPORTED) {
                return Ok((Fate::Kept, false));
            }
            Fate::Changed
        }
        // An incident has events of its own.
        Some(_) => return Ok((Fate::Kept, false)),
        None if has_same_failure(session, record)? => return Ok((Fate::Kept, false)),
        None => Fate::Added,
    };
    let is_open = record.evaluate(&session.settings.policy).failure.state == FailureState::Open;
    submission::save(session, record, now)?;
    Ok((fate, is_open))
}

/// `true` if the same failure came here under another id: of the same env and a common service (or the same team), begun
/// in the same second.
fn has_same_failure(session: &Session<'_>, record: &Submission) -> sql::Result<bool> {
    const SAME_START: &str = "SELECT evaluated, details FROM failure
        WHERE started_at_ns >= ?1 AND started_at_ns < ?2 AND state IS NOT NULL AND evaluated IS NOT NULL";
    let (since, until) = second(record.started_at);
    let found = session.db().find(SAME_START, params![since, until], |row| {
        let stored = failure(row.text(0)?)?;
        let tags = details(row.text_or_null(1)?)?.tags;
        let is_found = is_same(&stored, record) && !tags.iter().any(|tag| tag == IMPORTED);
        Ok(is_found.then_some(()))
    })?;
    Ok(found.is_some())
}

fn is_same(stored: &Failure, record: &Submission) -> bool {
    let shares_service = || stored.services.iter().any(|service| record.services.contains(service));
    let has_team_alone = || {
        stored.services.is_empty()
            && record.services.is_empty()
            && stored.team.is_some()
            && stored.team == record.team
    };
    stored.env == record.env && (shares_service() || has_team_alone())
}

/// The second that a time is in: its begin and its end, in nanoseconds.
fn second(at: Timestamp) -> (i64, i64) {
    let begin = Timestamp::from_nanos(at.as_seconds().saturating_mul(1_000_000_000));
    (begin.as_nanos(), begin.saturating_add(Duration::from_secs(1)).as_nanos())
}

/// Notes that everything of a backend is stored that started from `since` until `up_to`.
pub(in crate::store) fn set_progress(
    session: &Session<'_>,
    backend: &str,
    (since, up_to): (Timestamp, Timestamp),
) -> sql::Result<()> {
    progress::set(session.db(), &progress::imported_since(backend), since.as_nanos())?;
    progress::set(session.db(), &progress::imported_up_to(backend), up_to.as_nanos())
}

/// Notes that no import of a backend is unfinished.
pub(in crate::store) fn end(session: &Session<'_>, backend: &str) -> sql::Result<()> {
    progress::set(session.db(), &progress::imported_up_to(backend), 0)
}
