//! The keys by which failures are found, and by which events are sorted for folding.

use sha2::{Digest, Sha256};

use crate::domain::event::SubjectId;
use crate::domain::id::FailureId;

/// Key of a failure: short, so that its index is small. Two failures may have the same key.
pub(in crate::store) fn failure_key(failure_id: &FailureId) -> i64 {
    key(failure_id.as_str())
}

/// Key of an incident's failure or of a source's deployment. Two of them may have the same key.
pub(in crate::store) fn subject_key(subject: &SubjectId) -> i64 {
    match subject {
        SubjectId::Incident(incident) => failure_key(&FailureId::of_incident(incident)),
        SubjectId::Deployment(deployment) => key(deployment.as_str()),
    }
}

fn key(text: &str) -> i64 {
    let hash = Sha256::digest(text);
    hash.iter().take(8).fold(0, |key, byte| key << 8 | i64::from(*byte))
}
