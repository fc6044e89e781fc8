//! `[github]`: webhooks of GitHub, and its REST API.

use serde::{Deserialize, Serialize};

use super::github_api_url::GitHubApiUrl;
use super::secret::Secret;
use super::value::{ReconcileEvery, RoutePath};

/// `[github]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHubSection {
    /// Route of the webhooks.
    pub path: RoutePath,
    /// Secrets of webhook signatures. One that matches is enough. Without secrets the webhooks are off.
    pub signing_secrets: Vec<Secret>,
    /// Base of the API's addresses.
    pub url: GitHubApiUrl,
    /// Token of the API. `None`: the API is not used, and lost webhooks are not repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Time between two readings of the API.
    pub poll: ReconcileEvery,
}

impl GitHubSection {
    /// `true` if deployments come in: by webhooks, or from the API.
    pub(super) fn is_on(&self) -> bool {
        self.has_webhooks() || self.token.is_some()
    }

    /// `true` if webhooks are received.
    pub(super) fn has_webhooks(&self) -> bool {
        !self.signing_secrets.is_empty()
    }
}

impl Default for GitHubSection {
    fn default() -> Self {
        Self {
            path: RoutePath::from_static("/webhooks/github"),
            signing_secrets: Vec::new(),
            url: GitHubApiUrl::default(),
            token: None,
            poll: ReconcileEvery::default(),
        }
    }
}
