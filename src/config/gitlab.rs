//! `[gitlab]`: webhooks of GitLab, and its REST API.

use serde::{Deserialize, Serialize};

use super::gitlab_url::GitLabUrl;
use super::secret::Secret;
use super::value::{ReconcileEvery, RoutePath};

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
    /// Address of the GitLab.
    pub url: GitLabUrl,
    /// Token of the API. `None`: the API is not used, and lost webhooks are not repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Time between two readings of the API.
    pub poll: ReconcileEvery,
}

impl GitLabSection {
    /// `true` if deployments come in: by webhooks, or from the API.
    pub(super) fn is_on(&self) -> bool {
        self.has_webhooks() || self.token.is_some()
    }

    /// `true` if webhooks are received.
    pub(super) fn has_webhooks(&self) -> bool {
        !self.signing_secrets.is_empty() || !self.tokens.is_empty()
    }
}

impl Default for GitLabSection {
    fn default() -> Self {
        Self {
            path: RoutePath::from_static("/webhooks/gitlab"),
            signing_secrets: Vec::new(),
            tokens: Vec::new(),
            url: GitLabUrl::default(),
            token: None,
            poll: ReconcileEvery::default(),
        }
    }
}
