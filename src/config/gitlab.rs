//! `[gitlab]`: webhooks of GitLab.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::value::RoutePath;

/// `[gitlab]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitLabSection {
    /// Route of the webhooks.
    pub path: RoutePath,
    /// Signing tokens (`whsec_…`, GitLab 19 and later). One that matches is enough.
    pub signing_secrets: Vec<Secret>,
    /// Secret tokens, for webhooks without a signature. Without both lists the webhooks are off.
    pub tokens: Vec<Secret>,
}

impl GitLabSection {
    /// `true` if webhooks are received.
    pub(super) fn is_on(&self) -> bool {
        !self.signing_secrets.is_empty() || !self.tokens.is_empty()
    }
}

impl Default for GitLabSection {
    fn default() -> Self {
        Self {
            path: RoutePath::from_static("/webhooks/gitlab"),
            signing_secrets: Vec::new(),
            tokens: Vec::new(),
        }
    }
}
