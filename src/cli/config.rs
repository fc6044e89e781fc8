//! `config example` and `config show`.

use clap::{Args, Subcommand};

use super::command_error::CommandError;
use super::examples;
use super::table::print_out;
use crate::config::{Config, EXAMPLE, Problems};

#[derive(Args)]
pub(super) struct ConfigOptions {
    #[command(subcommand)]
    which: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print an example with every key, its default and its meaning
    #[command(after_help = examples::CONFIG_EXAMPLE)]
    Example,
    /// Print the effective configuration, with defaults and without secrets
    #[command(after_help = examples::CONFIG_SHOW)]
    Show,
}

pub(super) fn run(
    options: &ConfigOptions,
    config: impl FnOnce() -> Result<Config, Problems>,
) -> Result<(), CommandError> {
    let text = match options.which {
        ConfigCommand::Example => EXAMPLE.to_owned(),
        ConfigCommand::Show => config()?.show().map_err(anyhow::Error::from)?,
    };
    print_out(text.trim_end());
    Ok(())
}
