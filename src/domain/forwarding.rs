//! What the store needs to know of a backend: its name, and what it is told of a failure.

use std::sync::Arc;

use super::failure::Evaluated;

/// A backend, as far as writing the outbox goes.
pub trait Destination: Send + Sync {
    /// The name that the outbox keeps its rows under.
    fn name(&self) -> &str;

    /// The exact bytes that tell the backend of this failure as it stands: with its end where it is
    /// completed, without one where it does not count (any more).
    fn freeze(&self, failure: &Evaluated) -> Vec<u8>;
}

/// The backends that get a copy of every failure.
pub type Destinations = Vec<Arc<dyn Destination>>;
