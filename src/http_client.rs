//! The HTTP client that backends and commands use.

use std::error::Error;
use std::time::Duration;

use reqwest::Url;

/// Reason why an HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The machine has no CA certificates, and https needs some.
    #[error(
        "no CA certificates found on this machine, and https needs some: install the package ca-certificates, \
         or set SSL_CERT_FILE to a file of trusted certificates"
    )]
    NoCertificates,
    /// Any other error, with its causes.
    #[error("the HTTP client cannot be set up: {0}")]
    Other(String),
}

/// A client for requests to `url`: it follows no redirect, uses no proxy, and gives up after `timeout`.
///
/// Only https needs the CA certificates of the machine. Slim containers have none, and http works there.
pub(crate) fn client(timeout: Duration, url: &Url) -> Result<reqwest::Client, ClientError> {
    // Fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(concat!("pagerduty-dora/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        // With a list of its own, here an empty one, the client does not load the machine's certificates.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| setup_error(&error))
}

fn setup_error(error: &reqwest::Error) -> ClientError {
    // rustls-platform-verifier has no type for this error, only a text: "No CA certificates were loaded from the
    // system".
    let message = words(error);
    if message.contains("CA certificates") {
        ClientError::NoCertificates
    } else {
        ClientError::Other(message)
    }
}

/// Message of an error and of all its causes.
pub(crate) fn words(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}
