//! Failures that incidents were merged into.

use std::collections::HashSet;

use super::sql;

/// Keys of all failures that an incident was merged into.
pub(in crate::store) enum MergeTargets {
    /// Kept in memory, because no other process writes. After a rollback there may be a few keys too many, which costs a
    /// query each. For all other failures no query is needed.
    Known(HashSet<i64>),
    /// Not kept in memory: other processes add some, too, and reading all of them in each turn would take long.
    InTable,
}

impl MergeTargets {
    /// `true` if an incident was merged into a failure with this key, or perhaps was.
    pub(in crate::store) fn contains(
        &self,
        key: i64,
        is_in_table: impl FnOnce() -> sql::Result<bool>,
    ) -> sql::Result<bool> {
        match self {
            Self::Known(keys) => Ok(keys.contains(&key)),
            Self::InTable => is_in_table(),
        }
    }

    /// Adds the key of a failure that a stored incident was merged into.
    pub(in crate::store) fn add(&mut self, key: Option<i64>) {
        match self {
            Self::Known(keys) => keys.extend(key),
            // The incident is in the table, also in the open transaction.
            Self::InTable => {}
        }
    }
}
