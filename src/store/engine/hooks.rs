//! Hooks: work of the engine besides committing.

use std::collections::HashSet;

use super::backlog::{LeftOver, Slice};
use super::session::Session;
use super::settings::Settings;
use super::sql::{self, Db};
use crate::log_limit::LogLimit;

/// Work of the engine besides committing, provided by the modules that know failures.
#[derive(Clone, Copy)]
pub(in crate::store) struct Hooks {
    /// Runs in the first transaction of this process.
    pub(in crate::store) begin: fn(&mut Session<'_>) -> sql::Result<()>,
    /// Folds some events into their failures.
    pub(in crate::store) fold: fn(&mut Session<'_>, &Slice) -> sql::Result<()>,
    /// Runs at the end of a transaction: decides links again, and puts changes into the outbox.
    pub(in crate::store) finish: fn(&mut Session<'_>) -> sql::Result<()>,
    /// Finds the next events after this row that an earlier process stored and did not fold. `None` if there are no
    /// more.
    pub(in crate::store) left_over: fn(&Db, &Settings, i64) -> sql::Result<Option<LeftOver>>,
    /// Reads the keys of all failures that an incident was merged into.
    pub(in crate::store) merge_targets: fn(&Db) -> sql::Result<HashSet<i64>>,
    /// Logs the bodies that went to quarantine.
    pub(in crate::store) log_quarantined: fn(Vec<(i64, String)>, &LogLimit),
}
