//! The marks of deployments that failed: what each comes to, from the failures that are linked to it.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::deployment_row::{load, row_of};
use super::owed_mark;
use super::stored_failure;
use super::told_deployment::{Marking, tell_mark};
use super::writer::Session;
use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::Failure;
use crate::domain::mark::{Mark, Remediation, RemediationKind, first_stretch, remediation};
use crate::domain::timestamp::Timestamp;

/// Outcome of a deployment that failed.
struct Failed {
    mark: Mark,
    /// End of the failure, if it is known: backends are told `failure.settle` later.
    ended_at: Option<Timestamp>,
}

/// Has backends mark the deployments about which something changed in this transaction; at its end, so that nobody is
/// told of what was true in the middle of it only.
pub(super) fn tell_affected(session: &mut Session<'_>) -> rusqlite::Result<()> {
    let affected: BTreeMap<i64, Timestamp> = std::mem::take(&mut session.affected);
    affected.into_iter().try_for_each(|(row, now)| tell(session, row, now))
}

fn tell(session: &mut Session<'_>, row: i64, now: Timestamp) -> rusqlite::Result<()> {
    const OF_ROW: &str = "SELECT facts FROM deployment WHERE id = ?1";
    let Some(deployment) = load(session.db(), OF_ROW, [row])?.pop() else { return Ok(()) };
    let failed = failed(session.db(), row)?;
    remember(session, row, failed.as_ref())?;
    owed_mark::owe(session, row)?;
    let ended_at = failed.as_ref().and_then(|failed| failed.ended_at);
    let due_at = session.settings.policy.told_at(ended_at, now);
    let settings = session.settings;
    for destination in settings.destinations.iter().filter(|destination| destination.takes_marks()) {
        // A mark is about the deployment, so the deployment's services, team and env decide whose business it is.
        let passes = destination.filter().passes_deployment(&deployment);
        let mark = failed.as_ref().map(|failed| &failed.mark).filter(|_| passes);
        let marking = Marking { row, deployment: &deployment, mark, due_at };
        tell_mark(session, &**destination, &marking, now)?;
    }
    Ok(())
}

/// Keeps what it came to, so that it is found when what mended it changes.
fn remember(session: &Session<'_>, row: i64, failed: Option<&Failed>) -> rusqlite::Result<()> {
    const FORGET: &str = "DELETE FROM failed WHERE deployment = ?1";
    const SAVE: &str =
        "INSERT INTO failed VALUES (?1, ?2) ON CONFLICT (deployment) DO UPDATE SET remediation = ?2";
    let Some(Failed { mark, .. }) = failed else { return session.execute(FORGET, [row]).map(drop) };
    let remediation = mark.remediation.as_ref();
    let remediation =
        remediation.map(|remediation| row_of(session.db(), &remediation.deployment)).transpose()?;
    session.execute(SAVE, params![row, remediation.flatten()]).map(drop)
}

/// Outcome of the failures that are linked to a deployment; all of them count. `None`: there are none.
fn failed(db: &Connection, row: i64) -> rusqlite::Result<Option<Failed>> {
    const LINKED: &str = "SELECT evaluated, deployment_id FROM blame b JOIN failure f ON f.id = b.failure
        JOIN deployment d ON d.id = b.deployment WHERE b.deployment = ?1";
    let mut statement = db.prepare_cached(LINKED)?;
    let mut rows = statement.query([row])?;
    let mut failures = Vec::new();
    while let Some(row) = rows.next()? {
        let mut failure = stored_failure::failure(row.get_ref(0)?.as_str()?)?;
        failure.deployment = row.get(1)?;
        failures.push(failure);
    }
    if failures.is_empty() {
        return Ok(None);
    }
    let stretch = first_stretch(failures);
    let mut mended_by: Option<Deployment> = None;
    for failure in &stretch {
        let found = remediation_of(db, failure)?;
        mended_by = [mended_by, found].into_iter().flatten().max_by(|a, b| a.order().cmp(&b.order()));
    }
    let ended_at = mended_by.as_ref().and(stretch.iter().filter_map(|failure| failure.finished_at).max());
    let remediation = match mended_by {
        Some(deployment) => {
            Some(Remediation { kind: remediation_kind(db, &deployment)?, deployment: deployment.id })
        }
        None => None,
    };
    Ok(Some(Failed { mark: Mark { remediation }, ended_at }))
}

/// Remediation of a failure whose link is known.
pub(super) fn remediation_of(db: &Connection, failure: &Failure) -> rusqlite::Result<Option<Deployment>> {
    // The last but one, too: the last may be the one that it is linked to.
    const LAST: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND started_at_ns >= ?3 AND started_at_ns < ?4 ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 2";
    let Some(end) = failure.finished_at else { return Ok(None) };
    let (from_ns, until_ns) = (failure.started_at.as_nanos(), end.as_nanos());
    let mut found = Vec::new();
    for service in &failure.services {
        found.extend(load(db, LAST, params![service, failure.env, from_ns, until_ns])?);
    }
    Ok(remediation(failure, &found).cloned())
}

/// Kind of a remediation: tells if the deployment rolls back, as if every deployment were known.
pub(super) fn remediation_kind(
    db: &Connection,
    deployment: &Deployment,
) -> rusqlite::Result<RemediationKind> {
    const BEFORE: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND (started_at_ns, deployment_id) < (?3, ?4) ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";
    // A plus keeps SQLite from looking through all of the service's deployments for the few of that version or commit.
    const OF_VERSION: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2 AND version = ?5
        AND (+started_at_ns, deployment_id) < (?3, ?4) LIMIT 1";
    const OF_COMMIT: &str = "SELECT facts FROM deployment WHERE +service = ?1 AND +env = ?2
        AND commit_sha = lower(?5) AND version IS NULL AND (+started_at_ns, deployment_id) < (?3, ?4) LIMIT 1";
    let Deployment { service, env, version, commit_sha, .. } = deployment;
    let Some(before) =
        load(db, BEFORE, params![service, env, deployment.started_at.as_nanos(), deployment.id.as_str()])?
            .pop()
    else {
        return Ok(RemediationKind::Rollforward);
    };
    let key = (before.started_at.as_nanos(), before.id.as_str().to_owned());
    let same = match (version, commit_sha) {
        (Some(version), _) => load(db, OF_VERSION, params![service, env, key.0, key.1, version])?,
        (None, Some(commit_sha)) => load(db, OF_COMMIT, params![service, env, key.0, key.1, commit_sha])?,
        (None, None) => Vec::new(),
    };
    let known = [deployment.clone(), before].into_iter().chain(same).collect();
    let is_rollback = Deployments::new(known).is_rollback(deployment);
    Ok(if is_rollback { RemediationKind::Rollback } else { RemediationKind::Rollforward })
}
