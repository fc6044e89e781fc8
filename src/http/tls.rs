//! TLS of the public listener.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio::sync::watch;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::config::{HostName, TlsSection};
use crate::domain::timestamp::Timestamp;

/// TLS of the connections that are accepted from now on. `None`: they are plain.
pub type CurrentTls = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Time before the end of a certificate's validity at which the warnings begin.
const WARN_BEFORE: Duration = Duration::from_hours(14 * 24);

/// `true` for a certificate that a person has to renew now.
pub fn expires_soon(expires_at: Timestamp, now: Timestamp) -> bool {
    now >= expires_at.saturating_sub(WARN_BEFORE)
}

/// Certificates and key of the public listener.
pub struct Tls {
    /// Configuration of the handshakes.
    pub config: Arc<ServerConfig>,
    /// End of the certificate's validity.
    pub expires_at: Timestamp,
}

/// Mistake in a file of `server.tls`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TlsError {
    /// Dotted key of the file.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl TlsError {
    fn new(key: &'static str, message: impl fmt::Display) -> Self {
        Self { key, message: message.to_string() }
    }
}

const CERTIFICATE: &str = "server.tls.certificate";
const KEY: &str = "server.tls.key";
const CLIENT_CA: &str = "server.tls.client_ca";

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or used, or the key does not belong to the certificate.
    pub fn load(section: &TlsSection) -> Result<Self, TlsError> {
        let chain = certificates(CERTIFICATE, &section.certificate)?;
        let expires_at = expiry(&chain).map_err(|error| TlsError::new(CERTIFICATE, error))?;
        let file = section.key.display();
        let key = PrivateKeyDer::from_pem_file(&section.key)
            .map_err(|error| TlsError::new(KEY, format!("cannot read a private key from {file}: {error}")))?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::new(CERTIFICATE, error))?;
        let builder = match &section.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(CLIENT_CA, file)? {
                    roots
                        .add(root)
                        .map_err(|error| TlsError::new(CLIENT_CA, format!("{}: {error}", file.display())))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| TlsError::new(CLIENT_CA, error))?;
                builder.with_client_cert_verifier(Arc::new(NamedClients {
                    verifier,
                    names: section.client_names.clone(),
                }))
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            TlsError::new(
                KEY,
                format!("{file} does not fit the certificate in {}: {error}", section.certificate.display()),
            )
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), expires_at })
    }
}

/// All certificates of a PEM file. At least one is needed.
fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error: &dyn fmt::Display| {
        TlsError::new(key, format!("cannot read certificates from {}: {error}", file.display()))
    };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
    if found.is_empty() {
        return Err(unreadable(&"no section BEGIN CERTIFICATE"));
    }
    Ok(found)
}

/// Earliest end of the validity of these certificates.
fn expiry(chain: &[CertificateDer<'_>]) -> Result<Timestamp, String> {
    let end = |certificate: &CertificateDer<'_>| {
        let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        Ok(parsed.tbs_certificate.validity.not_after.to_unix_duration())
    };
    let ends: Vec<Duration> = chain.iter().map(end).collect::<Result<_, String>>()?;
    let earliest = ends.into_iter().min().unwrap_or_default();
    Ok(Timestamp::from_nanos(i64::try_from(earliest.as_nanos()).unwrap_or(i64::MAX)))
}

/// Accepts clients whose certificate has a known root and one of these names.
#[derive(Debug)]
struct NamedClients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Empty: any name.
    names: Vec<HostName>,
}

impl NamedClients {
    fn allow(&self, certificate: &CertificateDer<'_>) -> bool {
        let is_allowed =
            |name: &String| self.names.iter().any(|allowed| allowed.as_str() == name.to_ascii_lowercase());
        self.names.is_empty() || names(certificate).iter().any(is_allowed)
    }
}

/// Common names and DNS names of a certificate.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(Certificate { tbs_certificate, .. }) = Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let attributes = tbs_certificate.subject.0.iter().flat_map(|set| set.0.iter());
    let common_names = attributes.filter(|attribute| attribute.oid == COMMON_NAME).filter_map(|attribute| {
        let value = &attribute.value;
        let text = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
        let text = text
            .or_else(|_| value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned()));
        text.or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned())).ok()
    });
    let alternatives = tbs_certificate.get::<SubjectAltName>().ok().flatten();
    let dns_names = alternatives.into_iter().flat_map(|(_, names)| names.0).filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    });
    common_names.chain(dns_names).collect()
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(certificate, intermediates, now)?;
        if self.allow(certificate) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidForName))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
