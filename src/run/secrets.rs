//! The secrets that the configuration names. All are fetched before the store is opened, and all mistakes in them are
//! reported together.

use std::sync::Arc;

use crate::backend::{Backend, SetupError};
use crate::config::listener_secrets::ListenerSecrets;
use crate::config::{self, Config, PAGERDUTY_TOKEN, Problem, Problems, Secret};

/// The secrets of the public listener, and the backends with theirs.
///
/// # Errors
/// All mistakes in the secrets and backends.
pub(super) fn set_up(config: &Config) -> Result<(ListenerSecrets, Vec<Arc<Backend>>), Problems> {
    warn(config);
    match (config.fetch_listener_secrets(), backends(config), config.fetch_pagerduty_token()) {
        (Ok(secrets), Ok(backends), Ok(_)) => Ok((secrets, backends)),
        (secrets, backends, token) => {
            let of_lists = [secrets.err(), backends.err()].into_iter().flatten().flatten();
            Err(Problems::from_all(of_lists.chain(token.err()).collect()))
        }
    }
}

/// All mistakes in the secrets of a configuration. Its other mistakes are left out.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = config.fetch_listener_secrets().err().unwrap_or_default();
    problems.extend(config.fetch_pagerduty_token().err());
    for entry in &config.backend {
        let errors = backend(entry).err().unwrap_or_default();
        // The check of the configuration itself reports a missing secret.
        let of_secrets = errors.iter().filter(|error| !matches!(error, SetupError::Missing(_)));
        problems.extend(of_secrets.map(|error| config.problem_with_backend(entry, error)));
    }
    problems
}

/// The configured backends.
///
/// # Errors
/// All mistakes in their entries.
pub(super) fn backends(config: &Config) -> Result<Vec<Arc<Backend>>, Vec<Problem>> {
    let (mut set_up, mut problems) = (Vec::new(), Vec::new());
    for entry in &config.backend {
        match backend(entry) {
            Ok(backend) => set_up.push(Arc::new(backend)),
            Err(errors) => {
                problems.extend(errors.iter().map(|error| config.problem_with_backend(entry, error)));
            }
        }
    }
    if problems.is_empty() { Ok(set_up) } else { Err(problems) }
}

/// The backend of an entry.
///
/// # Errors
/// An error for each secret of the backend that cannot be fetched. If all can, the reason why the backend cannot be
/// set up.
pub(crate) fn backend(entry: &config::BackendSection) -> Result<Backend, Vec<SetupError>> {
    let not_fetched = |(key, secret): (&'static str, &Secret)| {
        Some(SetupError::Secret { key, error: secret.fetch(1).err()? })
    };
    let errors: Vec<SetupError> = entry.secrets().filter_map(not_fetched).collect();
    if errors.is_empty() { Backend::from_config(entry).map_err(|error| vec![error]) } else { Err(errors) }
}

/// Logs the warnings about the secrets.
fn warn(config: &Config) {
    for list in config.secret_lists() {
        for warning in list.secrets.iter().filter_map(Secret::warning) {
            tracing::warn!("{}: {warning}", list.key);
        }
    }
    if let Some(warning) = config.pagerduty.api.as_ref().and_then(|api| api.token.warning()) {
        tracing::warn!("{PAGERDUTY_TOKEN}: {warning}");
    }
    for entry in &config.backend {
        for (key, warning) in entry.secrets().filter_map(|(key, secret)| Some((key, secret.warning()?))) {
            tracing::warn!("backend {:?}: {key}: {warning}", entry.name.get_ref());
        }
    }
}
