//! The loops of the daemon. A reload replaces those whose configuration has changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::parts::Parts;
use super::retention::forget_old_bodies;
use super::setup::Setup;
use super::tls::warn_of_expiry;
use super::watchdog::{self, Watchdog, WatchedForwarder};
use crate::backend::Backend;
use crate::config::Config;
use crate::config::changes::Reloaded;
use crate::config::deployment_api::TableRepositories;
use crate::domain::forwarding::Destination;
use crate::forward::Forwarder;
use crate::lease::Lease;
use crate::reconcile::{
    DeploymentReader, NamedRepositories, Reconciler, RelatedChangesLoop, SubscriptionCare,
};
use crate::sources::deployment_api::DeploymentApi;
use crate::telemetry::replicas::API_LEASE;

/// All loops.
pub(super) struct Loops {
    /// One for each backend, by its name.
    forwarders: BTreeMap<String, Loop>,
    /// Loops of backends that were removed. They finish their last attempts.
    retired_forwarders: BTreeMap<String, Loop>,
    /// The right to ask APIs.
    apis: Lease,
    /// Loops that ask PagerDuty's REST API.
    pagerduty: Vec<Loop>,
    /// Loop that reads deployments from GitHub.
    github: Option<Loop>,
    /// Loop that reads deployments from GitLab.
    gitlab: Option<Loop>,
    retention: Option<Loop>,
    /// Warnings before the certificate expires.
    expiry: Option<Loop>,
    watchdog: Option<Loop>,
    /// The forwarders, for the watchdog.
    watched: watch::Sender<Vec<WatchedForwarder>>,
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
        // Not in the task: once this function returns, the replaced loop begins nothing new.
        replaced.iter().for_each(Self::order_stop);
        let task = thread.spawn(async move {
            if let Some(replaced) = replaced {
                replaced.ended().await;
            }
            run(stopped).await;
        });
        Self { stop, task }
    }

    /// The same for a loop that asks an API. Of several replicas, one at a time asks: another one goes on when it has ended.
    fn start_for_one<F: Future<Output = ()> + Send + 'static>(
        thread: &Handle,
        replaced: Option<Self>,
        lease: &Lease,
        run: impl Fn(watch::Receiver<bool>) -> F + Send + 'static,
    ) -> Self {
        let mut lease = lease.clone();
        Self::start(thread, replaced, move |mut stop| async move {
            while !*stop.borrow() {
                tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = lease.until_taken() => {}
                }
                tokio::select! {
                    () = run(stop.clone()) => return,
                    () = lease.until_lost() => {}
                }
            }
        })
    }

    fn order_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the loop has finished its work.
    async fn ended(self) {
        // A panic is in the log already.
        let _ = self.task.await;
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
            retired_forwarders: BTreeMap::new(),
            apis: Lease::begin(API_LEASE, &parts.store, &parts.metrics),
            pagerduty: Vec::new(),
            github: None,
            gitlab: None,
            retention: None,
            expiry: None,
            watchdog,
            watched,
        }
    }

    /// Starts all loops of a configuration. With `changes`, only those whose keys have changed are replaced.
    pub(super) fn apply(&mut self, parts: &Parts, setup: &Setup, changes: Option<&Reloaded>) {
        let has_changed = |key: &str| changes.is_none_or(|changes| changes.touches(key));
        let has_new_outgoing = has_changed("outgoing");
        let is_same =
            |name: &str| !has_new_outgoing && changes.is_some_and(|changes| !changes.touches_backend(name));
        self.forward(parts, setup, is_same);
        if has_new_outgoing || has_changed("pagerduty.api") || has_changed("pagerduty.path") {
            self.ask_pagerduty(parts, setup);
        }
        // A table without a source names repositories of all APIs that have a token.
        if has_new_outgoing || ["github", "gitlab", "deployment", "service"].into_iter().any(has_changed) {
            self.read_deployments(parts, setup);
        }
        if has_changed("server.tls") {
            self.warn_of_expiry(parts, setup);
        }
        if has_changed("store.retention") {
            let (store, clock) = (parts.store.clone(), Arc::clone(&parts.clock));
            let retention = setup.config.store.retention.get();
            let run = move |stop| forget_old_bodies(store, clock, retention, stop);
            self.retention = Some(Loop::start(&Handle::current(), self.retention.take(), run));
        }
    }

    /// Replaces the warnings before the certificate expires.
    fn warn_of_expiry(&mut self, parts: &Parts, setup: &Setup) {
        let expires_at = setup.tls.as_ref().map(|tls| tls.expires_at);
        parts.metrics.set_certificate_expiry(expires_at);
        let replaced = self.expiry.take();
        replaced.iter().for_each(Loop::order_stop);
        self.expiry = expires_at.map(|expires_at| {
            let clock = Arc::clone(&parts.clock);
            let run = move |stop| warn_of_expiry(expires_at, clock, stop);
            Loop::start(&Handle::current(), replaced, run)
        });
    }

    /// Starts a loop for each backend, unless the one that runs is the same.
    fn forward(&mut self, parts: &Parts, setup: &Setup, is_same: impl Fn(&str) -> bool) {
        let mut before = std::mem::take(&mut self.forwarders);
        self.retired_forwarders.retain(|_, retired| !retired.task.is_finished());
        for backend in &setup.backends {
            let name = backend.name().to_owned();
            // A backend that was removed and comes back waits for its last attempts.
            let forwarder = match before.remove(&name).or_else(|| self.retired_forwarders.remove(&name)) {
                Some(running) if is_same(&name) => running,
                replaced => forward(parts, backend, replaced),
            };
            self.forwarders.insert(name, forwarder);
        }
        before.values().for_each(Loop::order_stop);
        self.retired_forwarders.append(&mut before);
        let watched = self.forwarders.iter().map(|(name, forwarder)| WatchedForwarder {
            backend: name.clone(),
            task: forwarder.task.abort_handle(),
        });
        self.watched.send_replace(watched.collect());
    }

    fn ask_pagerduty(&mut self, parts: &Parts, setup: &Setup) {
        let mut replaced = std::mem::take(&mut self.pagerduty).into_iter();
        let (Some(client), Some(api)) = (&setup.pagerduty, &setup.config.pagerduty.api) else {
            parts.metrics.reconciliation.end();
            return replaced.for_each(|replaced| replaced.order_stop());
        };
        parts.metrics.reconciliation.begin();
        let path = setup.config.pagerduty.path.as_str();
        let reconciler = Reconciler {
            client: client.clone(),
            store: parts.store.clone(),
            reader: parts.reconciliation_reader.clone(),
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
            reader: parts.related_changes_reader.clone(),
            clock: Arc::clone(&parts.clock),
        };
        let (thread, lease) = (&parts.api_thread.handle, &self.apis);
        self.pagerduty = vec![
            Loop::start_for_one(thread, replaced.next(), lease, move |stop| reconciler.clone().run(stop)),
            Loop::start_for_one(thread, replaced.next(), lease, move |stop| care.clone().run(stop)),
            Loop::start_for_one(thread, replaced.next(), lease, move |stop| {
                related_changes.clone().run(stop)
            }),
        ];
    }

    /// Replaces the loops that read deployments.
    fn read_deployments(&mut self, parts: &Parts, setup: &Setup) {
        let (config, apis) = (&setup.config, &setup.deployment_apis);
        let github = config.github.as_ref().map(|section| section.poll.get());
        self.github = read_deployments(
            parts,
            config,
            apis.github.as_ref().zip(github),
            (self.github.take(), &self.apis),
        );
        let gitlab = config.gitlab.as_ref().map(|section| section.poll.get());
        self.gitlab = read_deployments(
            parts,
            config,
            apis.gitlab.as_ref().zip(gitlab),
            (self.gitlab.take(), &self.apis),
        );
    }

    /// Ends all loops, and waits until they have finished their work.
    pub(super) async fn end(self) {
        let Self { forwarders, retired_forwarders, apis, pagerduty, retention, expiry, watchdog, .. } = self;
        let forwarders = forwarders.into_values().chain(retired_forwarders.into_values());
        let all: Vec<Loop> = forwarders
            .chain(pagerduty)
            .chain([self.github, self.gitlab].into_iter().flatten())
            .chain(retention)
            .chain(expiry)
            .chain(watchdog)
            .collect();
        all.iter().for_each(Loop::order_stop);
        for each in all {
            each.ended().await;
        }
        apis.release().await;
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
    Loop::start(&Handle::current(), replaced, move |stop| forwarder.run(stop))
}

/// Starts a loop that reads deployments from an API, with the time between two readings. `None` if it is not configured.
fn read_deployments<A: DeploymentApi + Clone>(
    parts: &Parts,
    config: &Config,
    api: Option<(&A, Duration)>,
    (replaced, lease): (Option<Loop>, &Lease),
) -> Option<Loop> {
    let readings = &parts.metrics.deployment_readings;
    let Some((api, every)) = api else {
        readings.end(A::SENT);
        replaced.iter().for_each(Loop::order_stop);
        return None;
    };
    let wanted = readings.begin(A::SENT);
    let TableRepositories { certain, possible } = config.repositories_in_tables(A::SENT.name.as_str());
    let reader = DeploymentReader {
        api: api.clone(),
        store: parts.store.clone(),
        reader: parts.deployments_reader.clone(),
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&parts.metrics),
        every,
        named: NamedRepositories { certain, possible, addresses: config.repositories_of_services() },
    };
    let run = move |stop| reader.clone().run(stop, wanted.clone());
    Some(Loop::start_for_one(&parts.api_thread.handle, replaced, lease, run))
}
