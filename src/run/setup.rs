//! Everything that a configuration gives before anything runs.

use std::sync::Arc;

use rustls::ServerConfig;

use super::fingerprint::of_configuration;
use super::secrets::{DeploymentApis, backends, deployment_apis, outgoing, rest_client, warn};
use super::store_address::store_of_daemon;
use super::tls::tls;
use crate::backend::Backend;
use crate::catalog;
use crate::config::changes::{Reloaded, UnshownValues};
use crate::config::listener_secrets::ListenerSecrets;
use crate::config::{Config, Problem, Problems};
use crate::domain::forwarding::{Destination, Destinations};
use crate::domain::policy::Policy;
use crate::http::Tls;
use crate::sources::pagerduty::rest::RestClient;
use crate::store::StoreAddress;

/// A configuration with its secrets, certificates, catalog and backends.
pub(super) struct Setup {
    pub(super) config: Config,
    /// Secrets of the public listener.
    pub(super) secrets: ListenerSecrets,
    pub(super) backends: Vec<Arc<Backend>>,
    /// Client of PagerDuty's REST API, if it is configured.
    pub(super) pagerduty: Option<RestClient>,
    /// Clients of the APIs that deployments are read from.
    pub(super) deployment_apis: DeploymentApis,
    pub(super) policy: Arc<Policy>,
    /// Address of the store.
    pub(super) store: StoreAddress,
    /// Fingerprint of the program's version and of what the configuration decides.
    pub(super) fingerprint: Arc<str>,
    /// TLS of the public listener, if it is configured.
    pub(super) tls: Option<Tls>,
    /// To find out which secrets have changed.
    unshown: UnshownValues,
}

impl Setup {
    /// Fetches the secrets and certificates, sets up the backends, and reads the catalog.
    ///
    /// # Errors
    /// All mistakes in the secrets, certificates and backends, or else in the catalog.
    pub(super) fn of(config: Config) -> Result<Self, Problems> {
        warn(&config);
        // Fetched first: if a secret changes in this moment, the next reload finds the change.
        let unshown = UnshownValues::of(&config);
        let outgoing = outgoing(&config)?;
        let (secrets, backends) = (config.fetch_listener_secrets(), backends(&config, &outgoing));
        let (pagerduty, apis) = (rest_client(&config, &outgoing), deployment_apis(&config, &outgoing));
        let (tls, store) = (tls(&config), store_of_daemon(&config));
        let (secrets, backends, pagerduty, deployment_apis, tls, store) =
            match (secrets, backends, pagerduty, apis, tls, store) {
                (Ok(secrets), Ok(backends), Ok(pagerduty), Ok(apis), Ok(tls), Ok(store)) => {
                    (secrets, backends, pagerduty, apis, tls, store)
                }
                (secrets, backends, pagerduty, apis, tls, store) => {
                    let of_lists = [secrets.err(), backends.err()].into_iter().flatten().flatten();
                    let of_apis = pagerduty.err().into_iter().chain(apis.err().into_iter().flatten());
                    let problems = of_lists.chain(of_apis).chain(tls.err()).chain(store.err());
                    return Err(Problems::from_all(problems.collect()));
                }
            };
        let policy = Arc::new(policy(&config)?);
        let fingerprint = of_configuration(&config, &policy)?;
        Ok(Self {
            config,
            secrets,
            backends,
            pagerduty,
            deployment_apis,
            policy,
            store,
            fingerprint,
            tls,
            unshown,
        })
    }

    /// Differences to a new configuration.
    ///
    /// # Errors
    /// A configuration cannot be written as TOML: a fault of this program.
    pub(super) fn changes(&self, new: &Self) -> Result<Reloaded, toml::ser::Error> {
        let mut reloaded = self.config.changes(&new.config, self.unshown.changes(&new.unshown))?;
        if new.policy.catalog != self.policy.catalog {
            reloaded.add("failure.catalog");
        }
        Ok(reloaded)
    }

    /// Takes over the running values that only a restart can change.
    pub(super) fn keep_until_restart(&mut self, running: &Self) {
        self.config.keep_until_restart(&running.config);
        self.unshown.keep_until_restart(&running.unshown);
        self.store.clone_from(&running.store);
    }

    /// Names of the backends.
    pub(super) fn backend_names(&self) -> impl Iterator<Item = String> {
        self.backends.iter().map(|backend| backend.name().to_owned())
    }

    /// The backends, as the store sees them.
    pub(super) fn destinations(&self) -> Destinations {
        self.backends.iter().map(|backend| Arc::clone(backend) as Arc<dyn Destination>).collect()
    }

    /// TLS of the public listener, for handshakes.
    pub(super) fn tls_config(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }
}

/// Policy from the configuration and the catalog. Logs the warnings of both.
fn policy(config: &Config) -> Result<Policy, Problem> {
    let loaded = catalog::load(config)?;
    for warning in config.warnings().iter().chain(&loaded.warnings) {
        tracing::warn!("configuration: {warning}");
    }
    Ok(Policy { catalog: loaded.catalog, ..config.policy() })
}
