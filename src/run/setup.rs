//! Everything that a configuration gives before anything runs.

use std::sync::Arc;

use super::secrets::{WithSecrets, fetch};
use crate::backend::Backend;
use crate::catalog;
use crate::config::changes::SecretValues;
use crate::config::listener_secrets::ListenerSecrets;
use crate::config::{Config, Problem, Problems};
use crate::domain::forwarding::{Destination, Destinations};
use crate::domain::policy::Policy;
use crate::http::Tls;
use crate::sources::pagerduty::rest::RestClient;

/// A configuration with its secrets, catalog and backends.
pub(super) struct Setup {
    pub(super) config: Config,
    /// Values of all secrets, to find out which have changed.
    pub(super) secret_values: SecretValues,
    /// Secrets of the public listener.
    pub(super) secrets: ListenerSecrets,
    pub(super) backends: Vec<Arc<Backend>>,
    /// Client of PagerDuty's REST API, if it is configured.
    pub(super) pagerduty: Option<RestClient>,
    pub(super) policy: Arc<Policy>,
    /// TLS of the public listener, if it is configured.
    pub(super) tls: Option<Tls>,
}

impl Setup {
    /// Fetches the secrets and certificates, sets up the backends, and reads the catalog.
    ///
    /// # Errors
    /// All mistakes in the secrets, certificates and backends, or else in the catalog.
    pub(super) fn of(config: Config) -> Result<Self, Problems> {
        // Fetched first: if a secret changes in this moment, the next reload finds the change.
        let secret_values = SecretValues::of(&config);
        let WithSecrets { secrets, backends, pagerduty, tls } = fetch(&config)?;
        let policy = Arc::new(policy(&config)?);
        Ok(Self { config, secret_values, secrets, backends, pagerduty, policy, tls })
    }

    /// Names of the backends.
    pub(super) fn backend_names(&self) -> impl Iterator<Item = String> {
        self.backends.iter().map(|backend| backend.name().to_owned())
    }

    /// The backends, as the store sees them.
    pub(super) fn destinations(&self) -> Destinations {
        self.backends.iter().map(|backend| Arc::clone(backend) as Arc<dyn Destination>).collect()
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
