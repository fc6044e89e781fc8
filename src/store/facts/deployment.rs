//! Stored deployments: those sent to the event API, and those that other sources told of. The view `deployment` has
//! those that count.

use crate::domain::deployment::Deployment;
use crate::domain::deployment_outcome::NotCounted;
use crate::domain::id::DeploymentId;
use crate::domain::named::version_key;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::{from_json, to_json, unknown_word};
use crate::store::engine::session::{Session, TouchedDeployment};
use crate::store::engine::sql::{self, Db, Row, Value, params};

/// Origin of a stored deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Origin {
    /// Name of the source that told of it.
    pub(in crate::store) source: SourceName,
    /// Row of the deployment as the source has it. `None`: it was sent to the event API.
    pub(in crate::store) source_deployment: Option<i64>,
}

impl Origin {
    /// The event API.
    pub(in crate::store) const API: Self = Self { source: SourceName::API, source_deployment: None };
}

/// Standing of a stored deployment: it counts, or a reason why it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Standing {
    /// It counts.
    Counts,
    /// It does not count, for this reason.
    Ignored(String),
    /// The deployment with this id, of another source, counts in its place.
    DuplicateOf(DeploymentId),
}

impl Standing {
    /// `true` if it counts.
    pub(in crate::store) const fn counts(&self) -> bool {
        matches!(self, Self::Counts)
    }

    /// Reason why it does not count.
    pub(in crate::store) fn reason(&self) -> Option<String> {
        match self {
            Self::Counts => None,
            Self::Ignored(reason) => Some(reason.clone()),
            Self::DuplicateOf(id) => Some(NotCounted::SameAs(id.clone()).to_string()),
        }
    }

    const fn duplicate_of(&self) -> Option<&DeploymentId> {
        match self {
            Self::DuplicateOf(id) => Some(id),
            Self::Counts | Self::Ignored(_) => None,
        }
    }
}

/// A deployment as it is stored.
#[derive(Debug, Clone)]
pub(in crate::store) struct StoredDeployment {
    /// Number of its row.
    pub(in crate::store) row: i64,
    /// The deployment.
    pub(in crate::store) deployment: Deployment,
    /// Its origin.
    pub(in crate::store) origin: Origin,
    /// Its standing.
    pub(in crate::store) standing: Standing,
    /// Time at which its present values were received. `None`: an older version of the program did not note it.
    pub(in crate::store) received_at: Option<Timestamp>,
}

/// The stored deployment with this id, if it counts or not.
pub(in crate::store) fn of_id(db: &Db, id: &str) -> sql::Result<Option<StoredDeployment>> {
    let sql = format!("{STORED} WHERE deployment_id = ?1");
    db.one(&sql, params![id], stored)
}

/// Beginning of a statement that reads stored deployments, whether they count or not.
pub(in crate::store) const STORED: &str =
    "SELECT id, facts, received_at_ns, source, source_deployment, counts, ignored_because, duplicate_of,
        finished_at_ns FROM stored_deployment";

/// Column of such a statement that has the end.
pub(in crate::store) const FINISHED_AT: usize = 8;

/// The stored deployment in a row of a statement that begins with [`STORED`].
pub(in crate::store) fn stored(row: &Row<'_>) -> sql::Result<StoredDeployment> {
    let received_at_ns: Option<i64> = row.get(2)?;
    let (counts, reason): (bool, Option<String>) = (row.get(5)?, row.get(6)?);
    let duplicate_of = match row.text_or_null(7)? {
        Some(id) => Some(DeploymentId::parse(id).ok_or_else(|| unknown_word(7, id))?),
        None => None,
    };
    let standing = match (counts, duplicate_of) {
        (true, _) => Standing::Counts,
        (false, Some(id)) => Standing::DuplicateOf(id),
        (false, None) => Standing::Ignored(reason.unwrap_or_default()),
    };
    let source = row.text(3)?;
    let source = SourceName::parse(source).ok_or_else(|| unknown_word(3, source))?;
    Ok(StoredDeployment {
        row: row.get(0)?,
        deployment: from_json(row.text(1)?)?,
        origin: Origin { source, source_deployment: row.get(4)? },
        standing,
        received_at: received_at_ns.map(Timestamp::from_nanos),
    })
}

/// Saves a deployment that was received at `now`. It replaces the stored one with the same id. If its values have not
/// changed, the time at which the stored one was received stays.
pub(in crate::store) fn save(
    session: &mut Session<'_>,
    deployment: &Deployment,
    reasons: (&Origin, &Standing),
    now: Timestamp,
) -> sql::Result<()> {
    save_received(session, deployment, reasons, now, now)
}

/// Saves a deployment at `now` that was received earlier, as [`save`] does.
pub(in crate::store) fn save_received(
    session: &mut Session<'_>,
    deployment: &Deployment,
    (origin, standing): (&Origin, &Standing),
    received_at: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    const SQL: &str = "INSERT INTO stored_deployment
        (deployment_id, service, team, env, started_at_ns, finished_at_ns, version, commit_sha, facts, version_key,
        received_at_ns, source, source_deployment, counts, ignored_because, duplicate_of)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
        ON CONFLICT (deployment_id) DO UPDATE SET
        service = ?2, team = ?3, env = ?4, started_at_ns = ?5, finished_at_ns = ?6, version = ?7,
        commit_sha = ?8, facts = ?9, version_key = ?10,
        received_at_ns = CASE WHEN stored_deployment.facts = ?9 THEN stored_deployment.received_at_ns ELSE ?11 END,
        source = ?12, source_deployment = ?13, counts = ?14, ignored_because = ?15, duplicate_of = ?16 RETURNING id";
    let id = deployment.id.as_str();
    let replaced = of_id(session.db(), id)?;
    let row = session.db().only(
        SQL,
        params![
            id,
            deployment.service,
            deployment.team,
            deployment.env,
            deployment.started_at.as_nanos(),
            deployment.finished_at.as_nanos(),
            deployment.version,
            deployment.commit_sha.as_deref().map(str::to_ascii_lowercase),
            to_json(deployment)?,
            deployment.version.as_deref().map(version_key),
            received_at.as_nanos(),
            origin.source.as_str(),
            origin.source_deployment,
            standing.counts(),
            standing.reason(),
            standing.duplicate_of().map(DeploymentId::as_str),
        ],
        |columns| columns.get(0),
    )?;
    for saved in replaced.iter().map(|replaced| &replaced.deployment).chain([deployment]) {
        session.changes.touch_commit(saved, now);
    }
    touch(session, row, deployment, replaced, (standing.counts(), now));
    Ok(())
}

/// Notes that a deployment was saved, if it counts now or did before.
fn touch(
    session: &mut Session<'_>,
    row: i64,
    deployment: &Deployment,
    replaced: Option<StoredDeployment>,
    (counts, now): (bool, Timestamp),
) {
    let replaced = replaced.filter(|replaced| replaced.standing.counts());
    let changes = &mut session.changes.deployments;
    if !counts && replaced.is_none() && !changes.contains_key(&row) {
        return;
    }
    let touched = changes.entry(row).or_insert_with(|| TouchedDeployment {
        deployment: deployment.clone(),
        counts,
        replaced: Vec::new(),
        is_linked: false,
        now,
    });
    touched.deployment = deployment.clone();
    touched.counts = counts;
    touched.replaced.extend(replaced.map(|replaced| replaced.deployment));
    touched.is_linked = false;
    touched.now = now;
}

/// The deployment in this row, whether it counts or not.
pub(in crate::store) fn of_row(db: &Db, row: i64) -> sql::Result<Option<Deployment>> {
    Ok(load(db, "SELECT facts FROM stored_deployment WHERE id = ?1", params![row])?.pop())
}

/// The deployments that a query finds: their column `facts`.
pub(in crate::store) fn load(db: &Db, sql: &str, params: &[Value<'_>]) -> sql::Result<Vec<Deployment>> {
    db.all(sql, params, |row| from_json(row.text(0)?))
}
