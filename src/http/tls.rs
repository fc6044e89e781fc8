//! TLS of the public listener.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
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
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::config::{HostName, TlsSection, check_regular_file};
use crate::domain::timestamp::Timestamp;
use crate::http_client::NO_CERTIFICATE;

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
    /// Description of the mistake.
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

/// Word in the PEM form of an encrypted key.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or used, or the key does not belong to the certificate.
    pub fn load(section: &TlsSection) -> Result<Self, TlsError> {
        let chain = certificates(CERTIFICATE, &section.certificate)?;
        let expires_at = expiry(&chain).map_err(|error| {
            TlsError::new(CERTIFICATE, format!("{}: {error}", section.certificate.display()))
        })?;
        let file = section.key.display();
        let key = private_key(&section.key)?;
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::new(CERTIFICATE, error))?;
        let clients = match &section.client_ca {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(file) => Arc::new(NamedClients::new(file, section.client_names.clone(), &provider)?),
        };
        let builder = builder.with_client_cert_verifier(clients);
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::new(
                KEY,
                format!(
                    "{file} does not fit the certificate in {}: put a certificate and its own key in place",
                    section.certificate.display()
                ),
            ),
            error => TlsError::new(
                KEY,
                format!("{file} cannot be used: RSA keys from 2048 bits, P-256, P-384 and Ed25519 are supported ({error})"),
            ),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), expires_at })
    }
}

/// The private key of a PEM file.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |error: &dyn fmt::Display| {
        TlsError::new(KEY, format!("cannot read a private key from {}: {error}", file.display()))
    };
    let text =
        check_regular_file(file).and_then(|()| std::fs::read(file)).map_err(|error| unreadable(&error))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let is_encrypted = text.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED);
        if is_encrypted {
            unreadable(&"it is encrypted. Remove the password: openssl pkey -in FILE -out FILE2")
        } else {
            unreadable(&error)
        }
    })
}

/// All certificates of a PEM file. At least one is needed.
fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error: &dyn fmt::Display| {
        TlsError::new(key, format!("cannot read certificates from {}: {error}", file.display()))
    };
    let text =
        check_regular_file(file).and_then(|()| std::fs::read(file)).map_err(|error| unreadable(&error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| unreadable(&error))?;
    if found.is_empty() {
        return Err(unreadable(&NO_CERTIFICATE));
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
    let earliest = ends.into_iter().min().ok_or("there is no certificate")?;
    Ok(Timestamp::from_nanos(i64::try_from(earliest.as_nanos()).unwrap_or(i64::MAX)))
}

/// Accepts clients whose certificate has a known root and one of these names.
#[derive(Debug)]
struct NamedClients {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Verifies certificates that may only be used by servers. Public authorities issue no others any more, so PagerDuty
    /// will have one, too.
    of_servers: Arc<dyn ServerCertVerifier>,
    /// Empty: any name.
    names: Vec<HostName>,
}

impl NamedClients {
    fn new(client_ca: &Path, names: Vec<HostName>, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let wrong =
            |error: &dyn fmt::Display| TlsError::new(CLIENT_CA, format!("{}: {error}", client_ca.display()));
        let mut roots = RootCertStore::empty();
        for root in certificates(CLIENT_CA, client_ca)? {
            roots.add(root).map_err(|error| wrong(&error))?;
        }
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
        let of_servers = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        Ok(Self {
            verifier: verifier.build().map_err(|error| wrong(&error))?,
            of_servers: of_servers.build().map_err(|error| wrong(&error))?,
            names,
        })
    }

    /// `true` for a certificate of a server with one of the names.
    fn allow_server(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        self.names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok()).any(|name| {
            self.of_servers.verify_server_cert(certificate, intermediates, &name, &[], now).is_ok()
        })
    }

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
        // The three usual forms of a text, UTF8String, PrintableString and IA5String, are all UTF-8.
        std::str::from_utf8(attribute.value.value()).ok().map(str::to_owned)
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
        match self.verifier.verify_client_cert(certificate, intermediates, now) {
            Ok(verified) if self.allow(certificate) => Ok(verified),
            Ok(_) => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
            Err(_) if self.allow_server(certificate, intermediates, now) => {
                Ok(ClientCertVerified::assertion())
            }
            Err(error) => Err(error),
        }
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
