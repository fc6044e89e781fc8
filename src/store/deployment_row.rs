//! The `deployment` table: what came by the event API, and what a failure may be linked to.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::json::{from_json, to_json};
use super::writer::Session;
use super::{blame, stored_failure, told_deployment};
use crate::domain::deployment::{Deployment, Deployments, Linked, Suspect};
use crate::domain::explain::{Why, explain_link};
use crate::domain::failure::{Evaluated, Failure};
use crate::domain::figures::Elsewhere;
use crate::domain::id::DeploymentId;
use crate::domain::named::{is_short_commit, readings, version_key};
use crate::domain::timestamp::Timestamp;

pub(super) const OF_ID: &str = "SELECT facts FROM deployment WHERE deployment_id = ?1";

/// Saves a deployment in place of the one of its id, and puts it, and what it changes, before the backends.
pub(super) fn save(
    session: &mut Session<'_>,
    deployment: &Deployment,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO deployment
        (deployment_id, service, team, env, started_at_ns, finished_at_ns, version, commit_sha, facts, version_key)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, lower(?8), ?9, ?10) ON CONFLICT (deployment_id) DO UPDATE SET
        service = ?2, team = ?3, env = ?4, started_at_ns = ?5, finished_at_ns = ?6, version = ?7,
        commit_sha = lower(?8), facts = ?9, version_key = ?10 RETURNING id";
    let id = deployment.id.as_str();
    // Asked for only where something depends on it.
    let replaced = if session.keeps_marks { load(session.db(), OF_ID, [id])?.pop() } else { None };
    let parameters = params![
        id,
        deployment.service,
        deployment.team,
        deployment.env,
        deployment.started_at.as_nanos(),
        deployment.finished_at.as_nanos(),
        deployment.version,
        deployment.commit_sha,
        to_json(deployment)?,
        deployment.version.as_deref().map(version_key),
    ];
    let row = session.prepare(SQL)?.query_row(parameters, |columns| columns.get(0))?;
    told_deployment::forward(session, row, deployment, now)?;
    blame::deployment_saved(session, row, deployment, replaced.as_ref(), now)
}

/// The row of the deployment with this id.
pub(super) fn row_of(db: &Connection, id: &DeploymentId) -> rusqlite::Result<Option<i64>> {
    const SQL: &str = "SELECT id FROM deployment WHERE deployment_id = ?1";
    db.prepare_cached(SQL)?.query_row([id.as_str()], |row| row.get(0)).optional()
}

pub(super) fn load(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Deployment>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(row.get_ref(0)?.as_str()?)?);
    }
    Ok(found)
}

/// All that a failure can be linked to, so that [`Deployments::link`] decides as if it knew every deployment.
pub(super) fn candidates(
    db: &Connection,
    suspect: &Suspect<'_>,
    link_window: Duration,
) -> rusqlite::Result<Deployments> {
    const OF_SERVICE: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";
    const OF_TEAM: &str = "SELECT facts FROM deployment WHERE team = ?1 AND env = ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";
    let mut found = named(db, suspect)?;
    let by_ns = suspect.created_at.as_nanos();
    let since_ns = suspect.created_at.saturating_sub(link_window).as_nanos();
    for service in suspect.services {
        found.extend(load(db, OF_SERVICE, params![service, suspect.env, by_ns, since_ns])?);
    }
    if let Some(team) = suspect.team.filter(|_| suspect.services.is_empty()) {
        found.extend(load(db, OF_TEAM, params![team, suspect.env, by_ns, since_ns])?);
    }
    // One may be found in several ways.
    let found: BTreeMap<_, _> =
        found.into_iter().map(|deployment| (deployment.id.clone(), deployment)).collect();
    Ok(Deployments::new(found.into_values().collect()))
}

/// Deployments that a failure names, in every way in which the name may be meant.
fn named(db: &Connection, suspect: &Suspect<'_>) -> rusqlite::Result<Vec<Deployment>> {
    const OF_NAME: &str = "SELECT facts FROM deployment WHERE deployment_id = ?1 COLLATE NOCASE";
    const OF_COMMIT: &str = "SELECT facts FROM deployment WHERE commit_sha = lower(?1)";
    // Behind every digit comes a g.
    const OF_SHORT_COMMIT: &str =
        "SELECT facts FROM deployment WHERE commit_sha >= lower(?1) AND commit_sha < lower(?1) || 'g'";
    const OF_SERVICES_VERSION: &str = "SELECT facts FROM deployment WHERE service = ?1 AND version_key = ?2";
    const OF_TEAMS_VERSION: &str = "SELECT facts FROM deployment WHERE team = ?1 AND version_key = ?2";
    let mut found = Vec::new();
    for reading in suspect.named.iter().flat_map(|named| readings(named)) {
        found.extend(load(db, OF_NAME, [reading])?);
        let of_commit = if is_short_commit(reading) { OF_SHORT_COMMIT } else { OF_COMMIT };
        found.extend(load(db, of_commit, [reading])?);
        let version_key = version_key(reading);
        for service in suspect.services {
            found.extend(load(db, OF_SERVICES_VERSION, [service, &version_key])?);
        }
        if let Some(team) = suspect.team.filter(|_| suspect.services.is_empty()) {
            found.extend(load(db, OF_TEAMS_VERSION, [team, &version_key])?);
        }
    }
    Ok(found)
}

/// The deployment that a failure is linked to, as far as deployments are known by now.
pub(super) fn linked(
    session: &Session<'_>,
    Evaluated { failure, details }: &Evaluated,
) -> rusqlite::Result<Option<DeploymentId>> {
    let (suspect, link_window) = (details.suspect(failure), session.settings.link_window);
    let deployments = candidates(session.db(), &suspect, link_window)?;
    Ok(deployments.link(&suspect, link_window).deployment().map(|deployment| deployment.id.clone()))
}

/// Fills in which deployment a failure is linked to.
pub(super) fn link(
    db: &Connection,
    failure: &mut Failure,
    details: Option<&str>,
    link_window: Duration,
) -> rusqlite::Result<()> {
    let details = stored_failure::details(details)?;
    let suspect = details.suspect(failure);
    let deployments = candidates(db, &suspect, link_window)?;
    let linked = deployments.link(&suspect, link_window);
    failure.deployment = linked.deployment().map(|deployment| deployment.id.to_string());
    Ok(())
}

/// The same, and says why.
pub(super) fn explained_link(
    db: &Connection,
    failure: &mut Failure,
    details: Option<&str>,
    link_window: Duration,
) -> rusqlite::Result<Why> {
    let details = stored_failure::details(details)?;
    let suspect = details.suspect(failure);
    let deployments = candidates(db, &suspect, link_window)?;
    let linked = deployments.link(&suspect, link_window);
    let elsewhere = if linked == Linked::NoneInWindow {
        deployed_elsewhere(db, &suspect, link_window)?
    } else {
        Vec::new()
    };
    let why = explain_link(&suspect, &deployments, linked, &elsewhere);
    failure.deployment = linked.deployment().map(|deployment| deployment.id.to_string());
    Ok(why)
}

/// The services of a failure without a deployment in its env (or its team, where it has no services) that were deployed to
/// other envs in the time in which a cause is looked for. It reads all deployments of the services.
fn deployed_elsewhere(
    db: &Connection,
    suspect: &Suspect<'_>,
    link_window: Duration,
) -> rusqlite::Result<Vec<Elsewhere>> {
    const OF_SERVICE: &str = "SELECT env FROM deployment WHERE service = ?1 AND env <> ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 GROUP BY env ORDER BY count(*) DESC, env LIMIT 10";
    const OF_TEAM: &str = "SELECT env FROM deployment WHERE team = ?1 AND env <> ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 GROUP BY env ORDER BY count(*) DESC, env LIMIT 10";
    let by_ns = suspect.created_at.as_nanos();
    let since_ns = suspect.created_at.saturating_sub(link_window).as_nanos();
    let team = suspect.team.filter(|_| suspect.services.is_empty());
    let names = suspect.services.iter().map(|service| (OF_SERVICE, service.as_str()));
    let mut elsewhere = Vec::new();
    for (sql, name) in names.chain(team.map(|team| (OF_TEAM, team))) {
        let mut statement = db.prepare_cached(sql)?;
        let envs = statement.query_map(params![name, suspect.env, by_ns, since_ns], |row| row.get(0))?;
        let other_envs: Vec<String> = envs.collect::<Result<_, _>>()?;
        if !other_envs.is_empty() {
            elsewhere.push(Elsewhere { name: name.to_owned(), env: suspect.env.to_owned(), other_envs });
        }
    }
    Ok(elsewhere)
}
