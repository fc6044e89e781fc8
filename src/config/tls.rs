//! `server.tls`: TLS of the public listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::host::HostName;
use super::value;

/// Folder in which systemd provides credentials to services.
const CREDENTIALS: &str = "/run/credentials";

/// `server.tls`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// PEM file with the certificate, and the ones between it and its root.
    #[serde(deserialize_with = "value::pem_path")]
    pub certificate: PathBuf,
    /// PEM file with the private key.
    #[serde(deserialize_with = "value::pem_path")]
    pub key: PathBuf,
    /// PEM file with the roots of client certificates. `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
    /// Names that a client certificate may have. Empty: any name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_names: Vec<HostName>,
}

impl TlsSection {
    /// The files, with their keys.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let client_ca = self.client_ca.iter().map(|file| ("server.tls.client_ca", file.as_path()));
        [("server.tls.certificate", self.certificate.as_path()), ("server.tls.key", self.key.as_path())]
            .into_iter()
            .chain(client_ca)
    }

    /// Turns the paths of credentials that systemd provides to a running service into the files of the same names in
    /// `folder`.
    pub(super) fn load_credentials(&mut self, folder: &Path) {
        for file in self.files_mut().filter(|file| file.starts_with(CREDENTIALS)) {
            if let Some(name) = file.file_name() {
                *file = folder.join(name);
            }
        }
    }

    fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.certificate, &mut self.key].into_iter().chain(&mut self.client_ca)
    }

    /// Makes relative paths start at `folder`.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for file in self.files_mut() {
            *file = folder.join(&*file);
        }
    }

    /// Checks that names are only given together with a root.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.client_ca.is_none() && !self.client_names.is_empty() {
            findings.about(
                "server.tls",
                "has client_names but no client_ca, so no client certificate is checked: add client_ca, or remove \
                 client_names",
            );
        }
    }

    /// Warns if every certificate of a root is accepted.
    pub(super) fn warn(&self, findings: &mut Findings<'_>) {
        if self.client_ca.is_some() && self.client_names.is_empty() {
            findings.about(
                "server.tls",
                "has client_ca without client_names: every client with a certificate of this CA may connect. PagerDuty's \
                 certificates have the name webhooks.pagerduty.com (EU: webhooks.eu.pagerduty.com)",
            );
        }
    }
}
