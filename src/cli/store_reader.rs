//! Readers of the store, for commands.

use anyhow::anyhow;

use super::command_error::CommandError;
use crate::config::{Config, Problem};
use crate::run::{store_of_command, store_of_reading_command};
use crate::store::{FiguresReader, OpenError, Reader, StoreAddress};

/// Reader of a command that only reads, and so has no secrets.
pub(super) fn reader(config: &Config) -> Result<Reader, CommandError> {
    open(store_of_reading_command(config)?, config, Reader::open)
}

/// Reader of figures for a command that only reads, and so has no secrets.
pub(super) fn figures_reader(config: &Config) -> Result<FiguresReader, CommandError> {
    open(store_of_reading_command(config)?, config, FiguresReader::open)
}

/// Reader of a command that takes secrets.
pub(super) fn reader_with_password(config: &Config) -> Result<Reader, CommandError> {
    open(store_with_password(config)?, config, Reader::open)
}

/// Reader of figures for a command that takes secrets.
pub(super) fn figures_reader_with_password(config: &Config) -> Result<FiguresReader, CommandError> {
    open(store_with_password(config)?, config, FiguresReader::open)
}

/// Reader of a command that takes secrets. `None` if there is no store yet.
pub(super) fn existing_store(config: &Config) -> Result<Option<Reader>, CommandError> {
    open(store_with_password(config)?, config, |address| match Reader::open(address) {
        Err(OpenError::Missing { .. } | OpenError::NoSchema { .. }) => Ok(None),
        opened => opened.map(Some),
    })
}

/// Address with the password, if it can be read here. If not, only the running daemon has it, and the command asks the daemon
/// for its work. Then what a command without secrets may read is enough.
pub(super) fn store_with_password(config: &Config) -> Result<StoreAddress, Problem> {
    store_of_command(config).or_else(|_| store_of_reading_command(config))
}

fn open<T>(
    address: StoreAddress,
    config: &Config,
    open: impl FnOnce(StoreAddress) -> Result<T, OpenError>,
) -> Result<T, CommandError> {
    open(address).map_err(|error| {
        let is_about_password =
            matches!(&error, OpenError::Server { reason, .. } if reason.contains("password"));
        CommandError::Failed(if is_about_password && config.store.password.is_some() {
            anyhow!(
                "{error}. Commands that only read take no secrets from the configuration: put the password into \
                 PostgreSQL's password file (~/.pgpass, or the file in $PGPASSFILE)"
            )
        } else {
            error.into()
        })
    })
}
