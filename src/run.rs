//! Start, reload and end of the daemon.

mod api_thread;
mod backfill;
mod daemon;
mod descriptors;
mod error;
mod fingerprint;
mod import;
mod listeners;
mod loops;
mod offline_store;
mod parts;
mod reload;
mod retention;
mod routes;
mod secrets;
mod setup;
mod store;
mod store_address;
mod tls;
mod watchdog;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::telemetry::logs::Logs;

pub(crate) use self::backfill::backfill;
use self::daemon::Daemon;
pub use self::error::RunError;
pub(crate) use self::import::{import, listing_backends};
pub use self::listeners::Listeners;
pub use self::offline_store::OfflineStore;
use self::parts::Parts;
use self::reload::ReloadRequests;
pub(crate) use self::secrets::{
    backend, github_api, gitlab_api, outgoing, problems as problems_of_secrets, rest_client,
};
use self::setup::Setup;
use self::store::wait_for_writer;
pub(crate) use self::store_address::{other_store, store_of_command, store_of_reading_command};
pub(crate) use self::tls::tls;
pub use self::watchdog::Watchdog;

/// Signals between the daemon and whoever started it.
pub struct Signals<F> {
    /// Ready when it is time to stop.
    pub stop: F,
    /// Receives a message when the configuration is to be read again.
    pub reload: mpsc::Receiver<()>,
    /// Called once the store is migrated and both listeners take requests.
    pub on_ready: Box<dyn FnOnce() + Send>,
    /// The service manager's watchdog, if there is one.
    pub watchdog: Option<Watchdog>,
    /// The log, whose level and format a reload can change.
    pub logs: Option<Logs>,
}

/// Runs the daemon until the signal to stop, then finishes requests and attempts under way.
pub async fn run<F: Future<Output = ()>>(
    config: &Config,
    clock: Arc<dyn Clock>,
    listeners: Listeners,
    signals: Signals<F>,
) -> Result<(), RunError> {
    let Signals { stop, mut reload, on_ready, watchdog, logs } = signals;
    let setup = Setup::of(config.clone())?;
    let (reload_requests, mut requested) = ReloadRequests::channel();
    let (send_stop, stopped) = watch::channel(false);
    let admin_address = listeners.admin.local_addr().map_err(RunError::Listener)?.ip();
    let mut stop = pin!(stop);
    // A database that cannot be reached is tried for a while.
    let opening = tokio::task::spawn_blocking(move || {
        let opened = Parts::open(&setup, clock, admin_address, reload_requests, stopped);
        opened.map(|parts| (parts, setup))
    });
    let (parts, setup) = tokio::select! {
        opened = opening => opened.map_err(|error| RunError::Thread(io::Error::other(error)))??,
        () = &mut stop => {
            tracing::info!("stopping: the store was not open yet");
            return Ok(());
        }
    };
    let mut daemon = Daemon::start(parts, setup, listeners, send_stop, watchdog, logs)?;
    let mut ended = daemon.writer_state();
    on_ready();
    let mut must_end = pin!(async {
        tokio::select! {
            () = &mut stop => tracing::info!(
                "stopping: finishing requests and attempts under way; an attempt may take as long as the timeout of its \
                 backend"
            ),
            _ = ended.changed() => {}
        }
    });
    loop {
        let request = tokio::select! {
            biased;
            () = &mut must_end => break,
            Some(()) = reload.recv() => None,
            Some(request) = requested.recv() => Some(request),
        };
        // Those that wait already are answered together.
        let mut answered: Vec<_> = request.into_iter().collect();
        while let Ok(request) = requested.try_recv() {
            answered.push(request);
        }
        tokio::select! {
            biased;
            // A disk that hangs holds a reload up, but not the stop.
            () = &mut must_end => break,
            result = daemon.reload() => for request in answered {
                // An error means that the caller does not wait for the result any more.
                let _ = request.send(result.clone());
            }
        }
    }
    // Callers that still wait are told that the daemon is stopping.
    drop(requested);
    let mut ended = daemon.writer_state();
    daemon.stop().await;
    // The writer ends after the last handle is dropped. By then everything is on the disk.
    wait_for_writer(&mut ended).await
}
