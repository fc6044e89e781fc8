//! Input of the figures: failures and deployments, read at the same time, nearly all from indexes alone.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::deployment_row::link;
use super::json::{from_json, to_json};
use super::listing::ReadError;
use super::schema::{OpenError, open_to_read};
use super::stored_failure;
use crate::domain::failure::{Evaluated, Failure, State};
use crate::domain::figures::{
    Basis, Deployed, Gathering, Kind, Link, Place, Question, Report, Times, report,
};
use crate::domain::timestamp::Timestamp;

/// `counts_for`, an array: the state, services, team, env, severity, whether the times are good, and whether the failure
/// names a deployment. That has to stay last: the index `failure_naming` tells by how the text ends. Many failures have
/// the same text.
type CountsFor<'a> =
    (State, Cow<'a, [String]>, Option<Cow<'a, str>>, Cow<'a, str>, Option<Cow<'a, str>>, bool, bool);

/// Facts of a failure that are stored for figures, besides its start and end.
#[derive(Default)]
pub(super) struct Counted {
    /// `None`: it is in no figure.
    pub(super) counts_for: Option<String>,
    pub(super) created_at_ns: Option<i64>,
    pub(super) restore_ns: Option<i64>,
}

impl Counted {
    pub(super) fn of(Evaluated { failure, details }: &Evaluated) -> rusqlite::Result<Self> {
        if failure.state == State::Merged {
            return Ok(Self::default());
        }
        let names_deployment = !details.suspect(failure).named.is_empty();
        let Failure { state, services, team, env, severity, .. } = failure;
        let (team, severity) = (team.as_deref().map(Cow::from), severity.as_deref().map(Cow::from));
        let services = Cow::from(services.as_slice());
        let counts_for: CountsFor<'_> = (
            *state,
            services,
            team,
            Cow::from(env.as_str()),
            severity,
            failure.has_good_times(),
            names_deployment,
        );
        Ok(Self {
            counts_for: Some(to_json(&counts_for)?),
            created_at_ns: details.created_at.map(Timestamp::as_nanos),
            restore_ns: Times::of(failure).restore_ns,
        })
    }
}

/// Reads what figures are computed from. Clones share its connections and take turns.
#[derive(Clone)]
pub struct FiguresReader {
    /// Two, because failures and deployments are read at the same time.
    connections: Arc<Mutex<[Connection; 2]>>,
    link_window: Duration,
}

impl FiguresReader {
    /// Opens an existing store, query-only.
    pub fn open(path: &Path, link_window: Duration) -> Result<Self, OpenError> {
        let connections = [open_to_read(path)?, open_to_read(path)?];
        Ok(Self { connections: Arc::new(Mutex::new(connections)), link_window })
    }

    /// Answers a question about the figures.
    pub fn report(&self, question: &Question) -> Result<Report, ReadError> {
        Ok(report(question, &self.basis(question.since, question.until)?))
    }

    /// Input of the figures of `[since, until)`.
    pub fn basis(&self, since: Timestamp, until: Timestamp) -> Result<Basis, ReadError> {
        let link_window = self.link_window;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let [for_failures, for_deployments] = &mut *connections;
        // Two snapshots, that of the deployments a moment earlier: one that comes in between is not there yet.
        let db = for_deployments.transaction()?;
        let first_start = first_start(&db, since, until)?;
        // Failures that are created later are linked to a deployment of the period only where they name it.
        let last_start = until.saturating_add(link_window);
        let (failures, deployments) = thread::scope(|scope| {
            let read = || Failures::read(for_failures, link_window, first_start, last_start);
            let failures = thread::Builder::new().name("figures-failure".into()).spawn_scoped(scope, read);
            let failures = failures.map_err(ReadError::Thread)?;
            let deployments = Deployments::read(&db, first_start.saturating_sub(link_window));
            let failures = failures.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok::<_, ReadError>((failures?, deployments?))
        })?;
        Ok(failures.link(deployments, link_window))
    }
}

/// Start of the period, or of the first deployment that ended in it, if that is earlier.
fn first_start(db: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<Timestamp> {
    const FIRST_START: &str =
        "SELECT min(started_at_ns) FROM deployment WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2";
    let first: Option<i64> =
        db.prepare_cached(FIRST_START)?.query_row([since.as_nanos(), until.as_nanos()], |row| row.get(0))?;
    Ok(first.map_or(since, |first| Timestamp::from_nanos(first).min(since)))
}

/// The deployments, and which rows they are.
#[derive(Default)]
struct Deployments {
    deployed: Deployed,
    /// By start: start, row, and which one it is.
    rows: Vec<(i64, i64, Place)>,
}

impl Deployments {
    /// Reads the deployments that ended then or later.
    fn read(db: &Connection, since: Timestamp) -> rusqlite::Result<Self> {
        const BEGUN_BEFORE: &str =
            "SELECT id, started_at_ns, finished_at_ns, service, team, env FROM deployment
            WHERE id IN (SELECT id FROM deployment WHERE finished_at_ns >= ?1 AND started_at_ns < ?1)
            ORDER BY started_at_ns, deployment_id";
        const BEGUN_SINCE: &str =
            "SELECT id, started_at_ns, finished_at_ns, service, team, env FROM deployment
            WHERE started_at_ns >= ?1 ORDER BY started_at_ns, deployment_id";
        let mut deployments = Self::default();
        for sql in [BEGUN_BEFORE, BEGUN_SINCE] {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([since.as_nanos()])?;
            while let Some(row) = rows.next()? {
                let (started_at_ns, finished_at_ns) = (row.get(1)?, row.get(2)?);
                let made = (text(row, 3)?, row.get_ref(4)?.as_str_or_null()?, text(row, 5)?);
                let (started_at, finished_at) =
                    (Timestamp::from_nanos(started_at_ns), Timestamp::from_nanos(finished_at_ns));
                let place = deployments.deployed.add(made, started_at, finished_at);
                deployments.rows.push((started_at_ns, row.get(0)?, place));
            }
        }
        Ok(deployments)
    }

    /// Place of a row's deployment. A deployment that was made long before the period has none, and counts in no
    /// figure of it.
    fn place(&self, DeploymentRow { started_at_ns, id }: DeploymentRow) -> Option<Place> {
        let from = self.rows.partition_point(|(start, ..)| *start < started_at_ns);
        let mut same_start = self.rows[from..].iter().take_while(|(start, ..)| *start == started_at_ns);
        same_start.find(|(_, other, _)| *other == id).map(|(.., place)| *place)
    }
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

/// Key of a deployment among those that were read.
#[derive(Clone, Copy)]
struct DeploymentRow {
    started_at_ns: i64,
    id: i64,
}

/// Failures, as they are read.
struct Failures {
    /// End of the period: failures that began later count only for the deployment that they are linked to.
    until: Timestamp,
    gathering: Gathering,
    /// By `counts_for`: the kind, and whether its failures name a deployment.
    kinds: HashMap<String, (u32, bool)>,
    /// Failures that name a deployment: their kind, their times and their link.
    naming: Vec<(u32, Times, Option<DeploymentRow>)>,
}

impl Failures {
    /// Reads the failures that began before `until`, and had not ended by `since`. Of those that began later,
    /// reads the ones that may still be linked to a deployment of that time: they were created in it, or name a
    /// deployment.
    fn read(
        db: &mut Connection,
        link_window: Duration,
        since: Timestamp,
        until: Timestamp,
    ) -> rusqlite::Result<Self> {
        const ENDED: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns FROM failure
            WHERE finished_at_ns >= ?1 AND started_at_ns < ?2 AND counts_for IS NOT NULL";
        const WITHOUT_END: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns
            FROM failure WHERE state IN ('open', 'ignored') AND finished_at_ns IS NULL AND started_at_ns < ?2
            AND (state = 'open' OR started_at_ns >= ?1) AND counts_for IS NOT NULL";
        const CREATED_EARLIER: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns FROM failure
            WHERE created_at_ns IS NOT NULL AND started_at_ns >= ?2 AND created_at_ns < ?2
            AND counts_for IS NOT NULL AND substr(counts_for, -5) <> 'true]'";
        const NAMING_LATER: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns FROM failure
            WHERE substr(counts_for, -5) = 'true]' AND started_at_ns >= ?2";
        let db = db.transaction()?;
        let mut failures =
            Self { until, gathering: Gathering::default(), kinds: HashMap::default(), naming: Vec::new() };
        for sql in [ENDED, WITHOUT_END, CREATED_EARLIER, NAMING_LATER] {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(params![since.as_nanos(), until.as_nanos()])?;
            while let Some(row) = rows.next()? {
                failures.add(&db, link_window, row)?;
            }
        }
        Ok(failures)
    }

    fn add(&mut self, db: &Connection, link_window: Duration, row: &Row<'_>) -> rusqlite::Result<()> {
        let time =
            |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_nanos));
        let started_at = Timestamp::from_nanos(row.get(1)?);
        let times = Times { started_at, finished_at: time(2)?, restore_ns: row.get(5)? };
        let (kind, names_deployment) = self.kind(text(row, 3)?)?;
        if names_deployment {
            self.naming.push((kind, times, linked_row(db, link_window, row.get(0)?)?));
        } else {
            self.gathering.add(kind, times, Link::Automatic(time(4)?.unwrap_or(started_at)));
        }
        Ok(())
    }

    fn kind(&mut self, counts_for: &str) -> rusqlite::Result<(u32, bool)> {
        if let Some(known) = self.kinds.get(counts_for) {
            return Ok(*known);
        }
        let (state, services, team, env, severity, has_good_times, names_deployment): CountsFor<'_> =
            from_json(counts_for)?;
        let kind = Kind {
            state,
            services: services.into_owned(),
            team: team.map(Cow::into_owned),
            env: env.into_owned(),
            severity: severity.map(Cow::into_owned),
            has_good_times,
        };
        let known = (self.gathering.add_kind(kind), names_deployment);
        self.kinds.insert(counts_for.to_owned(), known);
        Ok(known)
    }

    fn link(self, deployments: Deployments, link_window: Duration) -> Basis {
        let Self { until, mut gathering, naming, .. } = self;
        for (kind, times, linked) in naming {
            let place = linked.and_then(|row| deployments.place(row));
            if place.is_some() || times.started_at < until {
                gathering.add(kind, times, Link::Named(place));
            }
        }
        gathering.link(deployments.deployed, link_window)
    }
}

/// The deployment that a failure which names one is linked to.
fn linked_row(
    db: &Connection,
    link_window: Duration,
    failure_row: i64,
) -> rusqlite::Result<Option<DeploymentRow>> {
    const FAILURE: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
    const DEPLOYMENT: &str = "SELECT started_at_ns, id FROM deployment WHERE deployment_id = ?1";
    let mut statement = db.prepare_cached(FAILURE)?;
    let mut rows = statement.query([failure_row])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut failure = stored_failure::failure(text(row, 0)?)?;
    link(db, &mut failure, row.get_ref(1)?.as_str_or_null()?, link_window)?;
    let Some(id) = failure.deployment else { return Ok(None) };
    let found = |row: &Row<'_>| Ok(DeploymentRow { started_at_ns: row.get(0)?, id: row.get(1)? });
    db.prepare_cached(DEPLOYMENT)?.query_row([id], found).optional()
}

#[cfg(test)]
mod tests;
