//! Desired state: the request that brings a backend up to date about a failure, a deployment or a mark.

use super::rows::{ExistingRow, RowState};
use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::Evaluated;
use crate::domain::forwarding::{Destination, PreparedRequest, RevisionContext, filtered};
use crate::domain::id::DeploymentId;
use crate::domain::mark::{CausedFailure, FailedDeployment, RemediationKind};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::unknown_word;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::{load, of_row};

/// Desired state of a subject at a backend.
pub(super) struct Desired {
    /// The request that brings the backend up to date. `None` if the backend should have nothing of the subject, or if
    /// there is no request for the change.
    pub(super) request: Option<PreparedRequest>,
    /// The requests with the same effect: one as a correction, one as a first revision.
    pub(super) same: Vec<PreparedRequest>,
}

impl Desired {
    /// The backend should have nothing of the subject.
    pub(super) const NOTHING: Self = Self { request: None, same: Vec::new() };

    /// `true` if a row has the desired request.
    pub(super) fn is_request_of(&self, existing: &ExistingRow) -> bool {
        self.request.is_some() && self.same.contains(&existing.prepared)
    }

    /// `true` if a row has the desired request, and was accepted or is still to be sent. Then no new row is needed.
    pub(super) fn is_satisfied_by(&self, existing: &ExistingRow) -> bool {
        matches!(existing.state, RowState::Pending | RowState::Sent) && self.is_request_of(existing)
    }
}

/// Desired state of a failure. `newest` is the newest row; its request may have the row's revision number in it.
///
/// `None` if nothing is to be sent yet.
pub(super) fn of_failure(
    destination: &dyn Destination,
    evaluated: &Evaluated,
    context: RevisionContext,
    newest: Option<&ExistingRow>,
) -> Option<Desired> {
    let seen = filtered(destination.filter(), evaluated);
    if !destination.failures_sent().includes(seen.failure.state) && !context.is_correction {
        return (context.revision > 1).then_some(Desired::NOTHING);
    }
    let same = newest.into_iter().flat_map(|existing| {
        [false, true].map(|is_correction| {
            destination.prepare(&seen, RevisionContext { revision: existing.revision, is_correction })
        })
    });
    Some(Desired { same: same.collect(), request: Some(destination.prepare(&seen, context)) })
}

/// Desired state of the deployment with this id. `None`: it does not count (any more), so a backend should not have it.
pub(super) fn of_deployment(
    destination: &dyn Destination,
    (id, counting): (&DeploymentId, Option<&Deployment>),
    context: RevisionContext,
) -> Desired {
    if let Some(deployment) = counting.filter(|made| destination.filter().passes_deployment(made)) {
        let prepared = |is_correction| {
            destination.prepare_deployment(deployment, RevisionContext { revision: 0, is_correction })
        };
        let request = destination.prepare_deployment(deployment, context);
        let same = [prepared(false), prepared(true), request.clone()].into_iter().flatten();
        return Desired { same: same.collect(), request };
    }
    let request = if context.is_correction { destination.prepare_deployment_removal(id) } else { None };
    Desired { same: request.clone().into_iter().collect(), request }
}

/// Recovery from a deployment, computed from all failures that it caused and that count. `None` if it did not fail.
pub(in crate::store) fn failed(db: &Db, deployment: i64) -> sql::Result<Option<FailedDeployment>> {
    const CAUSED: &str = "SELECT id, state, started_at_ns, finished_at_ns, remediation FROM failure
        WHERE cause = ?1 AND state IN ('open', 'completed')";
    let caused = db.all(CAUSED, params![deployment], |row| {
        let finished_at: Option<i64> = match row.text(1)? {
            "open" => None,
            "completed" => row.get(3)?,
            other => return Err(unknown_word(1, other)),
        };
        let remediation: Option<i64> = row.get(4)?;
        Ok(CausedFailure {
            key: row.get(0)?,
            started_at: Timestamp::from_nanos(row.get(2)?),
            finished_at: finished_at.map(Timestamp::from_nanos),
            remediation: remediation.map(|row| of_row(db, row)).transpose()?.flatten(),
        })
    })?;
    Ok(FailedDeployment::of(caused))
}

/// Kind of a remediation: rollback or rollforward. Reads only the deployments that decide this.
pub(in crate::store) fn remediation_kind(db: &Db, deployment: &Deployment) -> sql::Result<RemediationKind> {
    const OF_VERSION: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2 AND version = ?5
        AND version IS NOT NULL AND (started_at_ns, deployment_id) < (?3, ?4) LIMIT 1";
    const OF_COMMIT: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND commit_sha = lower(?5) AND commit_sha IS NOT NULL AND version IS NULL
        AND (started_at_ns, deployment_id) < (?3, ?4) LIMIT 1";
    let Deployment { service, env, version, commit_sha, .. } = deployment;
    let Some(before) = deployment_before(db, deployment)? else {
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

/// The deployment of the same service to the same env just before one.
pub(in crate::store) fn deployment_before(
    db: &Db,
    deployment: &Deployment,
) -> sql::Result<Option<Deployment>> {
    const BEFORE: &str = "SELECT facts FROM deployment WHERE service = ?1 AND env = ?2
        AND (started_at_ns, deployment_id) < (?3, ?4) ORDER BY started_at_ns DESC, deployment_id DESC LIMIT 1";
    let Deployment { id, service, env, started_at, .. } = deployment;
    Ok(load(db, BEFORE, params![service, env, started_at.as_nanos(), id.as_str()])?.pop())
}
