//! Changes that a source relates to an incident: evidence for people. Nothing is decided by it.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Sentence for people, below the heading of the changes.
pub const DECIDE_NOTHING: &str =
    "They are a hint only: they decide neither the cause, nor a figure, nor what is forwarded.";

/// A change that the source of an incident relates to it. Its JSON is the stored form, and that of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedChange {
    /// Id of the change at the source.
    pub id: String,
    /// Time of the change.
    pub at: Timestamp,
    /// Summary, if there is one.
    pub summary: Option<String>,
    /// Place that reported the change, if it was named.
    pub source: Option<String>,
    /// Services that the change is about: their names, or the ids of those without a name.
    pub services: Vec<String>,
    /// The source's word for the reason of the relation, such as `most_recent`, if it names one.
    pub reason: Option<String>,
}

impl RelatedChange {
    /// The reason for people: `most recent`.
    pub fn reason_in_words(&self) -> Option<String> {
        self.reason.as_ref().map(|reason| reason.replace('_', " "))
    }
}
