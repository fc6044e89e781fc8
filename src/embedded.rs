//! A daemon inside a larger program: the demo, the tests, the benches.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::{Listeners, RunError, Shutdown};

/// A daemon that runs on this runtime, and takes requests.
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
    /// Starts one and waits until it is ready. Fails with why it is not.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let listeners = Listeners::bind(&config)?;
        let (public, admin) = (listeners.public.local_addr()?, listeners.admin.local_addr()?);
        let (stop, mut stopped) = watch::channel(false);
        let (ready, is_ready) = oneshot::channel();
        let shutdown = Shutdown {
            when: async move { drop(stopped.wait_for(|stop| *stop).await) },
            on_ready: Box::new(move || {
                // Whoever started it has given up.
                let _ = ready.send(());
            }),
        };
        let running = tokio::spawn(async move { crate::run(&config, clock, listeners, shutdown).await });
        if is_ready.await.is_err() {
            running.await??;
            anyhow::bail!("the daemon ended before it was ready");
        }
        Ok(Self { public, admin, stop, running })
    }

    /// Has it finish what is in hand, as SIGTERM does.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.running.await.context("the daemon panicked")??;
        Ok(())
    }
}
