//! GitHub: signatures and the payload of `deployment_status` webhooks, and its REST API.

mod form;
mod not_understood;
pub mod payload;
mod payload_values;
mod ping;
pub mod reading;
mod refusal;
pub mod rest;
pub mod signature;

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderValue};

pub use self::not_understood::NotUnderstood;

use self::payload::NAME;
use self::signature::{SIGNATURE_HEADER, SigningSecrets};
use super::Webhooks;
use crate::config::Config;
use crate::config::listener_secrets::{GITHUB_SECRETS, ListenerSecrets};
use crate::domain::source::Source;

/// GitHub, with the functions that read its bodies.
pub static SOURCE: Source = Source {
    name: NAME,
    incidents_of: None,
    title: "GitHub",
    heading: payload::heading_or_reason,
    parse: payload::stored,
};

/// End of messages about a webhook that was answered 503, without a token.
const NOT_RESENT: &str = "GitHub does not send it again by itself: redeliver it within 3 days, under Recent Deliveries of the \
    webhook's settings";
/// End of these messages, with a token.
const READ_FROM_API: &str =
    "GitHub does not send it again by itself: its deployment is read from GitHub's API";

/// GitHub's webhooks, as they are configured. `None` if they are off.
pub fn webhooks(config: &Config, secrets: &ListenerSecrets) -> Option<Webhooks> {
    let section = config.github.as_ref()?;
    let secrets = secrets.of(GITHUB_SECRETS);
    (!secrets.is_empty()).then(|| Webhooks {
        source: &SOURCE,
        path: section.path.as_str().to_owned(),
        delivery_id_header: "x-github-delivery",
        retry_unverified: false,
        verifier: Box::new(SigningSecrets::new(secrets)),
        recognizes,
        refusal_text: refusal::refusal_text,
        resend_sentence: if section.token.is_some() { READ_FROM_API } else { NOT_RESENT },
        is_read_from_api: section.token.is_some(),
        advice_after_test: ping::advice,
    })
}

/// Beginning of the user agent of GitHub's webhooks, in lower case.
const USER_AGENT_OF_WEBHOOKS: &[u8] = b"github-hookshot/";

/// `true` if a request looks like GitHub's.
pub(super) fn recognizes(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    headers.contains_key(SIGNATURE_HEADER)
        || headers.contains_key("x-github-event")
        || agent.is_some_and(|agent| agent.to_ascii_lowercase().starts_with(USER_AGENT_OF_WEBHOOKS))
}
