//! Start and end of the daemon: opens the store, starts servers and loops, and stops them in order.

mod backfill;
mod error;
mod listeners;
mod offline_store;
mod rest_api;
mod retention;
mod secrets;
mod store;
mod watchdog;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::catalog;
use crate::clock::Clock;
use crate::config::listener_secrets::{EVENTS_API_KEYS, ListenerSecrets};
use crate::config::{Config, HostName, Problem};
use crate::domain::forwarding::Destination;
use crate::domain::policy::Policy;
use crate::forward::Forwarder;
use crate::http::{
    self, Admin, BodyBudget, EventsApi, Hosts, Keys, Limits, Requests, SourceRequests, Token, WebhookIntake,
};
use crate::reconcile::{Reconciler, RelatedChangesLoop, SubscriptionCare};
use crate::sources;
use crate::store::{FiguresReader, OutboxGauge, Reader, Store};
use crate::telemetry::metrics::Metrics;

pub(crate) use self::backfill::backfill;
pub use self::error::RunError;
pub use self::listeners::Listeners;
pub use self::offline_store::OfflineStore;
use self::rest_api::RestApi;
use self::retention::forget_old_bodies;
use self::secrets::{WithSecrets, set_up};
pub(crate) use self::secrets::{backend, problems as problems_of_secrets, rest_client};
use self::store::{open_store, wait_for_writer};
pub use self::watchdog::Watchdog;

/// Signal to stop, and callback for readiness.
pub struct Shutdown<F> {
    /// Ready when it is time to stop.
    pub when: F,
    /// Called once the store is migrated and both listeners take requests.
    pub on_ready: Box<dyn FnOnce() + Send>,
    /// The service manager's watchdog, if there is one.
    pub watchdog: Option<Watchdog>,
}

/// Runs the daemon until `shutdown`, then finishes requests and attempts under way.
pub async fn run<F: Future<Output = ()>>(
    config: &Config,
    clock: Arc<dyn Clock>,
    listeners: Listeners,
    shutdown: Shutdown<F>,
) -> Result<(), RunError> {
    let daemon = Daemon::open(config, clock)?;
    let mut ended = daemon.store.ended();
    let (send_stop, stop) = watch::channel(false);
    let (send_stop_forwarding, stop_forwarding) = watch::channel(false);
    let mut servers = daemon.serve(config, listeners, &stop)?;
    let mut loops = daemon.start_loops(config, shutdown.watchdog, &stop_forwarding)?;
    (shutdown.on_ready)();

    tokio::select! {
        () = shutdown.when => tracing::info!("stopping: finishing requests and attempts under way; an attempt may take as long as the timeout of its backend"),
        _ = ended.changed() => {}
    }
    send_stop.send_replace(true);
    while servers.join_next().await.is_some() {}
    send_stop_forwarding.send_replace(true);
    while loops.join_next().await.is_some() {}
    drop(daemon);
    // The writer ends after the last handle is dropped. By then everything is on the disk.
    wait_for_writer(&mut ended).await
}

/// Shared parts of the daemon. Each server and each loop takes only the parts that it uses.
struct Daemon {
    secrets: ListenerSecrets,
    backends: Vec<Arc<Backend>>,
    pagerduty: Option<RestApi>,
    policy: Arc<Policy>,
    metrics: Arc<Metrics>,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Daemon {
    /// Fetches the secrets, then opens the store, which folds the events that an earlier process left unfolded.
    fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, RunError> {
        let WithSecrets { secrets, backends, pagerduty } = set_up(config)?;
        let pagerduty = pagerduty.map(RestApi::start).transpose().map_err(RunError::Thread)?;
        let metrics = Metrics::new(backends.iter().map(|backend| backend.name().to_owned()));
        let policy = Arc::new(policy(config)?);
        let store = open_store(config, &policy, &backends, Arc::clone(&metrics))?;
        Ok(Self { secrets, backends, pagerduty, policy, metrics, store, clock })
    }

    /// Logs each backend that rows wait for and that is not configured: the rows are not sent.
    fn warn_of_unknown_backends(&self, reader: &Reader) -> Result<(), RunError> {
        let outbox = reader.gauges().map_err(RunError::Unreadable)?.outbox;
        let is_known = |name: &str| self.backends.iter().any(|backend| backend.name() == name);
        for OutboxGauge { backend, pending, .. } in outbox {
            if pending > 0 && !is_known(&backend) {
                tracing::warn!(
                    backend,
                    waiting = pending,
                    "rows wait for a backend that has no [[backend]] entry, and are not sent: put the entry back under \
                     this name, and restart the program"
                );
            }
        }
        Ok(())
    }

    /// Starts a server for each listener.
    fn serve(
        &self,
        config: &Config,
        listeners: Listeners,
        stop: &watch::Receiver<bool>,
    ) -> Result<JoinSet<()>, RunError> {
        let hosts = Hosts::new(
            listeners.admin.local_addr().map_err(RunError::Listener)?.ip(),
            config.admin.hosts.iter().map(HostName::as_str),
        );
        let reader = Reader::open(&config.store.path)?;
        self.warn_of_unknown_backends(&reader)?;
        let sources = sources::webhooks(config, &self.secrets).into_iter().map(|webhooks| {
            let accepted_at = reader.last_received_from(&webhooks.source.name)?;
            let (metrics, clock) = (Arc::clone(&self.metrics), Arc::clone(&self.clock));
            Ok(SourceRequests::new(webhooks, metrics, clock, accepted_at))
        });
        let sources = sources.collect::<Result<_, _>>().map_err(RunError::Unreadable)?;
        let requests = Requests::new(Arc::clone(&self.metrics), Arc::clone(&self.clock), sources);
        let public = self.public(&requests);
        let (admin, prepare) = http::admin(self.admin(config, requests, reader, stop)?, hosts);
        let mut servers = JoinSet::new();
        let mut ending = stop.clone();
        servers.spawn(async move {
            tokio::select! {
                () = prepare => {}
                // After the signal to stop, no request needs the figures. An error means that the sender of the signal
                // was dropped, which counts as the signal, too.
                _ = ending.wait_for(|ending| *ending) => {}
            }
        });
        servers.spawn(http::serve(listeners.public, public, Limits::default(), stop.clone()));
        servers.spawn(http::serve(listeners.admin, admin, Limits::of_admin(), stop.clone()));
        Ok(servers)
    }

    /// Routes of the public listener: webhooks and the event API.
    fn public(&self, requests: &Arc<Requests>) -> Router {
        let budget = BodyBudget::default();
        let events_api = EventsApi {
            store: self.store.clone(),
            budget: budget.clone(),
            clock: Arc::clone(&self.clock),
            policy: Arc::clone(&self.policy),
            requests: Arc::clone(requests),
            keys: Keys::new(self.secrets.of(EVENTS_API_KEYS)),
        };
        let intake = |source: &Arc<SourceRequests>| WebhookIntake {
            store: self.store.clone(),
            budget: budget.clone(),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            source: Arc::clone(source),
        };
        let intakes = requests.sources().iter().map(intake).collect();
        http::public(intakes, events_api, Arc::clone(requests))
    }

    /// Parts for the handlers of the admin listener.
    fn admin(
        &self,
        config: &Config,
        requests: Arc<Requests>,
        reader: Reader,
        stop: &watch::Receiver<bool>,
    ) -> Result<Admin, RunError> {
        Ok(Admin {
            store: self.store.clone(),
            reader,
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            policy: Arc::clone(&self.policy),
            timezone: config.dora.timezone.zone().clone(),
            figures: FiguresReader::open(&config.store.path)?,
            backend_entries: config.backend_entries().into(),
            requests,
            backfill: self.pagerduty.as_ref().map(|RestApi { client, thread }| {
                let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
                let backfill = backfill::backfill(config, client.clone(), store, clock);
                backfill::steps(backfill, thread.handle.clone(), stop.clone())
            }),
            token: Token::new().map_err(RunError::Random)?,
            stop: stop.clone(),
        })
    }

    /// Starts a forwarder for each backend, the reconciliation with PagerDuty, and the removal of old bodies.
    fn start_loops(
        &self,
        config: &Config,
        watchdog: Option<Watchdog>,
        stop: &watch::Receiver<bool>,
    ) -> Result<JoinSet<()>, RunError> {
        let (mut loops, mut forwarders) = (JoinSet::new(), Vec::new());
        for backend in &self.backends {
            let forwarder = Forwarder {
                backend: Arc::clone(backend),
                store: self.store.clone(),
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
            };
            forwarders.push((backend.name().to_owned(), loops.spawn(forwarder.run(stop.clone()))));
        }
        if let Some(watchdog) = watchdog {
            let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
            loops.spawn(watchdog::feed(watchdog, store, clock, forwarders, stop.clone()));
        }
        if let (Some(RestApi { client, thread }), Some(api)) = (&self.pagerduty, &config.pagerduty.api) {
            self.metrics.reconciliation.begin();
            let reconciler = Reconciler {
                client: client.clone(),
                store: self.store.clone(),
                reader: Reader::open(&config.store.path)?,
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
                every: api.reconcile_every.get(),
                subscription: api.subscription_id(),
                path: config.pagerduty.path.as_str().to_owned(),
            };
            loops.spawn_on(reconciler.run(stop.clone()), &thread.handle);
            let care = SubscriptionCare {
                client: client.clone(),
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
                id: api.subscription_id(),
                path: config.pagerduty.path.as_str().to_owned(),
            };
            loops.spawn_on(care.run(stop.clone()), &thread.handle);
            let related_changes = RelatedChangesLoop {
                client: client.clone(),
                store: self.store.clone(),
                reader: Reader::open(&config.store.path)?,
                clock: Arc::clone(&self.clock),
            };
            loops.spawn_on(related_changes.run(stop.clone()), &thread.handle);
        }
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        loops.spawn(forget_old_bodies(store, clock, config.store.retention.get(), stop.clone()));
        Ok(loops)
    }
}

/// Policy from the configuration and the catalog. Logs the warnings of both.
fn policy(config: &Config) -> Result<Policy, Problem> {
    let loaded = catalog::load(config)?;
    for warning in config.warnings().iter().chain(&loaded.warnings) {
        tracing::warn!("configuration: {warning}");
    }
    Ok(Policy { catalog: loaded.catalog, ..config.policy() })
}
