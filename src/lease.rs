//! Leases: of several replicas that share a store, one at a time sends to a backend, and one asks the APIs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::log_limit::LogLimit;
use crate::store::{Store, StoreError};
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
    /// The lease as it was last taken or renewed. `None` while another replica has it.
    taken: watch::Receiver<Option<Taken>>,
    /// The epoch that the last [`Lease::until_taken`] found.
    epoch: Option<i64>,
    /// The task that renews the lease.
    renewal: Arc<AbortOnDrop>,
}

/// A lease that this replica has.
#[derive(Clone, Copy)]
struct Taken {
    /// In another epoch, others may have had the lease meanwhile.
    epoch: i64,
    /// End of the time in which requests may begin.
    usable_until: Instant,
}

/// A task that ends when this is dropped. The task that renews a lease holds a handle of the store.
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
            let (tell, taken) = watch::channel(None);
            let holder = Arc::new(LeaseHolder {
                name: name.to_owned(),
                store: store.clone(),
                metrics: Arc::clone(metrics),
                lines: LogLimit::default(),
            });
            let renewal = tokio::spawn(Arc::clone(&holder).keep(tell)).abort_handle();
            let renewal = Arc::new(AbortOnDrop(renewal));
            SharedLease { holder, taken, epoch: None, renewal }
        };
        Self { shared: store.is_shared().then(keep) }
    }

    /// Waits until this replica has the lease.
    pub(crate) async fn until_taken(&mut self) {
        if let Some(SharedLease { taken, epoch, .. }) = &mut self.shared {
            let found = taken.wait_for(Option::is_some).await.ok().and_then(|taken| *taken);
            *epoch = found.map(|taken| taken.epoch);
            // Nobody takes it any more.
            if epoch.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until another replica may have the lease, or may have had it since [`Self::until_taken`].
    pub(crate) async fn until_lost(&mut self) {
        match &mut self.shared {
            Some(SharedLease { taken, epoch, .. }) => {
                drop(taken.wait_for(|taken| taken.map(|taken| taken.epoch) != *epoch).await);
            }
            None => std::future::pending().await,
        }
    }

    /// `true` if a request may begin now, in the epoch that [`Self::until_taken`] found.
    pub(crate) fn is_usable(&self) -> bool {
        self.shared.as_ref().is_none_or(|SharedLease { taken, epoch, .. }| {
            let taken = *taken.borrow();
            taken.is_some_and(|taken| Some(taken.epoch) == *epoch && Instant::now() < taken.usable_until)
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
    async fn keep(self: Arc<Self>, taken: watch::Sender<Option<Taken>>) {
        loop {
            // Counted from before the request, which may take long.
            let asked_at = Instant::now();
            let result = self.store.take_lease(&self.name).await;
            let has_failed = result.is_err();
            match result {
                Ok(Some(epoch)) => {
                    let now =
                        asked_at.checked_add(USABLE_FOR).map(|usable_until| Taken { epoch, usable_until });
                    if taken.send_replace(now).is_none_or(|before| before.epoch != epoch) {
                        tracing::info!(lease = self.name, epoch, "this replica has the lease now");
                    }
                }
                Ok(None) => self.lose(&taken, "another replica has the lease now"),
                Err(StoreError::SteppedBack(_)) => {
                    self.lose(
                        &taken,
                        "another replica takes the lease when it runs out: this one only takes webhooks in",
                    );
                }
                Err(error) => {
                    // Without the lease, there is nothing to renew.
                    if taken.borrow().is_some()
                        && let Some(held_back) = self.lines.pass(Instant::now())
                    {
                        tracing::warn!(lease = self.name, %error, held_back, "the lease could not be renewed");
                    }
                    if taken.borrow().is_some_and(|taken| Instant::now() >= taken.usable_until) {
                        self.lose(&taken, "the lease was not renewed in time: another replica may take it");
                    }
                }
            }
            let is_held = taken.borrow().is_some();
            self.metrics.replicas.set_lease(&self.name, is_held);
            // A lease follows the server's clock, so this does not wait on the injected one.
            tokio::time::sleep(if is_held && !has_failed { RENEW_EVERY } else { TRY_EVERY }).await;
        }
    }

    fn lose(&self, taken: &watch::Sender<Option<Taken>>, reason: &str) {
        if taken.send_replace(None).is_some() {
            tracing::warn!(lease = self.name, "{reason}");
        }
    }
}
