//! The HTTP client that backends and commands use.

use std::error::Error;
use std::time::Duration;

use reqwest::{ClientBuilder, Url};
use tower::BoxError;
use tower::util::MapResultLayer;

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
    builder(timeout, url).build().map_err(|error| setup_error(&error))
}

/// Connects to the host of `url` as [`client`] does, with TLS where the URL says https, and sends nothing.
pub(crate) async fn connect(timeout: Duration, url: &Url) -> Result<(), ConnectError> {
    // The client treats the end of the connection as a failure to connect, and sends no request.
    let builder = builder(timeout, url).connector_layer(MapResultLayer::new(end_connection::<_>));
    let client = builder.build().map_err(|error| setup_error(&error))?;
    match client.get(url.clone()).send().await {
        Err(error) if !causes(&error).any(<dyn Error>::is::<Connected>) => Err(ConnectError::Failed(error)),
        _ => Ok(()),
    }
}

/// Reason why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The connection failed.
    #[error(transparent)]
    Failed(reqwest::Error),
}

/// Mark of a connection that [`connect`] wanted and closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection was only tried")]
struct Connected;

fn end_connection<C>(connected: Result<C, BoxError>) -> Result<C, BoxError> {
    connected.and_then(|_| Err(Connected.into()))
}

fn builder(timeout: Duration, url: &Url) -> ClientBuilder {
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
    builder
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
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error and all its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
