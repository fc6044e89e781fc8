//! The key that a failure is found by.

use sha2::{Digest, Sha256};

use crate::domain::id::FailureId;

/// Key of a failure: short, and so is its index. Two failures may have the same.
pub(in crate::store) fn failure_key(failure_id: &FailureId) -> i64 {
    let hash = Sha256::digest(failure_id.as_str());
    hash.iter().take(8).fold(0, |key, byte| key << 8 | i64::from(*byte))
}
