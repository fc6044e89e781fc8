//! Differences between the stored deployments of sources and those that they make under a policy, with the duplicates
//! that follow.

use std::collections::BTreeMap;

use super::duplicates::{Periods, candidates, standings};
use super::source_deployment::{SourceDeployment, Wanted, origin, wanted};
use crate::domain::changed_deployment::ChangedDeployment;
use crate::domain::deployment::Deployment;
use crate::domain::id::DeploymentId;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::DeployedCommit;
use crate::store::engine::sql::{self, Db};
use crate::store::facts::deployment::{Standing, StoredDeployment};

/// A row before and after.
struct Changed {
    before: Option<StoredDeployment>,
    after: StoredDeployment,
}

impl Changed {
    fn difference(&self) -> ChangedDeployment {
        let reason = self.before.as_ref().and_then(|before| before.standing.reason());
        let before = self.before.as_ref().map(|before| (&before.deployment, reason.as_deref()));
        let reason = self.after.standing.reason();
        ChangedDeployment::between(before, (&self.after.deployment, reason.as_deref()))
    }
}

/// The differences that these deployments of sources make under this policy: of their own rows, and of other deployments
/// that become duplicates, or are none any more.
pub(in crate::store) fn of_all(
    db: &Db,
    sources: Sources,
    source_deployments: &[SourceDeployment],
    policy: &Policy,
) -> sql::Result<Vec<ChangedDeployment>> {
    let mut rows = BTreeMap::new();
    for source_deployment in source_deployments {
        for Wanted { stored: before, deployment, standing, .. } in
            wanted(db, source_deployment, policy)?.into_iter().filter(Wanted::differs_from_stored)
        {
            let after = StoredDeployment {
                row: 0,
                deployment,
                origin: origin(source_deployment)?,
                standing,
                received_at: None,
            };
            rows.insert(after.deployment.id.clone(), Changed { before, after });
        }
    }
    settle(db, sources, &mut rows)?;
    let differences = rows.values().map(Changed::difference);
    Ok(differences.filter(|changed| !changed.changes.is_empty()).collect())
}

/// Decides which of the rows are duplicates, and adds other rows about which they decide.
fn settle(db: &Db, sources: Sources, rows: &mut BTreeMap<DeploymentId, Changed>) -> sql::Result<()> {
    for (commit, starts) in commits(rows) {
        let Periods { decided, read } = Periods::of(starts, sources);
        let stored = candidates(db, &commit, read)?;
        let stored = stored.into_iter().filter(|stored| !rows.contains_key(&stored.deployment.id));
        let is_candidate = |after: &StoredDeployment| {
            !matches!(after.standing, Standing::Ignored(_))
                && DeployedCommit::of(&after.deployment).as_ref() == Some(&commit)
        };
        let made = rows.values().map(|changed| &changed.after).filter(|after| is_candidate(after)).cloned();
        let all: Vec<StoredDeployment> = stored.chain(made).collect();
        for (one, standing) in all.iter().zip(standings(&all, sources)) {
            let id = &one.deployment.id;
            if let Some(changed) = rows.get_mut(id) {
                changed.after.standing = standing;
            } else if decided.contains(&one.deployment.started_at) && one.standing != standing {
                let after = StoredDeployment { standing, ..one.clone() };
                rows.insert(id.clone(), Changed { before: Some(one.clone()), after });
            }
        }
    }
    Ok(())
}

/// The commits of rows before and after, each with its first and last start.
fn commits(rows: &BTreeMap<DeploymentId, Changed>) -> BTreeMap<DeployedCommit, (Timestamp, Timestamp)> {
    let mut commits = BTreeMap::new();
    let mut touch = |deployment: &Deployment| {
        let Some(commit) = DeployedCommit::of(deployment) else { return };
        let at = deployment.started_at;
        let (first, last) = commits.entry(commit).or_insert((at, at));
        (*first, *last) = (at.min(*first), at.max(*last));
    };
    for Changed { before, after } in rows.values() {
        before.iter().chain([after]).for_each(|row| touch(&row.deployment));
    }
    commits
}
