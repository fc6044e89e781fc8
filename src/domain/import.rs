//! A step of an import: what a system holds in a period, and what became of it here.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Tag of every failure and deployment that was imported. One without it was stored here by a webhook or the event API,
/// and is never replaced by an import.
pub const IMPORTED: &str = "imported:datadog";

/// Period to read, and the progress of the earlier steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportOrder {
    /// Failures and deployments that started then or later.
    pub since: Timestamp,
    /// Failures and deployments that started before.
    pub until: Timestamp,
    /// Time up to which records are done, by their start.
    pub at: Timestamp,
    /// `true` if nothing is changed.
    pub is_dry_run: bool,
}

/// Result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportStep {
    /// Failures and deployments that started before are done.
    pub at: Timestamp,
    /// `true` if this was the last step.
    pub done: bool,
    /// Counts of failures.
    pub failures: ImportCounts,
    /// Counts of deployments.
    pub deployments: ImportCounts,
    /// Number of the added failures that have not ended.
    pub open: usize,
    /// Records that could not be read, by their ids, with the reasons.
    pub skipped: BTreeMap<String, String>,
    /// Seconds in which more records started than one answer has. The others are missing.
    pub incomplete_seconds: Vec<Timestamp>,
    /// Time for which the system asks to wait before the next step.
    pub wait_seconds: Option<u64>,
    /// Reason why the step ended early. `None` if it did not.
    pub failed: Option<String>,
}

/// Numbers of records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// Records that were found.
    pub found: usize,
    /// Those that are new here.
    pub added: usize,
    /// Those that differ from what an earlier import stored.
    pub changed: usize,
    /// Records that are here already: unchanged, or stored by a webhook or the event API.
    pub kept: usize,
}

impl AddAssign for ImportCounts {
    fn add_assign(&mut self, more: Self) {
        self.found += more.found;
        self.added += more.added;
        self.changed += more.changed;
        self.kept += more.kept;
    }
}

impl ImportStep {
    /// A step that begins.
    pub fn begin(at: Timestamp) -> Self {
        Self {
            at,
            done: false,
            failures: ImportCounts::default(),
            deployments: ImportCounts::default(),
            open: 0,
            skipped: BTreeMap::new(),
            incomplete_seconds: Vec::new(),
            wait_seconds: None,
            failed: None,
        }
    }

    /// Number of records that were found.
    pub const fn found(&self) -> usize {
        self.failures.found + self.deployments.found
    }
}
