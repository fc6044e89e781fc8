//! The open transaction, and its changes, which are handled at its end and after its commit.

use std::collections::{BTreeMap, BTreeSet};

use super::backlog::Unfolded;
use super::merge_targets::MergeTargets;
use super::postgres::lease;
use super::postgres::replica::{self, Generation};
use super::progress::{self, WRITTEN_AT};
use super::settings::Settings;
use super::sql::{self, Db, Value};
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::tell::ToldBackends;
use crate::domain::timestamp::Timestamp;

/// State for a job: the open transaction, and values that the writer keeps in memory.
pub(in crate::store) struct Session<'a> {
    pub(super) db: &'a Db,
    pub(in crate::store) settings: &'a Settings,
    /// Epoch of the claims of this process.
    pub(super) epoch: Epoch,
    pub(in crate::store) merge_targets: &'a mut MergeTargets,
    pub(in crate::store) changes: Changes,
}

/// Epoch of claims on rows of the outbox. A claim of another epoch is not valid any more.
#[derive(Debug, Clone)]
pub(in crate::store) enum Epoch {
    /// The number of processes that have opened the file for writing. Only this one has it open.
    OfProcess(i64),
    /// Each backend has an epoch of its own, which begins when another replica gets its lease, or the lease has run out.
    /// `None` for a command, which has no lease.
    OfLeases(Option<Generation>),
}

/// Changes that a transaction has made.
#[derive(Default)]
pub(in crate::store) struct Changes {
    /// Row of the last stored event.
    pub(in crate::store) kept: Option<i64>,
    /// Stored events to fold.
    pub(in crate::store) to_fold: Vec<Unfolded>,
    /// Ids of bodies put in quarantine, with the reasons.
    pub(in crate::store) quarantined: Vec<(i64, String)>,
    /// Failures that may have to be sent to backends, by row.
    pub(in crate::store) failures: BTreeMap<i64, TouchedFailure>,
    /// Deployments that may change links, or may have to be sent to backends, by row.
    pub(in crate::store) deployments: BTreeMap<i64, TouchedDeployment>,
    /// Commits whose deployments may be duplicates of each other.
    pub(in crate::store) commits: BTreeMap<DeployedCommit, TouchedCommit>,
    /// Deployments whose mark may have changed, by row, with the time at which the change arrived.
    pub(in crate::store) marks: BTreeMap<i64, Timestamp>,
    /// `true` if the outbox may have new rows to send.
    pub(in crate::store) outbox_changed: bool,
    /// Backends whose rows a person wants retried at once.
    pub(in crate::store) retry_requests: BTreeSet<String>,
    /// `true` if a webhook shows a resolved incident whose resolve was not received.
    pub(in crate::store) resolve_is_missing: bool,
    /// Failures as they were before they were saved, by row; a new one has none. `None` if nobody asks for them.
    pub(in crate::store) contents_before: Option<BTreeMap<i64, Option<FailureContent>>>,
    /// `true` if backends are not told of the changes.
    pub(in crate::store) is_quiet: bool,
    /// The only backends that are told, also what they have already. `None`: every backend is told what it does not have.
    pub(in crate::store) told_again: Option<ToldBackends>,
}

/// A failure as it was stored, as text, and the rows of its deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct FailureContent {
    /// The failure, as JSON. `None` if its facts made no failure.
    pub(in crate::store) failure: Option<String>,
    /// Details of the failure, as JSON.
    pub(in crate::store) details: Option<String>,
    /// The deployment that caused it.
    pub(in crate::store) cause: Option<i64>,
    /// The deployment that fixed it.
    pub(in crate::store) remediation: Option<i64>,
}

/// A failure that was saved, or whose links changed.
pub(in crate::store) struct TouchedFailure {
    /// The failure as it is now. `None` if the facts make no failure.
    pub(in crate::store) evaluated: Option<Evaluated>,
    /// The last revision for any backend; 0: none.
    pub(in crate::store) revision: i64,
    /// Time at which the change arrived.
    pub(in crate::store) now: Timestamp,
}

/// A commit that was deployed as a service to an env.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct DeployedCommit {
    /// The commit, in lower case.
    pub(in crate::store) commit_sha: String,
    /// The service.
    pub(in crate::store) service: String,
    /// The env.
    pub(in crate::store) env: String,
}

impl DeployedCommit {
    /// Commit of a deployment. `None` if it has none.
    pub(in crate::store) fn of(deployment: &Deployment) -> Option<Self> {
        let Deployment { service, env, commit_sha, .. } = deployment;
        let commit_sha = commit_sha.as_ref()?.to_ascii_lowercase();
        Some(Self { commit_sha, service: service.clone(), env: env.clone() })
    }
}

/// Deployments of a commit that were saved.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct TouchedCommit {
    /// The first start.
    pub(in crate::store) first: Timestamp,
    /// The last start.
    pub(in crate::store) last: Timestamp,
    /// Time at which the last change arrived.
    pub(in crate::store) now: Timestamp,
}

/// A deployment that was saved, and counts now or did before.
pub(in crate::store) struct TouchedDeployment {
    /// The deployment as it is now.
    pub(in crate::store) deployment: Deployment,
    /// `true` if it counts now.
    pub(in crate::store) counts: bool,
    /// Earlier deployments that it replaced, and that counted.
    pub(in crate::store) replaced: Vec<Deployment>,
    /// `true` if the links that it may change are decided again since it was saved.
    pub(in crate::store) is_linked: bool,
    /// Time at which the change arrived.
    pub(in crate::store) now: Timestamp,
}

impl TouchedDeployment {
    /// `true` if it counts now and did not before, does not any more, or differs from a deployment that it replaced.
    pub(in crate::store) fn is_changed(&self) -> bool {
        self.counts == self.replaced.is_empty()
            || self.replaced.iter().any(|replaced| *replaced != self.deployment)
    }
}

impl Changes {
    /// Adds what was changed by a part of the transaction that is already put into the outbox.
    pub(in crate::store) fn add_finished(&mut self, part: Self) {
        self.kept = part.kept.or(self.kept);
        self.to_fold.extend(part.to_fold);
        self.quarantined.extend(part.quarantined);
        self.outbox_changed |= part.outbox_changed;
        self.resolve_is_missing |= part.resolve_is_missing;
        self.retry_requests.extend(part.retry_requests);
    }

    /// Has the deployments of the commit compared at the end of the transaction.
    pub(in crate::store) fn touch_commit(&mut self, deployment: &Deployment, now: Timestamp) {
        let Some(key) = DeployedCommit::of(deployment) else { return };
        let started_at = &deployment.started_at;
        let touched =
            self.commits.entry(key).or_insert(TouchedCommit { first: *started_at, last: *started_at, now });
        touched.first = touched.first.min(*started_at);
        touched.last = touched.last.max(*started_at);
        touched.now = touched.now.max(now);
    }

    /// Has the mark of a deployment reconciled at the end of the transaction.
    pub(in crate::store) fn touch_mark(&mut self, deployment: Option<i64>, now: Timestamp) {
        if let Some(deployment) = deployment {
            let arrived_at = self.marks.entry(deployment).or_insert(now);
            *arrived_at = now.max(*arrived_at);
        }
    }
}

impl<'a> Session<'a> {
    /// The connection, for reading.
    pub(in crate::store) fn db(&self) -> &'a Db {
        self.db
    }

    /// Writes a row that no other process writes.
    pub(in crate::store) fn prove_writable(&self, now: Timestamp) -> sql::Result<()> {
        match &self.epoch {
            Epoch::OfLeases(Some(generation)) => replica::beat(self.db.postgres()?, generation).map(drop),
            Epoch::OfLeases(None) | Epoch::OfProcess(_) => progress::set(self.db, WRITTEN_AT, now.as_nanos()),
        }
    }

    /// The epoch whose claims on rows of a backend are valid.
    pub(in crate::store) fn epoch(&self, backend: &str) -> sql::Result<i64> {
        match &self.epoch {
            Epoch::OfProcess(epoch) => Ok(*epoch),
            Epoch::OfLeases(_) => lease::epoch(self.db.postgres()?, backend),
        }
    }

    /// `true` if a claim belongs to the epoch of a lease, `false` if it belongs to the epoch of this process.
    pub(in crate::store) const fn has_leases(&self) -> bool {
        matches!(self.epoch, Epoch::OfLeases(_))
    }

    /// The epoch for new claims. `None` if another replica sends to this backend now.
    pub(in crate::store) fn own_epoch(&self, backend: &str) -> sql::Result<Option<i64>> {
        match &self.epoch {
            Epoch::OfProcess(epoch) => Ok(Some(*epoch)),
            Epoch::OfLeases(Some(generation)) => lease::own_epoch(self.db.postgres()?, backend, generation),
            Epoch::OfLeases(None) => Ok(None),
        }
    }

    /// Takes or renews the right to send to a backend, and returns its epoch. `None` while another replica has it.
    pub(in crate::store) fn take_lease(&self, backend: &str) -> sql::Result<Option<i64>> {
        match &self.epoch {
            Epoch::OfProcess(epoch) => Ok(Some(*epoch)),
            Epoch::OfLeases(Some(generation)) => lease::take(self.db.postgres()?, backend, generation),
            Epoch::OfLeases(None) => Ok(None),
        }
    }

    /// Gives the right to send to a backend to others.
    pub(in crate::store) fn release_lease(&self, backend: &str) -> sql::Result<()> {
        match &self.epoch {
            Epoch::OfLeases(Some(generation)) => lease::release(self.db.postgres()?, backend, generation),
            Epoch::OfLeases(None) | Epoch::OfProcess(_) => Ok(()),
        }
    }

    /// Inserts a row into a table with numbered rows, and returns its number. `None` if the row exists already.
    pub(in crate::store) fn insert(&self, sql: &str, params: &[Value<'_>]) -> sql::Result<Option<i64>> {
        self.db.insert(sql, params)
    }

    /// Inserts a row that cannot exist yet, and returns its number.
    pub(in crate::store) fn insert_new(&self, sql: &str, params: &[Value<'_>]) -> sql::Result<i64> {
        self.insert(sql, params)?.ok_or_else(sql::Error::no_row)
    }

    /// Runs a statement and returns how many rows it changed.
    pub(in crate::store) fn run(&self, sql: &str, params: &[Value<'_>]) -> sql::Result<usize> {
        self.db.run(sql, params)
    }
}
