//! The HTTP client that backends and commands use.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, ClientBuilder, Proxy, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower::BoxError;
use tower::util::MapResultLayer;

use crate::config::{OutgoingSection, check_regular_file};

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

/// Mistake in a file without a certificate.
pub(crate) const NO_CERTIFICATE: &str = "it has no section BEGIN CERTIFICATE. Convert a file in binary form (DER): openssl x509 -inform der -in FILE";

/// Proxy and trusted certificates for requests to backends and APIs (`[outgoing]`).
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `None`: requests go directly to their host.
    proxy: Option<Url>,
    /// Trusted besides the system's certificates.
    certificates: Vec<Certificate>,
}

impl Outgoing {
    /// Reads the file with certificates.
    ///
    /// # Errors
    /// Message about a file that cannot be read, or has no certificates (`outgoing.certificate_authority`).
    pub fn of(section: &OutgoingSection) -> Result<Self, String> {
        let read = |file: &PathBuf| {
            let wrong = |error: &dyn fmt::Display| {
                format!("cannot read certificates from {}: {error}", file.display())
            };
            let bytes =
                check_regular_file(file).and_then(|()| std::fs::read(file)).map_err(|error| wrong(&error))?;
            // reqwest finds out only later that a section is no certificate.
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                RootCertStore::empty().add(certificate).map_err(|error| wrong(&error))?;
            }
            let certificates = Certificate::from_pem_bundle(&bytes).map_err(|error| wrong(&words(&error)))?;
            if certificates.is_empty() {
                return Err(wrong(&NO_CERTIFICATE));
            }
            Ok(certificates)
        };
        let certificates = section.certificate_authority.as_ref().map(read).transpose()?.unwrap_or_default();
        Ok(Self { proxy: section.proxy.as_ref().map(|proxy| proxy.get().clone()), certificates })
    }

    /// A client for `url` with this proxy and these certificates. It follows no redirect, and gives up after `timeout`.
    pub(crate) fn client(&self, timeout: Duration, url: &Url) -> Result<reqwest::Client, ClientError> {
        self.builder(timeout, url)?.build().map_err(|error| setup_error(&error))
    }

    /// `true` if a connection for `url` shows only that the proxy can be reached: a proxy gets plain HTTP as a request.
    pub(crate) fn only_reaches_its_proxy(&self, url: &Url) -> bool {
        self.proxy.is_some() && url.scheme() == "http"
    }

    /// Connects to the host of `url` as [`Self::client`] does, with TLS where the URL says https, and sends nothing.
    pub(crate) async fn connect(&self, timeout: Duration, url: &Url) -> Result<(), ConnectError> {
        // The client treats the end of the connection as a failure to connect, and sends no request.
        let builder = self.builder(timeout, url)?.connector_layer(MapResultLayer::new(end_connection::<_>));
        let client = builder.build().map_err(|error| setup_error(&error))?;
        match client.get(url.clone()).send().await {
            Err(error) if !causes(&error).any(<dyn Error>::is::<Connected>) => {
                Err(ConnectError::Failed(error))
            }
            _ => Ok(()),
        }
    }

    fn builder(&self, timeout: Duration, url: &Url) -> Result<ClientBuilder, ClientError> {
        let is_plain = |url: &Url| url.scheme() == "http";
        let mut builder = builder(timeout);
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::all(proxy.clone()).map_err(|error| setup_error(&error))?);
        }
        if is_plain(url) && self.proxy.as_ref().is_none_or(is_plain) {
            return Ok(without_certificates(builder));
        }
        Ok(builder.tls_certs_merge(self.certificates.clone()))
    }
}

/// A client for requests to this machine: it uses no proxy.
pub(crate) fn client(timeout: Duration, url: &Url) -> Result<reqwest::Client, ClientError> {
    Outgoing::default().client(timeout, url)
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

/// Mark of a connection that [`Outgoing::connect`] wanted and closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection was only tried")]
struct Connected;

fn end_connection<C>(connected: Result<C, BoxError>) -> Result<C, BoxError> {
    connected.and_then(|_| Err(Connected.into()))
}

/// Only https needs the CA certificates of the machine. Slim containers have none, and http works there.
fn without_certificates(builder: ClientBuilder) -> ClientBuilder {
    // With a list of its own, here an empty one, the client does not load the machine's certificates.
    builder.tls_certs_only([])
}

fn builder(timeout: Duration) -> ClientBuilder {
    // Fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .user_agent(concat!("pagerduty-dora/", env!("CARGO_PKG_VERSION")))
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
