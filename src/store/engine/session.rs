//! The open transaction, and what it leaves to be done at its end and after its commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{CachedStatement, Connection, Params};

use super::backlog::Unfolded;
use super::settings::Settings;
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::timestamp::Timestamp;

/// State that a job works with: the open transaction, and the writer's knowledge.
pub(in crate::store) struct Session<'a> {
    pub(super) db: &'a Connection,
    pub(in crate::store) settings: &'a Settings,
    /// This process among those that have opened the store to write.
    pub(in crate::store) epoch: i64,
    /// The key of every failure that an incident was ever merged into, and perhaps of some more: hardly any is
    /// among them, and the others need not be asked for.
    pub(in crate::store) merge_targets: &'a mut HashSet<i64>,
    pub(in crate::store) changes: Changes,
}

/// Changes that a transaction has made.
#[derive(Default)]
pub(in crate::store) struct Changes {
    /// The last event that it keeps.
    pub(in crate::store) kept: Option<i64>,
    /// Events of these that are to be folded.
    pub(in crate::store) fresh: Vec<Unfolded>,
    /// Bodies that it puts in quarantine, and why.
    pub(in crate::store) quarantined: Vec<(i64, String)>,
    /// Failures that backends may have to be told of, by row.
    pub(in crate::store) failures: BTreeMap<i64, TouchedFailure>,
    /// Deployments that decide links, and that backends may have to be told of, by row.
    pub(in crate::store) deployments: BTreeMap<i64, TouchedDeployment>,
    /// Deployments whose mark may have changed, by row, and when that was heard of.
    pub(in crate::store) marks: BTreeMap<i64, Timestamp>,
    /// The outbox may hold something new to send.
    pub(in crate::store) outbox_changed: bool,
    /// The backends whose rows a person wants tried again at once.
    pub(in crate::store) retry_requests: BTreeSet<String>,
}

/// A failure that was saved, or whose links changed.
pub(in crate::store) struct TouchedFailure {
    /// The failure as it is now. `None`: it is none.
    pub(in crate::store) evaluated: Option<Evaluated>,
    /// The last revision of which a backend was told.
    pub(in crate::store) revision: i64,
    /// Time at which that was heard of.
    pub(in crate::store) now: Timestamp,
}

/// A deployment that was saved.
pub(in crate::store) struct TouchedDeployment {
    /// The deployment as it is now.
    pub(in crate::store) deployment: Deployment,
    /// Earlier deployments that it replaced.
    pub(in crate::store) replaced: Vec<Deployment>,
    /// Time at which that was heard of.
    pub(in crate::store) now: Timestamp,
}

impl TouchedDeployment {
    /// `true` if it is new, or another than it was.
    pub(in crate::store) fn is_changed(&self) -> bool {
        self.replaced.is_empty() || self.replaced.iter().any(|replaced| *replaced != self.deployment)
    }
}

impl Changes {
    /// Has the mark of a deployment looked at before the transaction ends.
    pub(in crate::store) fn touch_mark(&mut self, deployment: Option<i64>, now: Timestamp) {
        if let Some(deployment) = deployment {
            let heard_at = self.marks.entry(deployment).or_insert(now);
            *heard_at = now.max(*heard_at);
        }
    }
}

impl<'a> Session<'a> {
    /// The connection, for reading.
    pub(in crate::store) fn db(&self) -> &'a Connection {
        self.db
    }

    /// The statement, prepared once.
    pub(in crate::store) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.db.prepare_cached(sql)
    }

    /// Inserts a row and returns its number. `None`: there was one already.
    pub(in crate::store) fn insert(&self, sql: &str, params: impl Params) -> rusqlite::Result<Option<i64>> {
        // Cheaper than RETURNING, which gathers its rows in a table first.
        Ok((self.execute(sql, params)? == 1).then(|| self.db.last_insert_rowid()))
    }

    /// Runs a statement and returns how many rows it changed.
    pub(in crate::store) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }
}
