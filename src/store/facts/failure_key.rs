//! The key by which a failure is found.

use sha2::{Digest, Sha256};

use crate::domain::id::FailureId;

/// Key of a failure: short, so that its index is small. Two failures may have the same key.
pub(in crate::store) fn failure_key(failure_id: &FailureId) -> i64 {
    let hash = Sha256::digest(failure_id.as_str());
    hash.iter().take(8).fold(0, |key, byte| key << 8 | i64::from(*byte))
}
