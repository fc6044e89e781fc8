//! `health`: asks the daemon whether it is ready, for containers whose image has no other program.

use std::time::Duration;

use anyhow::{anyhow, bail};
use tokio::time::timeout;

use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::runtime::runtime;
use crate::config::Config;

/// Longest wait. Container runtimes give a health check a few seconds.
const MAX_WAIT: Duration = Duration::from_secs(4);

pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    let asked = async { timeout(MAX_WAIT, ask(config)).await };
    let Ok(answered) = runtime()?.block_on(asked) else {
        return Err(anyhow!("the daemon did not answer within {MAX_WAIT:?}").into());
    };
    Ok(answered?)
}

async fn ask(config: &Config) -> anyhow::Result<()> {
    let Some(daemon) = DaemonClient::find(config).await? else {
        bail!("no daemon answers at {} (admin.listen): start it, or correct --config", config.admin.listen);
    };
    let (is_ready, answer) = daemon.readiness().await?;
    if !is_ready {
        bail!("the daemon is not ready: {}", answer.trim());
    }
    Ok(())
}
