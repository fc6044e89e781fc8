//! `health`: asks the daemon whether it is ready, for containers whose image has no other program.

use anyhow::bail;

use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::runtime::runtime;
use crate::config::Config;

pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    Ok(runtime()?.block_on(ask(config))?)
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
