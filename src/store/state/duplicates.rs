//! Deployments that two sources tell of, for example a pipeline and a webhook. Of equal ones, only one counts.
//!
//! Whenever a deployment is saved, all deployments of its commit, service and env that began at about the same time are
//! decided again at the end of the transaction. So the result does not depend on the order of arrival, and a duplicate
//! counts once the other one is gone.

use std::ops::RangeInclusive;

use crate::domain::deployment::Deployment;
use crate::domain::import::IMPORTED;
use crate::domain::same_deployment::{self, Candidate, LONGEST_APART};
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::{DeployedCommit, Session, TouchedCommit};
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::{Origin, STORED, Standing, StoredDeployment, save, stored};

/// Saves a deployment that was sent to the event API. It always counts. It replaces a deployment of another source under
/// its id.
pub(in crate::store) fn save_submitted(
    session: &mut Session<'_>,
    deployment: &Deployment,
    now: Timestamp,
) -> sql::Result<()> {
    save(session, deployment, (&Origin::API, &Standing::Counts), now)
}

/// Decides again which deployments are duplicates, among all that this transaction may have made equal.
pub(in crate::store) fn settle(session: &mut Session<'_>) -> sql::Result<()> {
    let touched = std::mem::take(&mut session.changes.commits);
    for (commit, TouchedCommit { first, last, now }) in touched {
        let Periods { decided, read } = Periods::of((first, last), session.settings.sources);
        let all = candidates(session.db(), &commit, read)?;
        if all.len() < 2 && all.iter().all(|stored| stored.standing.counts()) {
            continue;
        }
        let standings = standings(&all, session.settings.sources);
        for (stored, standing) in all.into_iter().zip(standings) {
            let is_decided = decided.contains(&stored.deployment.started_at);
            if is_decided && stored.standing != standing {
                save(session, &stored.deployment, (&stored.origin, &standing), now)?;
            }
        }
    }
    // The loop above has decided about all that it has saved.
    session.changes.commits.clear();
    Ok(())
}

/// Periods of the starts that a change of deployments reaches.
pub(super) struct Periods {
    /// Deployments whose standing may change.
    pub(super) decided: RangeInclusive<Timestamp>,
    /// Deployments that decide about those.
    pub(super) read: (Timestamp, Timestamp),
}

impl Periods {
    /// Periods for changes from the first to the last start.
    pub(super) fn of((first, last): (Timestamp, Timestamp), sources: Sources) -> Self {
        // A deployment that changes can change the decision about one of the next source, and so on, at most this far
        // away. Their decisions depend on deployments that are as far away again. Imported ones are one more source.
        let sources = u32::try_from(sources.iter().count() + 1).unwrap_or(u32::MAX);
        let reach = LONGEST_APART.saturating_mul(sources);
        let decided = first.saturating_sub(reach)..=last.saturating_add(reach);
        let read = (decided.start().saturating_sub(reach), decided.end().saturating_add(reach));
        Self { decided, read }
    }
}

/// The deployments of a commit that count, or would count without the others, and that began in this period.
pub(super) fn candidates(
    db: &Db,
    DeployedCommit { commit_sha, service, env }: &DeployedCommit,
    (since, until): (Timestamp, Timestamp),
) -> sql::Result<Vec<StoredDeployment>> {
    let sql = format!(
        "{STORED} WHERE commit_sha = ?1 AND service = ?2 AND env = ?3 AND started_at_ns BETWEEN ?4 AND ?5
        AND (counts = 1 OR duplicate_of IS NOT NULL)"
    );
    db.all(&sql, params![commit_sha, service, env, since.as_nanos(), until.as_nanos()], stored)
}

/// The standing that each of these deployments should have.
pub(super) fn standings(all: &[StoredDeployment], sources: Sources) -> Vec<Standing> {
    let rank = |stored: &StoredDeployment| {
        // A system that was told of a deployment knows no more of it than the one that told.
        let is_imported = stored.deployment.tags.contains(IMPORTED);
        if is_imported { usize::MAX } else { sources.deployment_rank(stored.origin.source.as_str()) }
    };
    let candidates: Vec<Candidate<'_>> =
        all.iter().map(|stored| Candidate { deployment: &stored.deployment, rank: rank(stored) }).collect();
    let duplicates = same_deployment::duplicates(&candidates);
    let standing = |stored: &StoredDeployment| match duplicates.get(&stored.deployment.id) {
        Some(first) => Standing::DuplicateOf((*first).clone()),
        None => Standing::Counts,
    };
    all.iter().map(standing).collect()
}
