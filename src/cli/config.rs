//! `config example` and `config show`.

use clap::{Args, Subcommand};

use super::examples;
use super::failed::Failed;
use super::table::say;
use crate::config::{Config, EXAMPLE, Problems};

#[derive(Args)]
pub(super) struct Options {
    #[command(subcommand)]
    which: Which,
}

#[derive(Subcommand)]
enum Which {
    /// Print an example with every key, its default and its meaning
    #[command(after_help = examples::CONFIG_EXAMPLE)]
    Example,
    /// Print the effective configuration, with defaults and without secrets
    #[command(after_help = examples::CONFIG_SHOW)]
    Show,
}

pub(super) fn run(
    options: &Options,
    config: impl FnOnce() -> Result<Config, Problems>,
) -> Result<(), Failed> {
    let text = match options.which {
        Which::Example => EXAMPLE.to_owned(),
        Which::Show => config()?.show().map_err(anyhow::Error::from)?,
    };
    say(text.trim_end());
    Ok(())
}
