//! Settings of the writer, which follow from the configuration, and whoever counts its commits.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::forwarding::Destinations;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;

/// More events than this never wait to be folded: the last failures would be too late, and so would the next start
/// after a crash.
pub const MAX_BACKLOG: usize = 128 * 1024;

/// Settings by which the writer turns events into failures and outbox rows.
pub struct Settings {
    /// Rules by which an incident becomes a failure.
    pub policy: Arc<Policy>,
    /// Backends that get a copy.
    pub destinations: Destinations,
    /// Sources of events, each of which reads the bodies of its own.
    pub sources: Sources,
    /// Number of events that may wait to be folded; usually [`MAX_BACKLOG`].
    pub most_unfolded: usize,
    /// Told of every commit.
    pub observer: Arc<dyn CommitObserver>,
}

/// Somebody who counts commits.
pub trait CommitObserver: Send + Sync {
    /// A group of `writes` became durable in `took`.
    fn committed(&self, writes: usize, took: Duration);

    /// The store could not commit, and so many `writes` were not done.
    fn refused(&self, _writes: usize) {}
}
