//! What figures are computed from, read from indexes that hold nothing else.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::deployment_row::link;
use super::failure_row::{from_json, to_json};
use super::listing::ReadError;
use super::schema::{OpenError, open_to_read};
use crate::domain::failure::{Evaluated, Failure, State};
use crate::domain::figures::{
    Basis, Deployed, Gathering, Kind, Link, Place, Question, Report, Times, report,
};
use crate::domain::timestamp::Timestamp;

/// `counts_for`, an array: the state, services, team, env, severity, whether the times are good, and whether somebody
/// named a deployment (which an index looks for at its end). Many failures have the same text.
type CountsFor<'a> =
    (State, Cow<'a, [String]>, Option<Cow<'a, str>>, Cow<'a, str>, Option<Cow<'a, str>>, bool, bool);

/// What is stored of a failure for figures, beside its start and end.
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
        let is_named = !details.suspect(failure).named.is_empty();
        let Failure { state, services, team, env, severity, .. } = failure;
        let (team, severity) = (team.as_deref().map(Cow::from), severity.as_deref().map(Cow::from));
        let services = Cow::from(services.as_slice());
        let counts_for: CountsFor<'_> =
            (*state, services, team, Cow::from(env.as_str()), severity, failure.has_good_times(), is_named);
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

    /// What the figures of `[since, until)` are computed from.
    pub fn basis(&self, since: Timestamp, until: Timestamp) -> Result<Basis, ReadError> {
        let window = self.link_window;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let [for_failures, for_deployments] = &mut *connections;
        // Each is a snapshot. A moment lies between them, as if a deployment had been told of a moment sooner or later.
        let db = for_deployments.transaction()?;
        let first = first_start(&db, since, until)?.min(since);
        // Every failure that overlaps the time from the first deployment of the period to the last link by itself.
        let (failures, deployments) = thread::scope(|scope| {
            let read = || Failures::read(for_failures, window, first, until.saturating_add(window));
            let failures = thread::Builder::new().name("figures-beside".into()).spawn_scoped(scope, read)?;
            let deployments = Deployments::read(&db, first.saturating_sub(window));
            let failures = failures.join().unwrap_or_else(|panic| resume_unwind(panic));
            Ok::<_, ReadError>((failures?, deployments?))
        })?;
        Ok(failures.done(deployments, window))
    }
}

/// When the first of the deployments began that ended in the period.
fn first_start(db: &Connection, since: Timestamp, until: Timestamp) -> rusqlite::Result<Timestamp> {
    const FIRST_START: &str =
        "SELECT min(started_at_ns) FROM deployment WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2";
    let first: Option<i64> =
        db.prepare_cached(FIRST_START)?.query_row([since.as_nanos(), until.as_nanos()], |row| row.get(0))?;
    Ok(first.map_or(since, Timestamp::from_nanos))
}

/// The deployments, and which rows they are.
#[derive(Default)]
struct Deployments {
    deployed: Deployed,
    /// By start: start, row, and which one it is.
    rows: Vec<(i64, i64, Place)>,
}

impl Deployments {
    /// Those that ended then or later.
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

    /// Which one a row is. One that was made long before the period is not among them, and counts in no figure of it.
    fn place(&self, Named { started_at_ns, row }: Named) -> Option<Place> {
        let from = self.rows.partition_point(|(start, ..)| *start < started_at_ns);
        let mut same_start = self.rows[from..].iter().take_while(|(start, ..)| *start == started_at_ns);
        same_start.find(|(_, other, _)| *other == row).map(|(.., place)| *place)
    }
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

/// A deployment that somebody named.
#[derive(Clone, Copy)]
struct Named {
    started_at_ns: i64,
    row: i64,
}

/// Failures, as they are read.
#[derive(Default)]
struct Failures {
    gathering: Gathering,
    /// By `counts_for`: the kind, and whether somebody named a deployment.
    kinds: HashMap<String, (u32, bool)>,
    /// The kind, and the deployment that it is linked to because somebody named one. Few do.
    named: Vec<(u32, Times, Option<Named>)>,
}

impl Failures {
    /// Those that began before `until`, and had not ended by `since`; and of the others those for which somebody named a
    /// deployment: it may have been made in that time.
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
        const NAMING_FROM_AFAR: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns FROM failure
            WHERE substr(counts_for, -5) = 'true]' AND (started_at_ns >= ?2 OR finished_at_ns < ?1)";
        let db = db.transaction()?;
        let mut failures = Self::default();
        for sql in [ENDED, WITHOUT_END, NAMING_FROM_AFAR] {
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
        let (kind, is_named) = self.kind(text(row, 3)?)?;
        if is_named {
            self.named.push((kind, times, named(db, link_window, row.get(0)?)?));
        } else {
            self.gathering.add(kind, times, Link::Automatic(time(4)?.unwrap_or(started_at)));
        }
        Ok(())
    }

    fn kind(&mut self, counts_for: &str) -> rusqlite::Result<(u32, bool)> {
        if let Some(known) = self.kinds.get(counts_for) {
            return Ok(*known);
        }
        let (state, services, team, env, severity, has_good_times, is_named): CountsFor<'_> =
            from_json(counts_for)?;
        let kind = Kind {
            state,
            services: services.into_owned(),
            team: team.map(Cow::into_owned),
            env: env.into_owned(),
            severity: severity.map(Cow::into_owned),
            has_good_times,
        };
        let known = (self.gathering.add_kind(kind), is_named);
        self.kinds.insert(counts_for.to_owned(), known);
        Ok(known)
    }

    fn done(self, deployments: Deployments, link_window: Duration) -> Basis {
        let Self { mut gathering, named, .. } = self;
        for (kind, times, named) in named {
            gathering.add(kind, times, Link::Named(named.and_then(|named| deployments.place(named))));
        }
        gathering.done(deployments.deployed, link_window)
    }
}

/// The deployment that a failure is linked to because somebody named one.
fn named(db: &Connection, link_window: Duration, failure: i64) -> rusqlite::Result<Option<Named>> {
    const NAMED: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
    const ROW: &str = "SELECT started_at_ns, id FROM deployment WHERE deployment_id = ?1";
    let mut statement = db.prepare_cached(NAMED)?;
    let mut rows = statement.query([failure])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut failure: Failure = from_json(text(row, 0)?)?;
    link(db, &mut failure, row.get_ref(1)?.as_str_or_null()?, link_window)?;
    let Some(id) = failure.deployment else { return Ok(None) };
    let found =
        |row: &Row<'_>| Ok::<_, rusqlite::Error>(Named { started_at_ns: row.get(0)?, row: row.get(1)? });
    db.prepare_cached(ROW)?.query_row([id], found).optional()
}

#[cfg(test)]
mod tests;
