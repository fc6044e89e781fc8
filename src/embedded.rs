//! A daemon that runs inside another program: the demo, tests and benches.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::{Listeners, RunError, Signals};

/// A daemon that runs on the present runtime and takes requests.
#[derive(Debug)]
pub struct Embedded {
    /// Address of webhooks and the event API.
    pub public: SocketAddr,
    /// Address of the admin API.
    pub admin: SocketAddr,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), RunError>>,
}

impl Embedded {
    /// Starts a daemon and waits until it is ready.
    ///
    /// # Errors
    /// The reason why the daemon did not get ready.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let listeners = Listeners::bind(&config)?;
        let (public, admin) = (listeners.public.local_addr()?, listeners.admin.local_addr()?);
        let (stop, mut stopped) = watch::channel(false);
        let (ready, is_ready) = oneshot::channel();
        let signals = Signals {
            stop: async move { drop(stopped.wait_for(|stop| *stop).await) },
            on_ready: Box::new(move || {
                // Fails only if nobody waits for readiness any more.
                let _ = ready.send(());
            }),
            reload: mpsc::channel(1).1,
            watchdog: None,
            logs: None,
        };
        let running = tokio::spawn(async move { crate::run(&config, clock, listeners, signals).await });
        if is_ready.await.is_err() {
            running.await??;
            anyhow::bail!("the daemon ended before it was ready");
        }
        Ok(Self { public, admin, stop, running })
    }

    /// Stops the daemon as SIGTERM does, and waits for its end.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.running.await.context("the daemon panicked")??;
        Ok(())
    }
}
