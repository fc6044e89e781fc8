//! Secrets of the public listener: the signing secrets of each source, and the keys of the event API.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::problem::Problem;
use super::signing_token::signing_key;
use super::{Config, Secret, SecretError};

/// Minimum length of a signing secret. A shorter one could be guessed.
const SHORTEST_SIGNING_SECRET_BYTES: usize = 16;

/// Dotted configuration key of PagerDuty's signing secrets.
pub const PAGERDUTY_SECRETS: &str = "pagerduty.signing_secrets";
/// Dotted configuration key of GitHub's signing secrets.
pub const GITHUB_SECRETS: &str = "github.signing_secrets";
/// Dotted configuration key of GitLab's signing tokens.
pub const GITLAB_SECRETS: &str = "gitlab.signing_secrets";
/// Dotted configuration key of GitLab's secret tokens.
pub const GITLAB_TOKENS: &str = "gitlab.tokens";
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
    min_bytes: usize,
    /// `true` if each is a signing token of Standard Webhooks.
    are_signing_tokens: bool,
    /// `true` if the daemon cannot start with an empty list.
    is_needed: bool,
}

impl SecretList<'_> {
    /// Fetches one of the secrets.
    ///
    /// # Errors
    /// The secret cannot be fetched or used.
    pub(crate) fn fetch(&self, secret: &Secret) -> Result<SecretString, SecretError> {
        let value = secret.fetch(self.min_bytes)?;
        if self.are_signing_tokens && signing_key(value.expose_secret()).is_none() {
            return Err(SecretError::NotASigningToken(secret.to_string()));
        }
        Ok(value)
    }

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
    pub(crate) fn secret_lists(&self) -> [SecretList<'_>; 5] {
        fn optional<'a>(
            key: &'static str,
            secrets: Option<&'a Vec<Secret>>,
            min_bytes: usize,
        ) -> SecretList<'a> {
            SecretList {
                key,
                secrets: secrets.map_or(&[][..], Vec::as_slice),
                min_bytes,
                are_signing_tokens: key == GITLAB_SECRETS,
                is_needed: false,
            }
        }
        let (github, gitlab) = (self.github.as_ref(), self.gitlab.as_ref());
        let signing = SHORTEST_SIGNING_SECRET_BYTES;
        [
            SecretList {
                is_needed: true,
                ..optional(PAGERDUTY_SECRETS, Some(&self.pagerduty.signing_secrets), signing)
            },
            optional(GITHUB_SECRETS, github.map(|section| &section.signing_secrets), signing),
            optional(GITLAB_SECRETS, gitlab.map(|section| &section.signing_secrets), signing),
            optional(GITLAB_TOKENS, gitlab.map(|section| &section.tokens), 1),
            optional(EVENTS_API_KEYS, Some(&self.events_api.keys), 1),
        ]
    }

    /// The same secrets as mutable references. A new source adds its list here.
    pub(super) fn listener_secrets_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        let github = self.github.iter_mut().flat_map(|section| &mut section.signing_secrets);
        let gitlab = self.gitlab.iter_mut();
        let gitlab = gitlab.flat_map(|section| section.signing_secrets.iter_mut().chain(&mut section.tokens));
        self.pagerduty.signing_secrets.iter_mut().chain(github).chain(gitlab).chain(&mut self.events_api.keys)
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
                match list.fetch(secret) {
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
