//! `server.tls`: TLS of the public listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::host::HostName;

/// `server.tls`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// PEM file with the certificate, and the ones between it and its root.
    pub certificate: PathBuf,
    /// PEM file with the private key.
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

    /// Makes relative paths start at `folder`.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for file in [&mut self.certificate, &mut self.key].into_iter().chain(&mut self.client_ca) {
            *file = folder.join(&*file);
        }
    }

    /// Checks that names are only given together with a root.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.client_ca.is_none() && !self.client_names.is_empty() {
            findings.about(
                "server.tls",
                "has client_names without client_ca: without the root of the client certificates no certificate is asked \
                 for, and no name is checked",
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
