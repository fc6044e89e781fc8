//! Sources: the systems that send signed webhooks, and the APIs that tell of what was lost.
//!
//! A source is a module with a name and three functions. `verify` verifies the bytes of a request, `heading` parses the
//! fields that are needed to store the event, and `parse` parses the whole event. Sources know nothing of each other.

pub mod deployment_api;
pub mod github;
pub mod gitlab;
mod hmac_keys;
mod json_body;
mod kept_event;
mod lenient;
pub mod pagerduty;
mod text;
mod webhooks;

pub use json_body::NotJson;
pub use webhooks::{RefusalReason, RefusalText, SignatureError, Verified, Verify, Webhooks};

use axum::http::HeaderMap;

use crate::config::Config;
use crate::config::listener_secrets::ListenerSecrets;
use crate::domain::source::{Source, Sources};

/// Every source. Each event in the store is from one of these, even if that source is not configured any more.
pub const ALL: Sources = Sources::new(TABLE);

/// The order decides which of two sources counts that tell of the same deployment: the earlier one.
static TABLE: &[&Source] = &[
    &pagerduty::SOURCE,
    &pagerduty::reading::SOURCE,
    &github::SOURCE,
    &github::reading::SOURCE,
    &gitlab::SOURCE,
    &gitlab::reading::SOURCE,
];

/// Source whose webhooks may be off.
pub struct OptionalWebhooks {
    /// Name of the source, for people.
    pub title: &'static str,
    /// `true` if the headers look like those of the source.
    pub recognizes: fn(&HeaderMap) -> bool,
    /// Configuration without which the webhooks are off.
    pub keys: &'static str,
}

/// The sources whose webhooks are off without secrets.
pub const OPTIONAL: [OptionalWebhooks; 2] = [
    OptionalWebhooks {
        title: github::SOURCE.title,
        recognizes: github::recognizes,
        keys: "[github] signing_secrets",
    },
    OptionalWebhooks {
        title: gitlab::SOURCE.title,
        recognizes: gitlab::recognizes,
        keys: "[gitlab] signing_secrets or tokens",
    },
];

/// Webhooks of every source that is configured.
pub fn webhooks(config: &Config, secrets: &ListenerSecrets) -> Vec<Webhooks> {
    let of_deployments = [github::webhooks(config, secrets), gitlab::webhooks(config, secrets)];
    std::iter::once(pagerduty::webhooks(config, secrets))
        .chain(of_deployments.into_iter().flatten())
        .collect()
}
