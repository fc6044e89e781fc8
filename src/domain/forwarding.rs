//! What the store needs to know of a backend: its name, and what it is told of a failure.

use std::sync::Arc;

use super::failure::Evaluated;

/// A request, as it will be sent however often that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// What it does there.
    pub action: Action,
    /// Its bytes, which only the backend reads.
    pub body: Vec<u8>,
}

/// What a request does at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The failure is shown whole, as it stands.
    Replace,
    /// The failure does not count, and is deleted.
    Delete,
    /// The failure does not count, but cannot be deleted: it is shown without an end.
    LeaveOpen,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Replace, Self::Delete, Self::LeaveOpen];

    /// The word for it in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::LeaveOpen => "leave_open",
        }
    }
}

/// A backend, as far as writing the outbox goes.
pub trait Destination: Send + Sync {
    /// The name that the outbox keeps its rows under.
    fn name(&self) -> &str;

    /// The exact request that tells the backend of this failure as it stands: with its end where it is
    /// completed, without one where it is open, and taken back where it does not count (any more).
    fn freeze(&self, failure: &Evaluated) -> Frozen;
}

/// The backends that get a copy of every failure.
pub type Destinations = Vec<Arc<dyn Destination>>;
