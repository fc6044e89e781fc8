//! `serve`: the daemon.

use std::path::absolute;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::command_error::CommandError;
use super::runtime::runtime;
use crate::clock::SystemClock;
use crate::config::{BackendSection, Config, Problems};
use crate::domain::human_duration::human_duration;
use crate::run::{problems_of_secrets, store_of_reading_command};
use crate::store;
use crate::telemetry::logs::Logs;
use crate::{Listeners, RunError, Signals, Watchdog};

pub(super) fn run(config: &Config, logs: &Logs) -> Result<(), CommandError> {
    // Checked before a listener is bound, so that wrong secrets are reported even if an address is taken.
    if let Some(problems) = Problems::of(problems_of_secrets(config)) {
        return Err(problems.into());
    }
    logs.configure(&config.log);
    let began = Instant::now();
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let listeners = Listeners::take_or_bind(config).map_err(anyhow::Error::from)?;
        print_start(config, &listeners)?;
        let watchdog = sd_notify::watchdog_enabled()
            .map(|timeout| Watchdog { timeout, feed: Box::new(|| notify(NotifyState::Watchdog)) });
        let signals = Signals {
            stop: stop_signal()?,
            reload: reload_signal()?,
            on_ready: announce_ready(&listeners)?,
            watchdog,
            logs: Some(logs.clone()),
        };
        crate::run(config, Arc::new(SystemClock), listeners, signals).await.map_err(CommandError::from)
    });
    // A thread that reads a file from a disk that hangs must not hold up the end.
    runtime.shutdown_background();
    served?;
    // Written only after a clean stop: if the daemon fails, the reason is the last line.
    tracing::info!("stopped after {}", human_duration(began.elapsed().as_secs_f64()));
    Ok(())
}

/// Logs the version, the configuration, the store, the addresses and the backends.
fn print_start(config: &Config, listeners: &Listeners) -> anyhow::Result<()> {
    let configuration = config.file.as_ref().map_or_else(
        || "built-in defaults".to_owned(),
        |file| absolute(file).unwrap_or_else(|_| file.clone()).display().to_string(),
    );
    let address = store_of_reading_command(config)?;
    let absolute_path = address.file().and_then(|path| absolute(path).ok());
    let store = absolute_path.map_or_else(|| address.to_string(), |path| path.display().to_string());
    let named = |backend: &BackendSection| {
        format!("{} ({})", backend.name.get_ref().as_str(), backend.kind.get_ref().as_str())
    };
    let backends = config.backend.iter().map(named).collect::<Vec<_>>().join(", ");
    tracing::info!(
        version = env!("PAGERDUTY_DORA_VERSION"),
        configuration,
        store,
        replica = address.replica(),
        schema = store::SCHEMA,
        webhooks = %listeners.public.local_addr()?,
        admin = %listeners.admin.local_addr()?,
        backends = if backends.is_empty() { "none" } else { &backends },
        "starting"
    );
    Ok(())
}

/// Future that is ready at SIGTERM or Ctrl-C.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify(NotifyState::Stopping);
    })
}

/// Receives a message for each SIGHUP. Must be called within a Tokio runtime.
fn reload_signal() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut hang_up = listen(SignalKind::hangup())?;
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move { while hang_up.recv().await.is_some() && send.send(()).await.is_ok() {} });
    Ok(receive)
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

/// Callback for the time when the daemon is ready: logs the addresses and notifies systemd.
fn announce_ready(listeners: &Listeners) -> anyhow::Result<Box<dyn FnOnce() + Send>> {
    let (public, admin) = (listeners.public.local_addr()?, listeners.admin.local_addr()?);
    Ok(Box::new(move || {
        tracing::info!(%public, %admin, "ready");
        notify(NotifyState::Ready);
    }))
}

/// Notifies systemd. Has no effect unless systemd started the process.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Config(problems) => problems.into(),
            RunError::Store(error) => Self::Failed(error.into()),
            RunError::Random(_) | RunError::Unreadable(_) | RunError::Listener(_) | RunError::Thread(_) => {
                Self::Failed(error.into())
            }
            RunError::InDoubt(_) => Self::InDoubt(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenError;

    #[test]
    fn a_store_that_cannot_be_opened_ends_the_program_with_1() {
        let error = OpenError::Server { store: "postgres://db".to_owned(), reason: "gone".to_owned() };
        let error = CommandError::from(RunError::Store(error));
        assert_eq!((error.exit_code(), &*error.to_string()), (1, "cannot use the store postgres://db: gone"));
    }
}
