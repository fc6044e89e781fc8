//! GitLab: signatures, tokens, the payload of the Deployment Hook, and its REST API.

mod lenient_time;
mod not_understood;
pub mod payload;
pub mod reading;
mod refusal;
pub mod rest;
pub mod signature;

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

pub use self::not_understood::NotUnderstood;

use self::payload::NAME;
use self::signature::{SIGNATURE_HEADER, Secrets, TOKEN_HEADER};
use super::Webhooks;
use crate::config::Config;
use crate::config::listener_secrets::{GITLAB_SECRETS, GITLAB_TOKENS, ListenerSecrets};
use crate::domain::source::Source;

/// GitLab, with the functions that read its bodies.
pub static SOURCE: Source = Source {
    name: NAME,
    incidents_of: None,
    title: "GitLab",
    heading: payload::heading_or_reason,
    parse: payload::stored,
};

/// End of messages about a webhook that was answered 503, without a token.
const NOT_RESENT: &str =
    "GitLab does not send it again by itself: resend it under Recent events of the webhook's settings";
/// End of these messages, with a token.
const READ_FROM_API: &str =
    "GitLab does not send it again by itself: its deployment is read from GitLab's API";

/// GitLab's webhooks, as they are configured. `None` if they are off.
pub fn webhooks(config: &Config, secrets: &ListenerSecrets) -> Option<Webhooks> {
    let section = config.gitlab.as_ref()?;
    let (signing, tokens) = (secrets.of(GITLAB_SECRETS), secrets.of(GITLAB_TOKENS));
    (!signing.is_empty() || !tokens.is_empty()).then(|| Webhooks {
        source: &SOURCE,
        path: section.path.as_str().to_owned(),
        delivery_id_header: "x-gitlab-event-uuid",
        retry_unverified: false,
        verifier: Box::new(Secrets::new(signing, tokens)),
        recognizes,
        refusal_text: refusal::refusal_text,
        resend_sentence: if section.token.is_some() { READ_FROM_API } else { NOT_RESENT },
        is_read_from_api: section.token.is_some(),
        advice_after_test: |_| None,
    })
}

/// `true` if a request looks like GitLab's.
pub(super) fn recognizes(headers: &HeaderMap) -> bool {
    let is_gitlab = |agent: &str| agent.starts_with("GitLab/");
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    headers.contains_key("x-gitlab-event")
        || headers.contains_key(TOKEN_HEADER)
        || (headers.contains_key(SIGNATURE_HEADER) && agent.is_some_and(is_gitlab))
}
