//! The daemon: its servers and loops, and how it reads its configuration again.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use super::descriptors::public_connections;
use super::error::RunError;
use super::listeners::Listeners;
use super::loops::{ApiReaders, Loops};
use super::parts::Parts;
use super::reload::{ReloadOrders, ReloadResult};
use super::routes;
use super::secrets::problems;
use super::setup::Setup;
use super::store::open_store;
use super::watchdog::Watchdog;
use crate::clock::Clock;
use crate::config::changes::Reloaded;
use crate::config::{Config, Problems};
use crate::http::{self, BodyBudget, Limits, ListenerService, ReloadRefusal, Requests, Token};
use crate::store::{FiguresReader, OutboxGauge, Reader};
use crate::telemetry::connections::Listener;
use crate::telemetry::logs::Logs;
use crate::telemetry::metrics::Metrics;

/// The running daemon.
pub(super) struct Daemon {
    parts: Parts,
    setup: Setup,
    requests: Arc<Requests>,
    current: Current,
    orders: ReloadOrders,
    servers: JoinSet<()>,
    loops: Loops,
    stop: watch::Sender<bool>,
    logs: Option<Logs>,
}

/// What the two listeners serve at present.
struct Current {
    public: watch::Sender<Router>,
    admin: watch::Sender<Router>,
    tls: watch::Sender<Option<Arc<ServerConfig>>>,
}

impl Daemon {
    /// Opens the store, which folds the events that an earlier process left unfolded, and starts servers and loops.
    pub(super) fn start(
        setup: Setup,
        clock: Arc<dyn Clock>,
        listeners: Listeners,
        orders: ReloadOrders,
        (watchdog, logs): (Option<Watchdog>, Option<Logs>),
    ) -> Result<Self, RunError> {
        let (stop, stopped) = watch::channel(false);
        let admin_address = listeners.admin.local_addr().map_err(RunError::Listener)?.ip();
        let parts = open(&setup, clock, admin_address, stopped.clone())?;
        warn_of_unknown_backends(&parts, &setup).map_err(RunError::Unreadable)?;
        let mut loops = Loops::new(&parts, watchdog);
        let requests = routes::requests(&parts, &setup, None).map_err(RunError::Unreadable)?;
        let api_readers = ApiReaders::open(&setup)?;
        let api_thread = loops.api_thread(&setup).map_err(RunError::Thread)?;
        let (admin, prepare) = routes::admin(&parts, &setup, &requests, (&orders, api_thread.as_ref()));
        let (public, public_routes) = watch::channel(routes::public(&parts, &setup, &requests));
        let (admin, admin_routes) = watch::channel(admin);
        let mut servers = JoinSet::new();
        servers.spawn(until_stop(prepare, stopped.clone()));
        let (tls, current_tls) = watch::channel(setup.tls.as_ref().map(|tls| Arc::clone(&tls.config)));
        let service = |listener, routes, tls| ListenerService {
            routes,
            tls,
            refused: parts.metrics.connections.of(listener),
        };
        let public_service = service(Listener::Public, public_routes, current_tls);
        let admin_service = service(Listener::Admin, admin_routes, watch::channel(None).1);
        let public_limits = Limits::default();
        let connections = public_connections(public_limits.connections);
        let public_limits = Limits { connections, ..public_limits };
        servers.spawn(http::serve(listeners.public, public_service, public_limits, stopped.clone()));
        servers.spawn(http::serve(listeners.admin, admin_service, Limits::of_admin(), stopped));
        loops.apply(&parts, &setup, api_readers, None);
        let current = Current { public, admin, tls };
        Ok(Self { parts, setup, requests, current, orders, servers, loops, stop, logs })
    }

    /// Receiver of the state of the store's writer.
    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Reads the configuration again, and puts it into effect, whole or not at all. Says in the log what has changed.
    pub(super) async fn reload(&mut self) -> ReloadResult {
        let result = self.try_reload().await;
        match &result {
            Ok(reloaded) => log(reloaded),
            Err(refusal) => {
                tracing::error!("the configuration was not reloaded, and nothing has changed: {refusal}");
            }
        }
        result
    }

    async fn try_reload(&mut self) -> ReloadResult {
        let Some(file) = self.setup.config.file.clone() else {
            return Err(ReloadRefusal::Wrong("the daemon runs without a configuration file".to_owned()));
        };
        // Files are read on another thread, because a disk can be slow.
        let read = spawn_blocking(move || Setup::of(Config::load_and(Some(&file), problems)?)).await;
        let mut new = read.map_err(not_now)?.map_err(|problems| wrong(&problems))?;
        let old = &self.setup;
        let reloaded = old.config.changes(&old.secret_values, (&new.config, &new.secret_values));
        let reloaded = reloaded.map_err(not_now)?;
        new.config.keep_until_restart(&old.config);

        let requests = routes::requests(&self.parts, &new, Some(&self.requests)).map_err(not_now)?;
        let api_readers = ApiReaders::open(&new).map_err(not_now)?;
        let api_thread = self.loops.api_thread(&new).map_err(not_now)?;

        // From here on nothing can fail.
        self.parts.metrics.set_backends(new.backend_names());
        self.parts.store.configure(Arc::clone(&new.policy), new.destinations());
        let with_api = (&self.orders, api_thread.as_ref());
        let (admin, prepare) = routes::admin(&self.parts, &new, &requests, with_api);
        self.current.tls.send_replace(new.tls.as_ref().map(|tls| Arc::clone(&tls.config)));
        let _ = self.current.public.send_replace(routes::public(&self.parts, &new, &requests));
        let _ = self.current.admin.send_replace(admin);
        self.loops.apply(&self.parts, &new, api_readers, Some(&reloaded));
        // After this transaction, which is later than the order to stop, no replaced loop claims a row.
        if let Err(error) = self.parts.store.forget_unmarked().await {
            tracing::warn!(%error, "the store was not told which backends take no marks any more: the next start does it");
        }
        while self.servers.try_join_next().is_some() {}
        self.servers.spawn(until_stop(prepare, self.parts.stop.clone()));
        if let Some(logs) = self.logs.as_ref().filter(|_| reloaded.touches("log")) {
            logs.configure(&new.config.log);
        }
        if let Err(error) = warn_of_unknown_backends(&self.parts, &new) {
            tracing::warn!(%error, "the rows of backends that are not configured could not be counted");
        }
        (self.setup, self.requests) = (new, requests);
        Ok(reloaded)
    }

    /// Finishes requests, then attempts under way.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        self.loops.end().await;
    }
}

/// Opens the store and its readers.
fn open(
    setup: &Setup,
    clock: Arc<dyn Clock>,
    admin_address: IpAddr,
    stop: watch::Receiver<bool>,
) -> Result<Parts, RunError> {
    let metrics = Metrics::new(setup.backend_names());
    let store = open_store(&setup.config, &setup.policy, setup.destinations(), Arc::clone(&metrics))?;
    let path = &setup.config.store.path;
    Ok(Parts {
        store,
        clock,
        metrics,
        reader: Reader::open(path)?,
        figures: FiguresReader::open(path)?,
        budget: BodyBudget::default(),
        token: Arc::new(Token::new().map_err(RunError::Random)?),
        admin_address,
        stop,
    })
}

/// Logs each backend that rows wait for and that is not configured: the rows are not sent.
fn warn_of_unknown_backends(parts: &Parts, setup: &Setup) -> Result<(), crate::store::ReadError> {
    let is_known = |name: &String| setup.backend_names().any(|known| known == *name);
    for OutboxGauge { backend, pending, .. } in parts.reader.gauges()?.outbox {
        if pending > 0 && !is_known(&backend) {
            tracing::warn!(
                backend,
                waiting = pending,
                "rows wait for a backend that has no [[backend]] entry, and are not sent: put the entry back under this \
                 name, and reload the configuration"
            );
        }
    }
    Ok(())
}

/// Does the work, unless the program stops: then no request needs it any more.
async fn until_stop(work: impl Future<Output = ()>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = work => {}
        // An error means that the sender of the signal was dropped, which counts as the signal, too.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Logs what a reload has changed.
fn log(reloaded: &Reloaded) {
    let Reloaded { changed, needs_restart } = reloaded;
    if reloaded.is_empty() {
        tracing::info!("the configuration was read again: nothing has changed");
    }
    if !changed.is_empty() {
        let changed = changed.join(", ");
        tracing::info!(changed, "the configuration was read again, and is in effect");
    }
    if !needs_restart.is_empty() {
        let needs_restart = needs_restart.join(", ");
        tracing::warn!(needs_restart, "some keys of the new configuration take effect only after a restart");
    }
}

fn wrong(problems: &Problems) -> ReloadRefusal {
    ReloadRefusal::Wrong(problems.to_string())
}

fn not_now(error: impl std::fmt::Display) -> ReloadRefusal {
    ReloadRefusal::NotNow(error.to_string())
}
