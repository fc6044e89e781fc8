//! Revisions of deployments for backends: the deployments themselves, and the marks of those that failed.
//!
//! Both are revisions of the deployment, sent in order: a mark never overtakes the deployment that it is for.

use rusqlite::{Connection, OptionalExtension, params};

use super::forwarded::ForwardState;
use super::outbox::{self, About, Revision, frozen, put, supersede_rows};
use super::outbox_rows::row_state;
use super::writer::Session;
use crate::domain::deployment::Deployment;
use crate::domain::explain::{Why, explain_mark};
use crate::domain::forwarding::{Action, Destination, Frozen, Telling};
use crate::domain::mark::Mark;
use crate::domain::timestamp::Timestamp;

/// The rows of a deployment at a backend that tell of the deployment itself, or that mark it.
#[derive(Clone, Copy)]
struct Rows<'a> {
    deployment: i64,
    backend: &'a str,
    are_marks: bool,
}

/// A request of the outbox, and its revision.
type Told = (i64, Frozen);

impl Rows<'_> {
    /// The latest that the backend was told, or will be.
    fn latest(self, session: &Session<'_>) -> rusqlite::Result<Option<Told>> {
        const SQL: &str = "SELECT revision, action, body FROM outbox WHERE deployment = ?1 AND backend = ?2
            AND (action IN ('mark', 'unmark')) = ?3 AND state <> 'superseded' ORDER BY revision DESC LIMIT 1";
        self.find(session, SQL)
    }

    /// The latest that the backend may have: not all of its attempts were clearly refused.
    fn known(self, session: &Session<'_>) -> rusqlite::Result<Option<Told>> {
        const SQL: &str = "SELECT revision, action, body FROM outbox WHERE deployment = ?1 AND backend = ?2
            AND (action IN ('mark', 'unmark')) = ?3 AND (in_doubt > 0 OR taken > 0) ORDER BY revision DESC LIMIT 1";
        self.find(session, SQL)
    }

    fn find(self, session: &Session<'_>, sql: &str) -> rusqlite::Result<Option<Told>> {
        session
            .prepare(sql)?
            .query_row(params![self.deployment, self.backend, self.are_marks], |row| {
                Ok((row.get(0)?, frozen(row, 1)?))
            })
            .optional()
    }

    /// Takes back what the backend cannot know; where nothing takes its place, also what it refused for good: nobody
    /// must revive that.
    fn supersede(self, session: &Session<'_>, also_dead: bool) -> rusqlite::Result<()> {
        const UNKNOWN: &str = "SELECT id FROM outbox WHERE deployment = ?1 AND backend = ?2
            AND (action IN ('mark', 'unmark')) = ?3 AND in_doubt = 0 AND taken = 0
            AND (state = 'pending' OR (state = 'dead' AND ?4))";
        supersede_rows(session, UNKNOWN, params![self.deployment, self.backend, self.are_marks, also_dead])
    }

    /// Number of the next revision, of a mark or not.
    fn next_revision(self, session: &Session<'_>) -> rusqlite::Result<i64> {
        const SQL: &str =
            "SELECT coalesce(max(revision), 0) + 1 FROM outbox WHERE deployment = ?1 AND backend = ?2";
        session.prepare(SQL)?.query_row(params![self.deployment, self.backend], |row| row.get(0))
    }

    fn put(
        self,
        session: &mut Session<'_>,
        frozen: Frozen,
        due_at: Timestamp,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let number = self.next_revision(session)?;
        let revision = Revision { backend: self.backend, number, due_at, frozen };
        put(session, About::Deployment(self.deployment), &revision, now)
    }
}

/// Puts a deployment that was saved before the backends that are told of deployments, where it is new to them.
pub(super) fn forward(
    session: &mut Session<'_>,
    row: i64,
    deployment: &Deployment,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let settings = session.settings;
    let mut destinations = settings.destinations.iter().filter(|destination| destination.takes_deployments());
    destinations.try_for_each(|destination| forward_to(session, &**destination, row, deployment, now))
}

fn forward_to(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    row: i64,
    deployment: &Deployment,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let rows = Rows { deployment: row, backend: destination.name(), are_marks: false };
    let latest = rows.latest(session)?;
    let is_correction = rows.known(session)?.is_some();
    let telling = Telling { revision: rows.next_revision(session)?, is_correction };
    let wanted = if destination.filter().passes_deployment(deployment) {
        destination.freeze_deployment(deployment, telling)
    } else if is_correction {
        destination.take_deployment_back(&deployment.id)
    } else {
        None
    };
    if let (Some((_, latest)), Some(wanted)) = (&latest, &wanted)
        && (latest == wanted || says_the_same(destination, deployment, latest))
    {
        return Ok(());
    }
    rows.supersede(session, wanted.is_none())?;
    match wanted {
        Some(frozen) => rows.put(session, frozen, now, now),
        None => Ok(()),
    }
}

/// `true` if a request tells exactly this deployment, as something new or as a correction.
fn says_the_same(destination: &dyn Destination, deployment: &Deployment, latest: &Frozen) -> bool {
    let says = |is_correction| {
        destination.freeze_deployment(deployment, Telling { revision: 0, is_correction }).as_ref()
            == Some(latest)
    };
    destination.filter().passes_deployment(deployment) && (says(false) || says(true))
}

/// Mark that a deployment is to have.
pub(super) struct Marking<'a> {
    /// Its row.
    pub(super) row: i64,
    /// The deployment.
    pub(super) deployment: &'a Deployment,
    /// The mark; `None`: it did not fail.
    pub(super) mark: Option<&'a Mark>,
    /// Time at which backends are told.
    pub(super) due_at: Timestamp,
}

/// Has a backend mark a deployment, where that is not what it was told.
pub(super) fn tell_mark(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    Marking { row, deployment, mark, due_at }: &Marking<'_>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let Some(wanted) = destination.freeze_mark(&deployment.id, *mark) else { return Ok(()) };
    let rows = Rows { deployment: *row, backend: destination.name(), are_marks: true };
    let latest = rows.latest(session)?;
    let forwarded = Rows { are_marks: false, ..rows }.latest(session)?;
    // What is told whole again may have lost its mark by that.
    let since = forwarded.as_ref().map_or(0, |(revision, _)| *revision);
    let stands = |told: &Option<Told>, wanted: &Frozen| {
        told.as_ref().is_some_and(|(revision, frozen)| frozen == wanted && *revision > since)
    };
    let is_unmarked = latest.as_ref().is_none_or(|(_, latest)| latest.action == Action::Unmark);
    if stands(&latest, &wanted) || mark.is_none() && is_unmarked {
        return Ok(());
    }
    let known = rows.known(session)?;
    // It was not told of deployments when that one was saved: it cannot mark what it does not know.
    let is_untold = forwarded.is_none() && destination.takes_deployments();
    let is_deleted = forwarded.is_some_and(|(_, forwarded)| forwarded.action == Action::Delete);
    // Only marks that were set from here are taken back, and only from what is still there.
    let is_needed = match mark {
        Some(_) => !stands(&known, &wanted),
        None => !is_deleted && known.is_some_and(|(_, known)| known.action == Action::Mark),
    };
    rows.supersede(session, !is_needed)?;
    if is_needed && is_untold && mark.is_some() {
        forward_to(session, destination, *row, deployment, now)?;
    }
    if is_needed {
        rows.put(session, wanted, *due_at, now)?;
    }
    Ok(())
}

/// Explains how a deployment is marked, at each backend that was told so or will be.
pub(super) fn explain_marks(db: &Connection, deployment: &str) -> rusqlite::Result<Vec<Why>> {
    const SQL: &str = "SELECT backend, max(revision), action, o.state FROM outbox o
        JOIN deployment d ON d.id = o.deployment
        WHERE d.deployment_id = ?1 AND action IN ('mark', 'unmark') AND o.state <> 'superseded'
        GROUP BY backend ORDER BY backend";
    db.prepare_cached(SQL)?
        .query_map([deployment], |row| {
            let action = outbox::action(row, 2)?;
            let state = ForwardState::of(row_state(row, 3)?, action);
            Ok(explain_mark(row.get_ref(0)?.as_str()?, action == Action::Mark, state.as_str()))
        })?
        .collect()
}
