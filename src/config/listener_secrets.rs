//! Secrets of the public listener: the signing secrets of each source, and the keys of the event API.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::problem::Problem;
use super::{Config, Secret};

/// Minimum length of a signing secret. A shorter one could be guessed.
const SHORTEST_SIGNING_SECRET_BYTES: usize = 16;

/// Dotted configuration key of PagerDuty's signing secrets.
pub const PAGERDUTY_SECRETS: &str = "pagerduty.signing_secrets";
/// Dotted configuration key of the event API's keys.
pub const EVENTS_API_KEYS: &str = "events_api.keys";

/// List of secrets under one key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretList<'a> {
    /// Dotted key in the configuration.
    pub(crate) key: &'static str,
    /// The secrets.
    pub(crate) secrets: &'a [Secret],
    /// Shortest allowed length of each.
    pub(crate) min_bytes: usize,
    /// `true` if the daemon cannot start with an empty list.
    is_needed: bool,
}

impl SecretList<'_> {
    /// Message if the list is empty and must not be.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        (self.is_needed && self.secrets.is_empty()).then_some("at least one is needed")
    }
}

/// Values of the secrets of the public listener, by their keys.
#[derive(Debug, Default)]
pub struct ListenerSecrets(BTreeMap<&'static str, Vec<SecretString>>);

impl ListenerSecrets {
    /// The secrets under this key.
    pub fn of(&self, key: &str) -> &[SecretString] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

impl Config {
    /// Each list of secrets of the public listener. A new source adds its list here.
    pub(crate) fn secret_lists(&self) -> [SecretList<'_>; 2] {
        [
            SecretList {
                key: PAGERDUTY_SECRETS,
                secrets: &self.pagerduty.signing_secrets,
                min_bytes: SHORTEST_SIGNING_SECRET_BYTES,
                is_needed: true,
            },
            SecretList {
                key: EVENTS_API_KEYS,
                secrets: &self.events_api.keys,
                min_bytes: 1,
                is_needed: false,
            },
        ]
    }

    /// The same secrets as mutable references. A new source adds its list here.
    pub(super) fn listener_secrets_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        self.pagerduty.signing_secrets.iter_mut().chain(&mut self.events_api.keys)
    }

    /// Reads the secrets of the public listener from where the configuration says.
    ///
    /// # Errors
    /// A problem for each secret that cannot be read or used, and for each list that is empty and must not be.
    pub(crate) fn fetch_listener_secrets(&self) -> Result<ListenerSecrets, Vec<Problem>> {
        let (mut fetched, mut problems) = (ListenerSecrets::default(), Vec::new());
        for list in self.secret_lists() {
            let with_key = |problem: &dyn std::fmt::Display| Problem::with_key(list.key, problem);
            if let Some(missing) = list.missing().filter(|_| !self.is_refused(list.key)) {
                problems.push(with_key(&missing));
            }
            let values = fetched.0.entry(list.key).or_default();
            for secret in list.secrets {
                match secret.fetch(list.min_bytes) {
                    Ok(value) => values.push(value),
                    Err(error) => problems.push(with_key(&error)),
                }
            }
        }
        if problems.is_empty() {
            return Ok(fetched);
        }
        Err(problems.into_iter().map(|problem| self.locate(problem)).collect())
    }
}
