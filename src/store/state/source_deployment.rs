//! Deployments that GitHub or GitLab tells of: their events become rows of `stored_deployment`.
//!
//! What a deployment of a source makes is a function of its events and the policy. A row that counted once is never
//! removed, because rows of the outbox refer to it.

use std::collections::BTreeSet;

use crate::domain::deployment::Deployment;
use crate::domain::deployment_history::DeploymentHistory;
use crate::domain::event::Event;
use crate::domain::id::{DeploymentId, SourceDeploymentId};
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::source_deployment::{ResultingDeployment, deployments_of};
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::{from_json, to_json, unknown_word};
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::facts::delivery::source;
use crate::store::facts::deployment::{
    Origin, STORED, Standing, StoredDeployment, of_id, save_received, stored,
};

/// An event about a deployment, being folded.
pub(super) struct EventToFold {
    /// Row of the event.
    pub(super) row: i64,
    /// The deployment that it is about.
    pub(super) deployment: SourceDeploymentId,
    /// The event.
    pub(super) event: Event,
    /// Time at which it was received.
    pub(super) received_at: Timestamp,
}

/// A deployment of a source, and the history of its events.
pub(in crate::store) struct SourceDeployment {
    /// Its row.
    pub(in crate::store) row: i64,
    /// Its id at the source.
    pub(in crate::store) id: SourceDeploymentId,
    /// `None`: the stored history is damaged, and the bodies of the events are gone.
    pub(in crate::store) history: Option<DeploymentHistory>,
}

/// Folds events into their deployments.
pub(super) fn fold(session: &mut Session<'_>, mut events: Vec<EventToFold>) -> sql::Result<()> {
    const LINK: &str = "INSERT INTO source_deployment_event VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    events.sort_unstable_by(|a, b| (&a.deployment, a.row).cmp(&(&b.deployment, b.row)));
    for events in events.chunk_by(|a, b| a.deployment == b.deployment) {
        let row = add(session, events)?;
        for folding in events {
            session.run(LINK, params![row, folding.row])?;
        }
    }
    Ok(())
}

/// Adds events of one deployment to its history. Returns the deployment's row.
fn add(session: &mut Session<'_>, events: &[EventToFold]) -> sql::Result<i64> {
    const INSERT: &str = "INSERT INTO source_deployment (id_at_source, history) VALUES (?1, ?2)";
    const UPDATE: &str = "UPDATE source_deployment SET history = ?2 WHERE id = ?1";
    let id = &events[0].deployment;
    let known = of_id_at_source(session.db(), session.settings.sources, id)?;
    let row = known.as_ref().map(|known| known.row);
    let history = match known {
        Some(SourceDeployment { row, history: None, .. }) => return Ok(row),
        Some(SourceDeployment { history: Some(history), .. }) => history,
        None => DeploymentHistory::default(),
    };
    let (mut history, mut has_changed, mut now) = (history, row.is_none(), Timestamp::MIN);
    for folding in events {
        has_changed |= history.insert(&folding.event);
        now = now.max(folding.received_at);
    }
    let row = match row {
        Some(row) if !has_changed => return Ok(row),
        Some(row) => {
            session.run(UPDATE, params![row, to_json(&history)?])?;
            row
        }
        None => session.insert_new(INSERT, params![id.as_str(), to_json(&history)?])?,
    };
    apply(session, &SourceDeployment { row, id: id.clone(), history: Some(history) }, now, now)?;
    Ok(row)
}

/// The deployment of a source with this id.
fn of_id_at_source(
    db: &Db,
    sources: Sources,
    id: &SourceDeploymentId,
) -> sql::Result<Option<SourceDeployment>> {
    const SQL: &str = "SELECT id, id_at_source, history FROM source_deployment WHERE id_at_source = ?1";
    db.one(SQL, params![id.as_str()], |row| read_row(db, sources, row))
}

/// The deployment of a source in this row.
pub(in crate::store) fn of_row(
    db: &Db,
    sources: Sources,
    row: Option<i64>,
) -> sql::Result<Option<SourceDeployment>> {
    const SQL: &str = "SELECT id, id_at_source, history FROM source_deployment WHERE id = ?1";
    db.one(SQL, params![row], |row| read_row(db, sources, row))
}

/// The history of the deployment of a source in this row. `None`: there is none, or it is damaged.
pub(in crate::store) fn history_of(db: &Db, row: Option<i64>) -> sql::Result<Option<DeploymentHistory>> {
    const SQL: &str = "SELECT history FROM source_deployment WHERE id = ?1";
    let json: Option<String> = db.one(SQL, params![row], |row| row.get(0))?;
    Ok(json.and_then(|json| from_json(&json).ok()))
}

/// The next deployments of sources after this row.
pub(super) fn after_row(
    db: &Db,
    sources: Sources,
    after: i64,
    limit: u32,
) -> sql::Result<Vec<SourceDeployment>> {
    const SQL: &str =
        "SELECT id, id_at_source, history FROM source_deployment WHERE id > ?1 ORDER BY id LIMIT ?2";
    db.all(SQL, params![after, limit], |row| read_row(db, sources, row))
}

/// The deployment in these columns: the row, the id and the history.
fn read_row(db: &Db, sources: Sources, row: &Row<'_>) -> sql::Result<SourceDeployment> {
    let (number, id) = (row.get(0)?, row.text(1)?);
    let id = SourceDeploymentId::parse(id).ok_or_else(|| unknown_word(1, id))?;
    let history = history(db, sources, number, row.text(2)?)?;
    Ok(SourceDeployment { row: number, id, history })
}

/// A stored history. If it is damaged, it is made from the bodies of the events, where they are kept.
fn history(db: &Db, sources: Sources, row: i64, json: &str) -> sql::Result<Option<DeploymentHistory>> {
    const SQL: &str = "SELECT body, source FROM source_deployment_event JOIN event ON event.id = event
        WHERE source_deployment = ?1 AND body IS NOT NULL";
    let error = match from_json(json) {
        Ok(history) => return Ok(Some(history)),
        Err(error) => error,
    };
    tracing::error!(
        row,
        %error,
        "a deployment's history is damaged: its events are read again where their bodies are kept"
    );
    let mut history = DeploymentHistory::default();
    db.each(SQL, params![row], |row| {
        if let Some(event) = (source(sources, row, 1)?.parse)(row.bytes(0)?) {
            history.insert(&event);
        }
        Ok(())
    })?;
    Ok(Some(history).filter(|history| !history.is_empty()))
}

/// A row that a deployment of a source makes under a policy.
pub(super) struct Wanted {
    /// The row as it is stored. `None`: it is new.
    pub(super) stored: Option<StoredDeployment>,
    /// The deployment.
    pub(super) deployment: Deployment,
    /// Its standing until duplicates are decided at the end of the transaction.
    pub(super) standing: Standing,
    /// `true` if it is not made any more: other services count now, or none.
    pub(super) is_gone: bool,
}

impl Wanted {
    /// `true` if the row is stored otherwise, or not at all.
    pub(super) fn differs_from_stored(&self) -> bool {
        !self
            .stored
            .as_ref()
            .is_some_and(|known| known.deployment == self.deployment && known.standing == self.standing)
    }
}

/// The rows that a deployment of a source makes under a policy, and all other rows that it has made before.
pub(super) fn wanted(
    db: &Db,
    source_deployment: &SourceDeployment,
    policy: &Policy,
) -> sql::Result<Vec<Wanted>> {
    let Some(history) = &source_deployment.history else { return Ok(Vec::new()) };
    let (mut wanted, mut ids, mut counts) = (Vec::new(), BTreeSet::new(), true);
    for ResultingDeployment { deployment, ignored_because } in
        deployments_of(&source_deployment.id, history, policy)
    {
        ids.insert(deployment.id.clone());
        counts &= ignored_because.is_none();
        let stored = of_id(db, deployment.id.as_str())?;
        // One that was sent to the event API under this id counts in its place.
        if stored.as_ref().is_none_or(|stored| stored.origin != Origin::API) {
            let standing = standing(stored.as_ref(), ignored_because);
            wanted.push(Wanted { stored, deployment, standing, is_gone: false });
        }
    }
    let others =
        made_of(db, source_deployment.row)?.into_iter().filter(|other| !ids.contains(&other.deployment.id));
    let names: Vec<&str> = ids.iter().map(DeploymentId::as_str).collect();
    let why = if counts { "its services have changed" } else { "it does not count any more" };
    let gone = Standing::Ignored(format!("{why}: see {}", names.join(" and ")));
    wanted.extend(others.map(|other| Wanted {
        deployment: other.deployment.clone(),
        standing: gone.clone(),
        stored: Some(other),
        is_gone: true,
    }));
    Ok(wanted)
}

/// Saves what a deployment of a source makes under the present policy, from events that were received by `received_at`.
pub(super) fn apply(
    session: &mut Session<'_>,
    source_deployment: &SourceDeployment,
    received_at: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    let origin = origin(source_deployment)?;
    for wanted in wanted(session.db(), source_deployment, &session.settings.policy)? {
        if wanted.differs_from_stored() && !remove_unused(session, &wanted)? {
            save_received(session, &wanted.deployment, (&origin, &wanted.standing), received_at, now)?;
        }
    }
    Ok(())
}

/// Removes a row that is not made any more, if it never counted. Returns `false` if it stays.
fn remove_unused(session: &Session<'_>, wanted: &Wanted) -> sql::Result<bool> {
    const HAS_REQUESTS: &str = "SELECT EXISTS (SELECT 1 FROM outbox WHERE deployment = ?1)";
    const REMOVE: &str = "DELETE FROM stored_deployment WHERE id = ?1";
    let Some(StoredDeployment { row, standing, .. }) = wanted.stored.as_ref().filter(|_| wanted.is_gone)
    else {
        return Ok(false);
    };
    // A row that counted in this transaction may still be linked.
    if standing.counts() || session.changes.deployments.contains_key(row) {
        return Ok(false);
    }
    let has_requests: bool = session.db().only(HAS_REQUESTS, params![row], |columns| columns.get(0))?;
    if !has_requests {
        session.run(REMOVE, params![row])?;
    }
    Ok(!has_requests)
}

/// Time at which the last event of a deployment of a source was received. `None`: no event is kept.
pub(super) fn last_received_at(db: &Db, row: i64) -> sql::Result<Option<Timestamp>> {
    const SQL: &str = "SELECT max(received_at_ns) FROM source_deployment_event JOIN event ON event.id = event
        WHERE source_deployment = ?1";
    let last: Option<i64> = db.only(SQL, params![row], |columns| columns.get(0))?;
    Ok(last.map(Timestamp::from_nanos))
}

/// Origin of the rows that a deployment of a source makes.
pub(super) fn origin(source_deployment: &SourceDeployment) -> sql::Result<Origin> {
    let source = source_deployment.id.source();
    let source = SourceName::parse(source).ok_or_else(|| unknown_word(1, source))?;
    Ok(Origin { source, source_deployment: Some(source_deployment.row) })
}

/// The standing until duplicates are decided at the end of the transaction.
fn standing(known: Option<&StoredDeployment>, ignored_because: Option<String>) -> Standing {
    let is_duplicate = |known: &&StoredDeployment| matches!(known.standing, Standing::DuplicateOf(_));
    match (ignored_because, known.filter(is_duplicate)) {
        (Some(reason), _) => Standing::Ignored(reason),
        (None, Some(known)) => known.standing.clone(),
        (None, None) => Standing::Counts,
    }
}

/// All rows that a deployment of a source has made.
fn made_of(db: &Db, row: i64) -> sql::Result<Vec<StoredDeployment>> {
    let sql = format!(
        "{STORED} WHERE source_deployment = ?1 AND source_deployment IS NOT NULL ORDER BY deployment_id"
    );
    db.all(&sql, params![row], stored)
}
