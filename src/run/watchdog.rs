//! The service manager's watchdog: it restarts a daemon that does not show that it works.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// The watchdog that the service manager has set up.
pub struct Watchdog {
    /// Time after which a daemon that showed nothing is restarted.
    pub timeout: Duration,
    /// Tells the service manager that the daemon works.
    pub feed: Box<dyn Fn() + Send>,
}

/// A forwarder that has to run.
#[derive(Clone)]
pub(super) struct WatchedForwarder {
    pub(super) backend: String,
    pub(super) task: AbortHandle,
}

/// Feeds the watchdog three times within its timeout, as long as the store answers a write and every forwarder runs. An
/// answer that the write is refused is enough: a restart empties no full disk.
pub(super) async fn feed(
    watchdog: Watchdog,
    store: Store,
    clock: Arc<dyn Clock>,
    forwarders: watch::Receiver<Vec<WatchedForwarder>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep(watchdog.timeout / 3) => {}
        }
        // A disk that hangs gives no answer, and so nobody feeds the watchdog.
        let answer = store.prove_writable(clock.now()).await;
        let forwarders = forwarders.borrow().clone();
        let ended = forwarders.iter().find(|forwarder| forwarder.task.is_finished());
        match (answer, ended) {
            (Err(StoreError::Closed | StoreError::TimedOut), _) => {}
            (_, Some(WatchedForwarder { backend, .. })) if !*stop.borrow() => {
                tracing::error!(
                    backend,
                    "the loop that forwards to this backend has ended: the watchdog will restart the program"
                );
            }
            _ => (watchdog.feed)(),
        }
    }
}
