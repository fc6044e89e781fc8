//! The option `--systemd`, of commands that need secrets and are given in a shell.

use std::borrow::Cow;

use clap::Args;

use crate::config::Config;

#[derive(Args)]
pub(super) struct Credentials {
    /// Read systemd's credentials from the folder of the configuration file, as the packaged unit does
    #[arg(long)]
    pub(super) systemd: bool,
}

impl Credentials {
    /// The configuration, whose secrets can be read here.
    pub(super) fn in_config<'a>(&self, config: &'a Config) -> Cow<'a, Config> {
        if self.systemd { Cow::Owned(config.with_credentials_of_its_folder()) } else { Cow::Borrowed(config) }
    }
}
