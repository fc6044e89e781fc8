//! Names by which requests about marks find their deployments.

use super::rows::{ExistingRow, RowState};
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::{Action, Destination};
use crate::domain::mark::MarkTarget;
use crate::store::engine::sql::{self, Db, params};

/// `true` if the backend knows the deployment by its id: this program has sent it there, or will. `existing` is the
/// newest row of the deployment itself.
pub(in crate::store) fn is_told(existing: Option<(RowState, Action)>, forwards_deployments: bool) -> bool {
    match existing {
        Some((state, action)) => {
            action == Action::Replace && matches!(state, RowState::Pending | RowState::Sent)
        }
        None => forwards_deployments,
    }
}

/// `true` if another stored deployment than the one in the row has the same service, env and version.
pub(in crate::store) fn shares_version(
    db: &Db,
    row: i64,
    Deployment { service, env, version, .. }: &Deployment,
) -> sql::Result<bool> {
    match version {
        Some(version) => others(db, row, (service, env, version)),
        None => Ok(false),
    }
}

fn others(db: &Db, row: i64, (service, env, version): (&str, &str, &str)) -> sql::Result<bool> {
    const OTHERS: &str = "SELECT EXISTS (SELECT 1 FROM deployment
        WHERE service = ?1 AND env = ?2 AND version = ?3 AND version IS NOT NULL AND id <> ?4)";
    db.only(OTHERS, params![service, env, version, row], |columns| columns.get(0))
}

/// The deployments that the backend may have marked because of a row. If the backend accepted the whole row, only the one
/// that the mark is about.
pub(super) fn marked(destination: &dyn Destination, known: &ExistingRow) -> Vec<MarkTarget> {
    if known.prepared.action != Action::Mark {
        return Vec::new();
    }
    let mut targets = destination.mark_targets(&known.prepared);
    if known.state == RowState::Sent {
        targets.drain(..targets.len().saturating_sub(1));
    }
    targets
}

/// Keeps those names that reach no other stored deployment than the one in the row.
pub(super) fn safe(db: &Db, row: i64, targets: Vec<MarkTarget>) -> sql::Result<Vec<MarkTarget>> {
    let mut kept = Vec::new();
    for target in targets {
        let reaches_another = match &target {
            MarkTarget::Id(_) => false,
            MarkTarget::Version { service, env, version } => others(db, row, (service, env, version))?,
        };
        if !reaches_another {
            kept.push(target);
        }
    }
    Ok(kept)
}
