//! Leases: of several replicas that share a store, one at a time sends to a backend, and one asks the APIs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::log_limit::LogLimit;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// Time between two renewals. The server ends a lease 15 seconds after the last one.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Time after a renewal for which requests may begin. Shorter than the lease, so that a request that begins late ends
/// before another replica takes over.
const USABLE_FOR: Duration = Duration::from_secs(10);
/// Time between two tries while another replica has the lease.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// A lease. Clones share it.
#[derive(Clone)]
pub(crate) struct Lease {
    /// `None` if this process has the store for itself.
    shared: Option<SharedLease>,
}

#[derive(Clone)]
struct SharedLease {
    terms: Arc<Terms>,
    /// End of the time in which requests may begin. `None` while another replica has the lease.
    usable_until: watch::Receiver<Option<Instant>>,
    keeper: Arc<Keeper>,
}

/// The task that renews a lease. It ends when this is dropped, because it has a handle of the store.
struct Keeper(AbortHandle);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lease, and whom its changes are told to.
struct Terms {
    name: String,
    store: Store,
    metrics: Arc<Metrics>,
    lines: LogLimit,
}

impl Lease {
    /// Begins to take the lease with this name, and to renew it.
    pub(crate) fn begin(name: &str, store: &Store, metrics: &Arc<Metrics>) -> Self {
        let keep = || {
            let (usable, usable_until) = watch::channel(None);
            let terms = Arc::new(Terms {
                name: name.to_owned(),
                store: store.clone(),
                metrics: Arc::clone(metrics),
                lines: LogLimit::default(),
            });
            let keeper = tokio::spawn(Arc::clone(&terms).keep(usable)).abort_handle();
            let keeper = Arc::new(Keeper(keeper));
            SharedLease { terms, usable_until, keeper }
        };
        Self { shared: store.is_shared().then(keep) }
    }

    /// Waits until this replica has the lease.
    pub(crate) async fn taken(&mut self) {
        if let Some(shared) = &mut self.shared {
            // An error means that nobody takes it any more.
            if shared.usable_until.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until another replica may have the lease.
    pub(crate) async fn lost(&mut self) {
        match &mut self.shared {
            Some(shared) => drop(shared.usable_until.wait_for(Option::is_none).await),
            None => std::future::pending().await,
        }
    }

    /// `true` if a request may begin now.
    pub(crate) fn is_usable(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| {
            let until = *shared.usable_until.borrow();
            until.is_some_and(|until| Instant::now() < until)
        })
    }

    /// Gives the lease to another replica. Called when nothing that needs it is under way.
    pub(crate) async fn release(self) {
        if let Some(SharedLease { terms, keeper, .. }) = self.shared {
            keeper.0.abort();
            terms.metrics.replicas.forget_lease(&terms.name);
            // Without it, the others wait until the lease has run out.
            if let Err(error) = terms.store.release_lease(&terms.name).await {
                tracing::debug!(lease = terms.name, %error, "the lease runs out by itself");
            }
        }
    }
}

impl Terms {
    /// Takes the lease and renews it, until the task is ended.
    async fn keep(self: Arc<Self>, usable: watch::Sender<Option<Instant>>) {
        loop {
            // Counted from before the request, which may take long.
            let asked_at = Instant::now();
            match self.store.take_lease(&self.name).await {
                Ok(true) => {
                    if usable.send_replace(asked_at.checked_add(USABLE_FOR)).is_none() {
                        tracing::info!(lease = self.name, "this replica has the lease now");
                    }
                }
                Ok(false) => self.lose(&usable, "another replica has the lease now"),
                Err(error) => {
                    if let Some(held_back) = self.lines.pass(Instant::now()) {
                        tracing::warn!(lease = self.name, %error, held_back, "the lease could not be renewed");
                    }
                    if usable.borrow().is_some_and(|until| Instant::now() >= until) {
                        self.lose(&usable, "the lease was not renewed in time: another replica may take it");
                    }
                }
            }
            let is_held = usable.borrow().is_some();
            self.metrics.replicas.set_lease(&self.name, is_held);
            // Time of the server, not that of the program's clock.
            tokio::time::sleep(if is_held { RENEW_EVERY } else { TRY_EVERY }).await;
        }
    }

    fn lose(&self, usable: &watch::Sender<Option<Instant>>, reason: &str) {
        if usable.send_replace(None).is_some() {
            tracing::warn!(lease = self.name, "{reason}");
        }
    }
}
