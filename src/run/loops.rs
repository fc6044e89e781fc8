//! The loops of the daemon. A reload replaces those whose configuration has changed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api_thread::ApiThread;
use super::parts::Parts;
use super::retention::forget_old_bodies;
use super::setup::Setup;
use super::tls::warn_of_expiry;
use super::watchdog::{self, RunningForwarder, Watchdog};
use crate::backend::Backend;
use crate::config::changes::Reloaded;
use crate::domain::forwarding::Destination;
use crate::forward::Forwarder;
use crate::reconcile::{Reconciler, RelatedChangesLoop, SubscriptionCare};
use crate::store::{OpenError, Reader};

/// All loops.
pub(super) struct Loops {
    /// One for each backend, by its name.
    forwarders: BTreeMap<String, Loop>,
    /// Those that ask PagerDuty's REST API.
    pagerduty: Vec<Loop>,
    retention: Option<Loop>,
    /// Warnings before the certificate expires.
    expiry: Option<Loop>,
    watchdog: Option<Loop>,
    /// Loops that nothing replaces, which finish their last work.
    ending: Vec<Loop>,
    /// The forwarders, for the watchdog.
    watched: watch::Sender<Vec<RunningForwarder>>,
    /// Started with the first loop that needs it.
    api_thread: Option<ApiThread>,
}

/// A running loop.
struct Loop {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Loop {
    /// Starts a loop. It begins its work when the one that it replaces has ended.
    fn start<F: Future<Output = ()> + Send + 'static>(
        thread: &Handle,
        replaced: Option<Self>,
        run: impl FnOnce(watch::Receiver<bool>) -> F + Send + 'static,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = thread.spawn(async move {
            if let Some(replaced) = replaced {
                replaced.end().await;
            }
            run(stopped).await;
        });
        Self { stop, task }
    }

    /// Ends the loop, and waits until it has finished its work.
    async fn end(self) {
        self.stop.send_replace(true);
        // A panic is in the log already.
        let _ = self.task.await;
    }
}

/// Connections to the store for the loops that ask PagerDuty's REST API. Other readers must not wait for them.
pub(super) struct ApiReaders {
    reconciliation: Reader,
    related_changes: Reader,
}

impl ApiReaders {
    /// Opens the connections if PagerDuty's REST API is configured.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub(super) fn open(setup: &Setup) -> Result<Option<Self>, OpenError> {
        let open = |_| {
            let path = &setup.config.store.path;
            Ok(Self { reconciliation: Reader::open(path)?, related_changes: Reader::open(path)? })
        };
        setup.pagerduty.as_ref().map(open).transpose()
    }
}

impl Loops {
    /// Starts the watchdog's loop, and no other one.
    pub(super) fn new(parts: &Parts, watchdog: Option<Watchdog>) -> Self {
        let (watched, forwarders) = watch::channel(Vec::new());
        let watchdog = watchdog.map(|watchdog| {
            let (store, clock) = (parts.store.clone(), Arc::clone(&parts.clock));
            Loop::start(&Handle::current(), None, |stop| {
                watchdog::feed(watchdog, store, clock, forwarders, stop)
            })
        });
        Self {
            forwarders: BTreeMap::new(),
            pagerduty: Vec::new(),
            retention: None,
            expiry: None,
            watchdog,
            ending: Vec::new(),
            watched,
            api_thread: None,
        }
    }

    /// Handle of the thread for requests to PagerDuty's REST API. `None` as long as the API is not configured.
    ///
    /// # Errors
    /// The system allows no more threads.
    pub(super) fn api_thread(&mut self, setup: &Setup) -> io::Result<Option<Handle>> {
        if setup.pagerduty.is_some() && self.api_thread.is_none() {
            self.api_thread = Some(ApiThread::start()?);
        }
        Ok(self.api_thread.as_ref().map(|thread| thread.handle.clone()))
    }

    /// Starts all loops of a configuration, or replaces those whose keys have changed.
    pub(super) fn apply(
        &mut self,
        parts: &Parts,
        setup: &Setup,
        readers: Option<ApiReaders>,
        changes: Option<&Reloaded>,
    ) {
        let has_changed = |key: &str| changes.is_none_or(|changes| changes.touches(key));
        self.ending.retain(|ending| !ending.task.is_finished());
        self.forward(parts, setup, has_changed);
        if has_changed("pagerduty") || has_changed("outgoing") {
            self.ask_pagerduty(parts, setup, readers);
        }
        if has_changed("server") {
            self.warn_of_expiry(parts, setup);
        }
        if has_changed("store") {
            let (store, clock) = (parts.store.clone(), Arc::clone(&parts.clock));
            let retention = setup.config.store.retention.get();
            let replaced = self.retention.take();
            let run = move |stop| forget_old_bodies(store, clock, retention, stop);
            self.retention = Some(Loop::start(&Handle::current(), replaced, run));
        }
    }

    /// Replaces the warnings before the certificate expires.
    fn warn_of_expiry(&mut self, parts: &Parts, setup: &Setup) {
        let expires_at = setup.tls.as_ref().map(|tls| tls.expires_at);
        parts.metrics.set_certificate_expiry(expires_at);
        let replaced = self.expiry.take();
        let Some(expires_at) = expires_at else { return self.let_end(replaced.into_iter()) };
        let clock = Arc::clone(&parts.clock);
        let run = move |stop| warn_of_expiry(expires_at, clock, stop);
        self.expiry = Some(Loop::start(&Handle::current(), replaced, run));
    }

    fn forward(&mut self, parts: &Parts, setup: &Setup, has_changed: impl Fn(&str) -> bool) {
        let mut before = std::mem::take(&mut self.forwarders);
        for backend in &setup.backends {
            let name = backend.name().to_owned();
            let same = !has_changed("outgoing") && !has_changed(&format!("backend {name:?}"));
            let forwarder = match before.remove(&name) {
                Some(running) if same => running,
                replaced => forward(parts, backend, replaced),
            };
            self.forwarders.insert(name, forwarder);
        }
        self.let_end(before.into_values());
        let watched =
            self.forwarders.iter().map(|(name, forwarder)| (name.clone(), forwarder.task.abort_handle()));
        self.watched.send_replace(watched.collect());
    }

    /// Lets loops end that nothing replaces.
    fn let_end(&mut self, loops: impl Iterator<Item = Loop>) {
        for ending in loops {
            ending.stop.send_replace(true);
            self.ending.push(ending);
        }
    }

    fn ask_pagerduty(&mut self, parts: &Parts, setup: &Setup, readers: Option<ApiReaders>) {
        let mut replaced = std::mem::take(&mut self.pagerduty).into_iter();
        let (Some(client), Some(api), Some(readers), Some(thread)) =
            (&setup.pagerduty, &setup.config.pagerduty.api, readers, &self.api_thread)
        else {
            parts.metrics.reconciliation.end();
            return self.let_end(replaced);
        };
        parts.metrics.reconciliation.begin();
        let path = setup.config.pagerduty.path.as_str();
        let reconciler = Reconciler {
            client: client.clone(),
            store: parts.store.clone(),
            reader: readers.reconciliation,
            clock: Arc::clone(&parts.clock),
            metrics: Arc::clone(&parts.metrics),
            every: api.reconcile_every.get(),
            subscription: api.subscription_id(),
            path: path.to_owned(),
        };
        let care = SubscriptionCare {
            client: client.clone(),
            clock: Arc::clone(&parts.clock),
            metrics: Arc::clone(&parts.metrics),
            id: api.subscription_id(),
            path: path.to_owned(),
        };
        let related_changes = RelatedChangesLoop {
            client: client.clone(),
            store: parts.store.clone(),
            reader: readers.related_changes,
            clock: Arc::clone(&parts.clock),
        };
        self.pagerduty = vec![
            Loop::start(&thread.handle, replaced.next(), |stop| reconciler.run(stop)),
            Loop::start(&thread.handle, replaced.next(), |stop| care.run(stop)),
            Loop::start(&thread.handle, replaced.next(), |stop| related_changes.run(stop)),
        ];
    }

    /// Ends all loops, and waits until they have finished their work.
    pub(super) async fn end(self) {
        let Self { forwarders, pagerduty, retention, expiry, watchdog, ending, .. } = self;
        let of_backends = forwarders.into_values().chain(pagerduty).chain(ending);
        let loops: Vec<Loop> = of_backends.chain(retention).chain(expiry).chain(watchdog).collect();
        for each in &loops {
            each.stop.send_replace(true);
        }
        for each in loops {
            each.end().await;
        }
        // The thread's loops have ended, so the thread may.
        drop(self.api_thread);
    }
}

/// Starts the loop of a backend.
fn forward(parts: &Parts, backend: &Arc<Backend>, replaced: Option<Loop>) -> Loop {
    let forwarder = Forwarder {
        backend: Arc::clone(backend),
        store: parts.store.clone(),
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&parts.metrics),
    };
    Loop::start(&Handle::current(), replaced, |stop| forwarder.run(stop))
}
