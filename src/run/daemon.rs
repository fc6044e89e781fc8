//! The daemon: its servers and loops, and how it reads its configuration again.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::descriptors::{public_connections, raise_limit};
use super::error::RunError;
use super::listeners::Listeners;
use super::loops::Loops;
use super::parts::Parts;
use super::reload::ReloadResult;
use super::routes;
use super::secrets::problems;
use super::setup::Setup;
use super::watchdog::Watchdog;
use crate::config::changes::Reloaded;
use crate::config::{Config, check_regular_file};
use crate::http::{self, Limits, ListenerService, ReloadRefusal, Requests};
use crate::store::WriterState;
use crate::telemetry::connections::Listener;
use crate::telemetry::logs::Logs;

/// Longest time for reading the files of a reload.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait at a stop for a read that has begun.
const READ_END_LIMIT: Duration = Duration::from_secs(2);

/// The running daemon.
pub(super) struct Daemon {
    parts: Parts,
    setup: Setup,
    requests: Arc<Requests>,
    served: Served,
    servers: JoinSet<()>,
    loops: Loops,
    stop: watch::Sender<bool>,
    logs: Option<Logs>,
}

/// Routes and TLS that the two listeners use now.
struct Served {
    public: watch::Sender<Router>,
    admin: watch::Sender<Router>,
    tls: watch::Sender<Option<Arc<ServerConfig>>>,
}

impl Daemon {
    /// Starts servers and loops. `stop` is the sender of the signal to stop that the parts have.
    pub(super) fn start(
        parts: Parts,
        setup: Setup,
        listeners: Listeners,
        stop: watch::Sender<bool>,
        watchdog: Option<Watchdog>,
        logs: Option<Logs>,
    ) -> Result<Self, RunError> {
        parts.warn_of_unknown_backends(&setup).map_err(RunError::Unreadable)?;
        let requests = routes::requests(&parts, &setup, None).map_err(RunError::Unreadable)?;
        let (admin, prepare) = routes::admin(&parts, &setup, &requests);
        let (public, public_routes) = watch::channel(routes::public(&parts, &setup, &requests));
        let (admin, admin_routes) = watch::channel(admin);
        let (tls, current_tls) = watch::channel(setup.tls_config());
        let connections = &parts.metrics.connections;
        let public_service = ListenerService {
            routes: public_routes,
            tls: current_tls,
            refused: connections.of(Listener::Public),
        };
        let admin_service = ListenerService {
            routes: admin_routes,
            tls: watch::channel(None).1,
            refused: connections.of(Listener::Admin),
        };
        let limits = Limits::default();
        let public_limits =
            Limits { connections: public_connections(raise_limit(), limits.connections), ..limits };
        let mut servers = JoinSet::new();
        servers.spawn(until_stop(prepare, parts.stop.clone()));
        servers.spawn(http::serve(listeners.public, public_service, public_limits, parts.stop.clone()));
        servers.spawn(http::serve(listeners.admin, admin_service, Limits::of_admin(), parts.stop.clone()));
        let mut loops = Loops::new(&parts, watchdog);
        loops.apply(&parts, &setup, None);
        Ok(Self { parts, setup, requests, served: Served { public, admin, tls }, servers, loops, stop, logs })
    }

    /// Receiver of the state of the store's writer.
    pub(super) fn writer_state(&self) -> watch::Receiver<WriterState> {
        self.parts.store.ended()
    }

    /// Reads the configuration again, and puts it into effect, whole or not at all. Logs what has changed.
    pub(super) async fn reload(&mut self) -> ReloadResult {
        let result = self.try_reload().await;
        match &result {
            Ok(reloaded) => {
                self.parts.metrics.reloads.succeeded();
                log(reloaded);
            }
            Err(refusal) => {
                self.parts.metrics.reloads.refused(self.parts.clock.now(), refusal.to_string());
                tracing::error!("the configuration was not reloaded, and nothing has changed: {refusal}");
            }
        }
        result
    }

    async fn try_reload(&mut self) -> ReloadResult {
        let Some(file) = self.setup.config.file.clone() else {
            let why = "The daemon runs without a configuration file: start it with --config FILE.";
            return Err(ReloadRefusal::Wrong(why.to_owned()));
        };
        check_regular_file(&file)
            .map_err(|error| ReloadRefusal::Wrong(format!("{}: {error}", file.display())))?;
        // Files are read on another thread, because a disk can be slow.
        let read = spawn_blocking(move || Setup::of(Config::load_and(Some(&file), problems)?));
        let too_slow =
            |_| ReloadRefusal::NotNow(format!("The files could not be read within {READ_TIMEOUT:?}."));
        let read = timeout(READ_TIMEOUT, read).await.map_err(too_slow)?;
        let mut new =
            read.map_err(not_now)?.map_err(|problems| ReloadRefusal::Wrong(problems.to_string()))?;
        let reloaded = self.setup.changes(&new).map_err(not_now)?;
        if reloaded.is_empty() {
            return Ok(reloaded);
        }
        new.keep_until_restart(&self.setup);
        let requests = routes::requests(&self.parts, &new, Some(&self.requests)).map_err(not_now)?;
        // From here on the new configuration takes effect. Errors are only logged.
        self.apply(new, requests, &reloaded).await;
        Ok(reloaded)
    }

    async fn apply(&mut self, new: Setup, requests: Arc<Requests>, reloaded: &Reloaded) {
        let parts = &self.parts;
        parts.metrics.set_backends(new.backend_names());
        let fingerprint = Arc::clone(&new.fingerprint);
        parts.store.configure(Arc::clone(&new.policy), new.destinations(), Some(fingerprint));
        let (admin, prepare) = routes::admin(parts, &new, &requests);
        self.served.tls.send_replace(new.tls_config());
        let _ = self.served.public.send_replace(routes::public(parts, &new, &requests));
        let _ = self.served.admin.send_replace(admin);
        self.loops.apply(parts, &new, Some(reloaded));
        // After this transaction, which is later than the order to stop, no replaced loop claims a row.
        if let Err(error) = parts.store.forget_unmarked().await {
            tracing::warn!(
                %error,
                "the store still remembers marks of backends that take none any more: the next start forgets them"
            );
        }
        while self.servers.try_join_next().is_some() {}
        self.servers.spawn(until_stop(prepare, parts.stop.clone()));
        if let Some(logs) = self.logs.as_ref().filter(|_| reloaded.touches("log")) {
            logs.configure(&new.config.log);
        }
        if let Err(error) = parts.warn_of_unknown_backends(&new) {
            tracing::warn!(%error, "the rows of backends that are not configured could not be counted");
        }
        (self.setup, self.requests) = (new, requests);
    }

    /// Finishes requests, then attempts under way.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        self.loops.end().await;
    }
}

/// Does the work, or ends it when the program stops. Then it may still end within [`READ_END_LIMIT`], because SQLite cannot
/// remove the WAL while a connection reads.
async fn until_stop(work: impl Future<Output = ()>, mut stop: watch::Receiver<bool>) {
    let mut work = pin!(work);
    tokio::select! {
        () = &mut work => return,
        // An error means that the sender of the signal was dropped, which counts as the signal, too.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let _ = timeout(READ_END_LIMIT, work).await;
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

fn not_now(error: impl fmt::Display) -> ReloadRefusal {
    ReloadRefusal::NotNow(error.to_string())
}
