//! The secrets that the configuration names. All are fetched before the daemon does anything else, and all mistakes in
//! them are reported together.

use std::sync::Arc;

use secrecy::SecretString;

use crate::backend::{Backend, SetupError};
use crate::config::{self, Config, Problem, Problems, Secret};

/// Least length of a signing secret. Shorter ones can be guessed.
pub(crate) const SHORTEST_SIGNING_SECRET_BYTES: usize = 16;

const SIGNING: &str = "pagerduty.signing_secrets";
const EVENTS_API: &str = "events_api.keys";

/// The secrets of the public listener.
pub(super) struct Secrets {
    pub(super) signing: Vec<SecretString>,
    pub(super) events_api: Vec<SecretString>,
}

/// The secrets of the public listener, and the backends with theirs.
///
/// # Errors
/// All mistakes in the secrets and backends.
pub(super) fn set_up(config: &Config) -> Result<(Secrets, Vec<Arc<Backend>>), Problems> {
    warn(config);
    match (Secrets::fetch(config), backends(config)) {
        (Ok(secrets), Ok(backends)) => Ok((secrets, backends)),
        (secrets, backends) => {
            let of_both = [secrets.err(), backends.err()].into_iter().flatten().flatten();
            Err(Problems::from_all(of_both.collect()))
        }
    }
}

/// All mistakes in the secrets of a configuration, also of one that has other mistakes.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Secrets::fetch(config).err().unwrap_or_default();
    for entry in &config.backend {
        let errors = backend(entry).err().unwrap_or_default();
        // A missing secret is a mistake of the configuration itself.
        let of_secrets = errors.iter().filter(|error| !matches!(error, SetupError::Missing(_)));
        problems.extend(of_secrets.map(|error| config.problem_with_backend(entry, error)));
    }
    problems
}

impl Secrets {
    fn fetch(config: &Config) -> Result<Self, Vec<Problem>> {
        let signing = &config.pagerduty.signing_secrets;
        if signing.is_empty() && !config.is_refused(SIGNING) {
            let missing = Problem::with_key(SIGNING, "at least one is needed");
            let mut problems = vec![config.locate(missing)];
            problems.extend(fetch(config, EVENTS_API, &config.events_api.keys, 1).err().unwrap_or_default());
            return Err(problems);
        }
        let signing = fetch(config, SIGNING, signing, SHORTEST_SIGNING_SECRET_BYTES);
        match (signing, fetch(config, EVENTS_API, &config.events_api.keys, 1)) {
            (Ok(signing), Ok(events_api)) => Ok(Self { signing, events_api }),
            (signing, events_api) => {
                Err([signing.err(), events_api.err()].into_iter().flatten().flatten().collect())
            }
        }
    }
}

fn fetch(
    config: &Config,
    key: &str,
    secrets: &[Secret],
    min_bytes: usize,
) -> Result<Vec<SecretString>, Vec<Problem>> {
    let (mut fetched, mut problems) = (Vec::new(), Vec::new());
    for secret in secrets {
        match secret.fetch(min_bytes) {
            Ok(secret) => fetched.push(secret),
            Err(error) => problems.push(config.locate(Problem::with_key(key, error))),
        }
    }
    if problems.is_empty() { Ok(fetched) } else { Err(problems) }
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
/// Each of its secrets that cannot be fetched, or else the reason why it cannot be set up.
pub(crate) fn backend(entry: &config::BackendSection) -> Result<Backend, Vec<SetupError>> {
    let not_fetched = |(key, secret): (&'static str, &Secret)| {
        Some(SetupError::Secret { key, error: secret.fetch(1).err()? })
    };
    let errors: Vec<SetupError> = entry.secrets().filter_map(not_fetched).collect();
    if errors.is_empty() { Backend::from_config(entry).map_err(|error| vec![error]) } else { Err(errors) }
}

/// Logs the warnings about the secrets.
fn warn(config: &Config) {
    let signing = config.pagerduty.signing_secrets.iter().map(|secret| (SIGNING, secret));
    let keys = config.events_api.keys.iter().map(|secret| (EVENTS_API, secret));
    for (key, warning) in signing.chain(keys).filter_map(|(key, secret)| Some((key, secret.warning()?))) {
        tracing::warn!("{key}: {warning}");
    }
    for entry in &config.backend {
        for (key, warning) in entry.secrets().filter_map(|(key, secret)| Some((key, secret.warning()?))) {
            tracing::warn!("backend {:?}: {key}: {warning}", entry.name.get_ref());
        }
    }
}
