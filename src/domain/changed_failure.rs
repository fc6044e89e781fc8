//! Failures that differ from what was stored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::FailureId;

/// A failure that differs from the one that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFailure {
    /// Id of the failure.
    pub id: FailureId,
    /// Its changes.
    pub changes: Vec<FieldChange>,
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
