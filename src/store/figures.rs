//! What figures are computed from, read from indexes that hold nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::deployment_row::link;
use super::failure_row::{from_json, to_json};
use super::listing::{ReadError, Reader};
use crate::domain::failure::{Evaluated, Failure, State};
use crate::domain::figures::{
    Basis, Deployed, Gathering, Kind, Link, Place, Question, Report, Times, report,
};
use crate::domain::timestamp::Timestamp;

/// `counts_for`, an array: the state, services, team, env, severity, whether the times are good, and whether somebody
/// named a deployment. Many failures have the same text.
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

impl Reader {
    /// Answers a question about the figures.
    pub fn report(&self, question: &Question) -> Result<Report, ReadError> {
        Ok(report(question, &self.figures(question.since, question.until)?))
    }

    /// What the figures of `[since, until)` are computed from.
    pub fn figures(&self, since: Timestamp, until: Timestamp) -> Result<Basis, ReadError> {
        const FIRST_START: &str =
            "SELECT min(started_at_ns) FROM deployment WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2";
        let window = self.link_window;
        let mut db = self.lock();
        let db = db.transaction()?;
        let first: Option<i64> = db
            .prepare_cached(FIRST_START)?
            .query_row([since.as_nanos(), until.as_nanos()], |row| row.get(0))?;
        let first = first.map_or(since, |first| Timestamp::from_nanos(first).min(since));
        let deployments = Deployments::read(&db, first.saturating_sub(window))?;
        // Every failure that overlaps the time from the first deployment of the period to its last possible link.
        Ok(Failures::new(&db, deployments, window).read(first, until.saturating_add(window))?)
    }
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
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

/// Failures, as they are read.
struct Failures<'a> {
    db: &'a Connection,
    link_window: Duration,
    gathering: Gathering,
    /// By `counts_for`: the kind, and whether somebody named a deployment.
    kinds: HashMap<String, (u32, bool)>,
    /// By start: start, row, and which one it is.
    deployments: Vec<(i64, i64, Place)>,
}

impl<'a> Failures<'a> {
    fn new(db: &'a Connection, Deployments { deployed, rows }: Deployments, link_window: Duration) -> Self {
        let gathering = Gathering::new(deployed, link_window);
        Self { db, link_window, gathering, kinds: HashMap::new(), deployments: rows }
    }

    /// Those that began before `until`, and had not ended by `since`.
    fn read(mut self, since: Timestamp, until: Timestamp) -> rusqlite::Result<Basis> {
        const ENDED: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns FROM failure
            WHERE finished_at_ns >= ?1 AND started_at_ns < ?2 AND counts_for IS NOT NULL";
        const WITHOUT_END: &str =
            "SELECT id, started_at_ns, finished_at_ns, counts_for, created_at_ns, restore_ns
            FROM failure WHERE state IN ('open', 'ignored') AND finished_at_ns IS NULL AND started_at_ns < ?2
            AND (state = 'open' OR started_at_ns >= ?1) AND counts_for IS NOT NULL";
        for sql in [ENDED, WITHOUT_END] {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(params![since.as_nanos(), until.as_nanos()])?;
            while let Some(row) = rows.next()? {
                self.add(row)?;
            }
        }
        Ok(self.gathering.done())
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let time =
            |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_nanos));
        let started_at = Timestamp::from_nanos(row.get(1)?);
        let times = Times { started_at, finished_at: time(2)?, restore_ns: row.get(5)? };
        let (kind, is_named) = self.kind(text(row, 3)?)?;
        let link = if is_named {
            Link::Named(self.named(row.get(0)?)?)
        } else {
            Link::Automatic(time(4)?.unwrap_or(started_at))
        };
        self.gathering.add(kind, times, link);
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
        let known = (self.gathering.add_kind(&kind), is_named);
        self.kinds.insert(counts_for.to_owned(), known);
        Ok(known)
    }

    /// The deployment that a failure is linked to because somebody named one. Few do.
    fn named(&self, failure: i64) -> rusqlite::Result<Option<Place>> {
        const NAMED: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
        const ROW: &str = "SELECT started_at_ns, id FROM deployment WHERE deployment_id = ?1";
        let mut statement = self.db.prepare_cached(NAMED)?;
        let mut rows = statement.query([failure])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut failure: Failure = from_json(text(row, 0)?)?;
        link(self.db, &mut failure, row.get_ref(1)?.as_str_or_null()?, self.link_window)?;
        let deployment: Option<(i64, i64)> = match failure.deployment {
            None => None,
            Some(id) => self
                .db
                .prepare_cached(ROW)?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?,
        };
        let Some((started_at_ns, row)) = deployment else { return Ok(None) };
        let from = self.deployments.partition_point(|(start, ..)| *start < started_at_ns);
        let mut same_start =
            self.deployments[from..].iter().take_while(|(start, ..)| *start == started_at_ns);
        // One that was made long before the period is not among them, and counts in no figure of it.
        Ok(same_start.find(|(_, other, _)| *other == row).map(|(.., place)| *place))
    }
}

#[cfg(test)]
mod tests;
