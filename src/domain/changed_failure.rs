//! Failures that differ from what was stored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::FailureState;
use super::id::FailureId;

/// A failure that differs from the one that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFailure {
    /// Id of the failure.
    pub id: FailureId,
    /// Its changes.
    pub changes: Vec<FieldChange>,
}

impl ChangedFailure {
    /// The new state, if the state has changed.
    pub fn new_state(&self) -> Option<FailureState> {
        let change = self.changes.iter().find(|change| change.field == "state")?;
        serde_json::from_value(change.after.clone()).ok()
    }

    /// Adds a later change of the same failure.
    pub fn add(&mut self, later: Self) {
        add_changes(&mut self.changes, later.changes);
    }
}

/// Adds later changes of the same fields, or of others.
pub(super) fn add_changes(changes: &mut Vec<FieldChange>, later: Vec<FieldChange>) {
    for change in later {
        match changes.iter_mut().find(|known| known.field == change.field) {
            Some(known) => known.after = change.after,
            None => changes.push(change),
        }
    }
    changes.retain(|change| change.before != change.after);
}

/// One field, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field, as the failure's JSON has it.
    pub field: String,
    /// Stored value.
    pub before: Value,
    /// New value.
    pub after: Value,
}
