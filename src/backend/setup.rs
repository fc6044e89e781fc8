//! Secrets of a backend's entry, and the reasons why a backend cannot be set up.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{self, Secret};
use crate::http_client::ClientError;

/// Reason why a backend cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A secret cannot be read.
    #[error("{key}: {error}")]
    Secret {
        /// Its key in the configuration.
        key: &'static str,
        /// The reason.
        error: config::SecretError,
    },
    /// A secret that its kind needs is not configured.
    #[error("needs {0}")]
    Missing(&'static str),
    /// A secret cannot be sent.
    #[error("{0} contains characters that an HTTP header cannot have")]
    NotAHeader(&'static str),
    /// The signing secret has the wrong form.
    #[error("signing_secret must be whsec_ and at least 16 bytes in base64 (Standard Webhooks)")]
    NotASigningSecret,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The secret under `key`. `None` if it is not configured.
pub(super) fn fetch(key: &'static str, secret: Option<&Secret>) -> Result<Option<SecretString>, SetupError> {
    secret.map(|secret| secret.fetch(1).map_err(|error| SetupError::Secret { key, error })).transpose()
}

/// The secret as the value of a header, after `scheme`. The value is never shown.
pub(super) fn header(
    key: &'static str,
    scheme: &str,
    secret: Option<&Secret>,
) -> Result<Option<HeaderValue>, SetupError> {
    let Some(secret) = fetch(key, secret)? else { return Ok(None) };
    let mut value = HeaderValue::from_str(&format!("{scheme}{}", secret.expose_secret()))
        .map_err(|_| SetupError::NotAHeader(key))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
