//! The stored links of failures to deployments. `domain/link.rs` decides them, from the deployments that can matter,
//! which are read here.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::Evaluated;
use crate::domain::id::DeploymentId;
use crate::domain::link::{LinkQuery, LinkReason};
use crate::domain::named::{is_short_commit, readings, version_key};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::facts::deployment::load;

/// Links of a failure, by the rows of the deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct StoredLinks {
    /// The deployment that caused it.
    pub(in crate::store) cause: Option<i64>,
    /// Reason for the cause, or for having none.
    pub(in crate::store) how: LinkReason,
    /// The deployment that fixed it.
    pub(in crate::store) remediation: Option<i64>,
}

impl StoredLinks {
    /// The links in the columns `cause`, `cause_how` and `remediation`, from this one on.
    pub(in crate::store) fn of(row: &Row<'_>, first: usize) -> sql::Result<Self> {
        let how = match row.text_or_null(first + 1)? {
            None => LinkReason::NotLinked,
            Some(word) => LinkReason::ALL
                .into_iter()
                .find(|how| how.as_str() == word)
                .ok_or_else(|| unknown_word(first + 1, word))?,
        };
        Ok(Self { cause: row.get(first)?, how, remediation: row.get(first + 2)? })
    }
}

/// Decides the links of a failure from the deployments that are stored now.
pub(in crate::store) fn decide(
    db: &Db,
    Evaluated { failure, details }: &Evaluated,
    link_window: Duration,
) -> sql::Result<StoredLinks> {
    let query = details.link_query(failure);
    let deployments = candidates(db, &query, link_window)?;
    let links = deployments.links(&query, link_window);
    let row_of = |deployment: Option<&Deployment>| match deployment {
        Some(deployment) => row_of(db, &deployment.id),
        None => Ok(None),
    };
    Ok(StoredLinks {
        cause: row_of(links.cause.deployment())?,
        how: links.cause.how(),
        remediation: row_of(links.remediation)?,
    })
}

/// Stores the names that a failure gives for its cause, in place of earlier names. The deployment may arrive later.
pub(in crate::store) fn remember_names(
    session: &Session<'_>,
    row: i64,
    evaluated: Option<&Evaluated>,
) -> sql::Result<()> {
    const FORGET: &str = "DELETE FROM named_deployment WHERE failure = ?1";
    const SAVE: &str = "INSERT INTO named_deployment VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    session.run(FORGET, params![row])?;
    let Some(Evaluated { failure, details }) = evaluated else { return Ok(()) };
    let query = details.link_query(failure);
    if query.names_none() {
        return Ok(());
    }
    for reading in query.named.iter().flat_map(|named| readings(named)) {
        session.run(SAVE, params![reading.to_lowercase(), row])?;
        session.run(SAVE, params![version_key(reading), row])?;
    }
    Ok(())
}

/// The row of the deployment with this id.
fn row_of(db: &Db, id: &DeploymentId) -> sql::Result<Option<i64>> {
    const SQL: &str = "SELECT id FROM deployment WHERE deployment_id = ?1";
    db.one(SQL, params![id.as_str()], |row| row.get(0))
}

/// The latest deployment of a service that can be the cause. The plus sign keeps SQLite from reading all later
/// deployments of the env.
const OF_SERVICE: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
    AND started_at_ns <= ?3 AND +finished_at_ns >= ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";
/// The same of a team.
const OF_TEAM: &str = "SELECT facts FROM deployment WHERE team = ?1 AND env = ?2
    AND started_at_ns <= ?3 AND +finished_at_ns >= ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";

/// The deployments that can affect a failure's links. With these the domain decides as if it had all deployments.
pub(in crate::store) fn candidates(
    db: &Db,
    query: &LinkQuery<'_>,
    link_window: Duration,
) -> sql::Result<Deployments> {
    // The last two deployments: the last one may be the cause.
    const BEGUN_OF_SERVICE: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND started_at_ns >= ?3 AND started_at_ns < ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 2";
    const BEGUN_OF_TEAM: &str = "SELECT facts FROM deployment WHERE team = ?1 AND env = ?2
        AND started_at_ns >= ?3 AND started_at_ns < ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 2";
    let mut found = named(db, query)?;
    let by_ns = query.created_at.as_nanos();
    let since_ns = query.created_at.saturating_sub(link_window).as_nanos();
    let team = query.team.filter(|_| query.services.is_empty());
    let services = query.services.iter().map(|name| (name.as_str(), OF_SERVICE, BEGUN_OF_SERVICE));
    for (name, before, begun) in services.chain(team.map(|team| (team, OF_TEAM, BEGUN_OF_TEAM))) {
        found.extend(load(db, before, params![name, query.env, by_ns, since_ns])?);
        for (from_ns, until_ns) in open_times(query) {
            found.extend(load(db, begun, params![name, query.env, from_ns, until_ns])?);
        }
    }
    // A deployment may be found in several ways.
    let found: BTreeMap<_, _> =
        found.into_iter().map(|deployment| (deployment.id.clone(), deployment)).collect();
    Ok(Deployments::new(found.into_values().collect()))
}

/// The periods in which an ended failure was open, in nanoseconds. The second number is the first moment after the
/// period.
fn open_times(query: &LinkQuery<'_>) -> Vec<(i64, i64)> {
    let Some(end) = query.ended_at.filter(|_| query.is_restored) else { return Vec::new() };
    let from = std::iter::once(query.started_at.as_nanos().saturating_add(1));
    let from = from.chain(query.pauses.iter().map(|pause| pause.reopened_at.as_nanos()));
    let until = query.pauses.iter().map(|pause| pause.resolved_at).chain([end]);
    from.zip(until.map(Timestamp::as_nanos)).collect()
}

/// Deployments that a failure names, in each form in which the name can be read.
fn named(db: &Db, query: &LinkQuery<'_>) -> sql::Result<Vec<Deployment>> {
    const OF_ID: &str = "SELECT facts FROM deployment WHERE lower(deployment_id) = ?1";
    const OF_COMMIT: &str = "SELECT facts FROM deployment WHERE commit_sha = ?1";
    // The letter g sorts after every hexadecimal digit.
    const OF_SHORT_COMMIT: &str =
        "SELECT facts FROM deployment WHERE commit_sha >= ?1 AND commit_sha < ?1 || 'g'";
    const OF_SERVICES_VERSION: &str = "SELECT facts FROM deployment WHERE service = ?1 AND version_key = ?2";
    const OF_TEAMS_VERSION: &str = "SELECT facts FROM deployment WHERE team = ?1 AND version_key = ?2";
    let mut found = Vec::new();
    for reading in query.named.iter().flat_map(|named| readings(named)) {
        let lower_case = reading.to_ascii_lowercase();
        found.extend(load(db, OF_ID, params![&lower_case])?);
        let of_commit = if is_short_commit(reading) { OF_SHORT_COMMIT } else { OF_COMMIT };
        found.extend(load(db, of_commit, params![&lower_case])?);
        let version_key = version_key(reading);
        for service in query.services {
            found.extend(load(db, OF_SERVICES_VERSION, params![service, &version_key])?);
        }
        if let Some(team) = query.team.filter(|_| query.services.is_empty()) {
            found.extend(load(db, OF_TEAMS_VERSION, params![team, &version_key])?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::open_store::open_to_write;
    use crate::store::engine::sqlite::plan::plan;

    #[test]
    fn the_latest_deployment_is_found_among_those_of_its_service_or_team() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        for (sql, index) in [
            (OF_SERVICE, "deployment_by_service (service=? AND env=? AND started_at_ns<?)"),
            (OF_TEAM, "deployment_by_team (team=? AND env=? AND started_at_ns<?)"),
        ] {
            let plan = plan(&db, sql);
            assert!(plan.lines().next().is_some_and(|first| first.ends_with(index)), "{plan}");
        }
    }
}
