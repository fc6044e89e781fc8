//! The store without a daemon.

use std::sync::Arc;

use super::error::RunError;
use super::fingerprint::of_configuration;
use super::secrets::{backends, outgoing};
use super::store::{open_store, wait_for_writer};
use super::store_address::store_of_command;
use crate::config::{Config, Problems};
use crate::domain::forwarding::Destination;
use crate::domain::policy::Policy;
use crate::store::{OpenError, Reader, Store, StoreAddress};
use crate::telemetry::metrics::Metrics;

/// The store without a daemon, for commands that change the store while no daemon runs.
pub struct OfflineStore(Store);

impl OfflineStore {
    /// Opens the store. Backends are set up because changes put rows into the outbox. Nothing is sent.
    pub fn open(config: &Config, policy: &Arc<Policy>) -> Result<Self, RunError> {
        let address = store_of_command(config)?;
        refuse_missing(&address)?;
        let backends = backends(config, &outgoing(config)?).map_err(Problems::from_all)?;
        let metrics = Metrics::new(backends.iter().map(|backend| backend.name().to_owned()));
        let destinations = backends.into_iter().map(|backend| backend as Arc<dyn Destination>).collect();
        let fingerprint = of_configuration(config, policy)?;
        Ok(Self(open_store(address, (policy, destinations), (fingerprint, false), metrics)?))
    }

    /// The open store.
    pub fn store(&self) -> &Store {
        &self.0
    }

    /// Closes the store, and waits until everything is written.
    pub async fn close(self) -> Result<(), RunError> {
        let mut ended = self.0.ended();
        drop(self.0);
        wait_for_writer(&mut ended).await
    }
}

/// Fails if there is no store yet: only the daemon sets one up, so that a mistake in the address is noticed.
fn refuse_missing(address: &StoreAddress) -> Result<(), OpenError> {
    match address {
        StoreAddress::File(path) if path.exists() => Ok(()),
        StoreAddress::File(path) => Err(OpenError::Missing { path: path.clone() }),
        StoreAddress::Postgres(_) => Reader::open(address.primary()).map(drop),
    }
}
