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
/// Time after a renewal for which requests may begin. Shorter than the lease: leaves 5 s for a request. A longer one may
/// still run when another replica takes over.
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
    holder: Arc<LeaseHolder>,
    /// End of the time in which requests may begin. `None` while another replica has the lease.
    usable_until: watch::Receiver<Option<Instant>>,
    /// The task that renews the lease.
    renewal: Arc<AbortOnDrop>,
}

/// A task that ends when this is dropped. That which renews a lease has a handle of the store.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// This replica, which takes a lease and renews it.
struct LeaseHolder {
    /// Name of the lease.
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
            let holder = Arc::new(LeaseHolder {
                name: name.to_owned(),
                store: store.clone(),
                metrics: Arc::clone(metrics),
                lines: LogLimit::default(),
            });
            let renewal = tokio::spawn(Arc::clone(&holder).keep(usable)).abort_handle();
            let renewal = Arc::new(AbortOnDrop(renewal));
            SharedLease { holder, usable_until, renewal }
        };
        Self { shared: store.is_shared().then(keep) }
    }

    /// Waits until this replica has the lease.
    pub(crate) async fn until_taken(&mut self) {
        if let Some(shared) = &mut self.shared {
            // An error means that nobody takes it any more.
            if shared.usable_until.wait_for(Option::is_some).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until another replica may have the lease.
    pub(crate) async fn until_lost(&mut self) {
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
        if let Some(SharedLease { holder, renewal, .. }) = self.shared {
            renewal.0.abort();
            holder.metrics.replicas.forget_lease(&holder.name);
            // Without it, the others wait until the lease has run out.
            if let Err(error) = holder.store.release_lease(&holder.name).await {
                tracing::debug!(lease = holder.name, %error, "the lease runs out by itself");
            }
        }
    }
}

impl LeaseHolder {
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
                    // Without the lease, there is nothing to renew.
                    if usable.borrow().is_some()
                        && let Some(held_back) = self.lines.pass(Instant::now())
                    {
                        tracing::warn!(lease = self.name, %error, held_back, "the lease could not be renewed");
                    }
                    if usable.borrow().is_some_and(|until| Instant::now() >= until) {
                        self.lose(&usable, "the lease was not renewed in time: another replica may take it");
                    }
                }
            }
            let is_held = usable.borrow().is_some();
            self.metrics.replicas.set_lease(&self.name, is_held);
            // A lease follows the server's clock, so this does not wait on the injected one.
            tokio::time::sleep(if is_held { RENEW_EVERY } else { TRY_EVERY }).await;
        }
    }

    fn lose(&self, usable: &watch::Sender<Option<Instant>>, reason: &str) {
        if usable.send_replace(None).is_some() {
            tracing::warn!(lease = self.name, "{reason}");
        }
    }
}
