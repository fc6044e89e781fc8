//! Settings of the writer, made from the configuration, and the observer of its commits.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

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
    /// Fingerprint of the version and the configuration, a hexadecimal number. While a daemon with another one decides, this
    /// process does not. `None`: it decides in any case.
    pub fingerprint: Option<Arc<str>>,
    /// `true` for a daemon, `false` for a command beside the daemons.
    pub is_daemon: bool,
    /// Number of events that may wait to be folded; usually [`MAX_BACKLOG`].
    pub max_backlog: usize,
    /// Observer of every commit.
    pub observer: Arc<dyn CommitObserver>,
}

impl Default for Settings {
    /// Settings of a command without backends, sources and observer.
    fn default() -> Self {
        Self {
            policy: Arc::new(Policy::default()),
            destinations: Vec::new(),
            sources: Sources::new(&[]),
            fingerprint: None,
            is_daemon: false,
            max_backlog: MAX_BACKLOG,
            observer: Arc::new(()),
        }
    }
}

/// The settings of a transaction, which a reload of the configuration replaces.
pub(in crate::store) struct CurrentSettings {
    settings: Settings,
    configured: watch::Receiver<Settings>,
}

impl CurrentSettings {
    /// The settings that were configured last.
    pub(in crate::store) fn of(mut configured: watch::Receiver<Settings>) -> Self {
        let settings = configured.borrow_and_update().clone();
        Self { settings, configured }
    }

    /// Takes the settings that were configured since. Called between two transactions.
    pub(super) fn renew(&mut self) {
        // An error means that the last handle was dropped: there are no new settings.
        if self.configured.has_changed().unwrap_or(false) {
            self.settings = self.configured.borrow_and_update().clone();
        }
    }
}

impl Deref for CurrentSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// An observer of what the writer does.
pub trait CommitObserver: Send + Sync {
    /// Called after a group of `writes` became durable within `took`.
    fn committed(&self, writes: usize, took: Duration);

    /// Called if the store could not commit a group of `writes`.
    fn refused(&self, _writes: usize) {}

    /// Called if a webhook shows a resolved incident whose resolve was not received.
    fn missed_resolve(&self) {}

    /// Called after a transaction has waited for its turn among other replicas.
    fn waited_for_turn(&self, _took: Duration) {}

    /// Called after a lost connection to the database was made again.
    fn reconnected(&self) {}

    /// Called when this replica stops to decide, because a later start has another version or configuration, and when it
    /// decides again.
    fn stepped_back(&self, _has_stepped_back: bool) {}
}

/// Observes nothing.
impl CommitObserver for () {
    fn committed(&self, _writes: usize, _took: Duration) {}
}
