//! The `deployment` table: deployments sent to the event API.

use rusqlite::{Connection, Params, params};

use crate::domain::deployment::Deployment;
use crate::domain::named::version_key;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::{from_json, to_json};
use crate::store::engine::session::{Session, TouchedDeployment};

pub(in crate::store) const OF_ID: &str = "SELECT facts FROM deployment WHERE deployment_id = ?1";

/// Saves a deployment that was received at `now`. It replaces the stored one with the same id. If nothing has changed,
/// the time at which the stored one was received stays.
pub(in crate::store) fn save(
    session: &mut Session<'_>,
    deployment: &Deployment,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO deployment
        (deployment_id, service, team, env, started_at_ns, finished_at_ns, version, commit_sha, facts, version_key,
        received_at_ns)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, lower(?8), ?9, ?10, ?11) ON CONFLICT (deployment_id) DO UPDATE SET
        service = ?2, team = ?3, env = ?4, started_at_ns = ?5, finished_at_ns = ?6, version = ?7,
        commit_sha = lower(?8), facts = ?9, version_key = ?10,
        received_at_ns = iif(facts = ?9, received_at_ns, ?11) RETURNING id";
    let id = deployment.id.as_str();
    let replaced = load(session.db(), OF_ID, [id])?;
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
        now.as_nanos(),
    ];
    let row = session.prepare(SQL)?.query_row(parameters, |columns| columns.get(0))?;
    let changes = &mut session.changes;
    let touched = changes.deployments.entry(row).or_insert_with(|| TouchedDeployment {
        deployment: deployment.clone(),
        replaced: Vec::new(),
        now,
    });
    touched.deployment = deployment.clone();
    touched.replaced.extend(replaced);
    touched.now = now;
    Ok(())
}

/// The deployment in this row.
pub(in crate::store) fn of_row(db: &Connection, row: i64) -> rusqlite::Result<Option<Deployment>> {
    Ok(load(db, "SELECT facts FROM deployment WHERE id = ?1", [row])?.pop())
}

/// The deployments that a query finds: their column `facts`.
pub(in crate::store) fn load(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> rusqlite::Result<Vec<Deployment>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(row.get_ref(0)?.as_str()?)?);
    }
    Ok(found)
}
