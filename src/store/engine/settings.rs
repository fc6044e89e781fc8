//! Settings of the writer, made from the configuration, and the observer of its commits.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::forwarding::Destinations;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;

/// Maximum number of events that may wait to be folded. With more, the last failures would be late, and a start after a
/// crash would take too long.
pub const MAX_BACKLOG: usize = 128 * 1024;

/// Settings by which the writer turns events into failures and outbox rows.
#[derive(Clone)]
pub struct Settings {
    /// Rules by which an incident becomes a failure.
    pub policy: Arc<Policy>,
    /// Backends to forward to.
    pub destinations: Destinations,
    /// Sources of events. Each reads the bodies of its own events.
    pub sources: Sources,
    /// Number of events that may wait to be folded; usually [`MAX_BACKLOG`].
    pub max_backlog: usize,
    /// Observer of every commit.
    pub observer: Arc<dyn CommitObserver>,
}

/// An observer of what the writer does.
pub trait CommitObserver: Send + Sync {
    /// Called after a group of `writes` became durable within `took`.
    fn committed(&self, writes: usize, took: Duration);

    /// Called if the store could not commit a group of `writes`.
    fn refused(&self, _writes: usize) {}

    /// Called if a webhook shows a resolved incident whose resolve was not received.
    fn missed_resolve(&self) {}
}
