//! A step of a backfill: what is to be read, and what that has changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::changed_failure::ChangedFailure;
use super::failure::FailureState;
use super::id::{FailureId, IncidentId};
use super::timestamp::Timestamp;

/// Period to read, and the progress of the earlier steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackfillOrder {
    /// Incidents that were created then or later.
    pub since: Timestamp,
    /// Incidents that were created before.
    pub until: Timestamp,
    /// Incidents that were created before are done.
    pub at: Timestamp,
    /// `true` if nothing is changed.
    pub is_dry_run: bool,
    /// `true` if backends are not told of the changes.
    pub is_quiet: bool,
}

/// Result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillStep {
    /// Incidents that were created before are done.
    pub at: Timestamp,
    /// `true` if this was the last step.
    pub done: bool,
    /// Number of incidents that were read.
    pub incidents: usize,
    /// Number of events that are new.
    pub events: usize,
    /// Failures that are new.
    pub added: Vec<AddedFailure>,
    /// Failures that differ from what was stored.
    pub changed: Vec<ChangedFailure>,
    /// Incidents that could not be read, with the reasons.
    pub skipped: BTreeMap<IncidentId, String>,
    /// Incidents that have just changed: their webhooks may be on their way.
    pub deferred: BTreeSet<IncidentId>,
    /// Number of incidents that the webhook subscription is not about.
    pub out_of_scope: usize,
    /// Reason why the step ended early. `None` if it did not.
    pub failed: Option<String>,
}

/// A failure that was not stored before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFailure {
    /// Its id.
    pub id: FailureId,
    /// Its state.
    pub state: FailureState,
}

/// Reason why a step failed. What was stored before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    /// Another caller has asked for a step.
    #[error("another run of this command has taken over: run only one at a time")]
    TakenOver,
    /// The source gave no usable answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The store cannot be written.
    #[error("{0}")]
    NotStored(String),
}

impl BackfillStep {
    /// A step that begins.
    pub fn begin(at: Timestamp) -> Self {
        Self {
            at,
            done: false,
            incidents: 0,
            events: 0,
            added: Vec::new(),
            changed: Vec::new(),
            skipped: BTreeMap::new(),
            deferred: BTreeSet::new(),
            out_of_scope: 0,
            failed: None,
        }
    }
}
