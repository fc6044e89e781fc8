//! `[github]`: webhooks of GitHub.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::value::RoutePath;

/// `[github]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHubSection {
    /// Route of the webhooks.
    pub path: RoutePath,
    /// Secrets of webhook signatures. One that matches is enough. Without secrets the webhooks are off.
    pub signing_secrets: Vec<Secret>,
}

impl GitHubSection {
    /// `true` if webhooks are received.
    pub(super) fn is_on(&self) -> bool {
        !self.signing_secrets.is_empty()
    }
}

impl Default for GitHubSection {
    fn default() -> Self {
        Self { path: RoutePath::from_static("/webhooks/github"), signing_secrets: Vec::new() }
    }
}
