//! PagerDuty: signatures and the payload of V3 webhooks, and the REST API.

mod custom_field;
mod event_type;
mod lenient_time;
mod name;
mod not_understood;
pub mod own_subscription;
pub mod payload;
pub mod reading;
mod refusal;
pub mod rest;
pub mod signature;

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderValue};

pub use self::not_understood::NotUnderstood;

use self::name::NAME;
use self::signature::{SIGNATURE_HEADER, SigningSecrets};
use super::Webhooks;
use crate::config::listener_secrets::{ListenerSecrets, PAGERDUTY_SECRETS};
use crate::config::{Config, UnverifiedPolicy};
use crate::domain::source::Source;

/// PagerDuty, with the functions that read its bodies.
pub static SOURCE: Source = Source {
    name: NAME,
    incidents_of: Some(NAME),
    title: "PagerDuty",
    heading: payload::heading_or_reason,
    parse: payload::stored,
};

/// PagerDuty's webhooks, as they are configured.
pub fn webhooks(config: &Config, secrets: &ListenerSecrets) -> Webhooks {
    let (config, secrets) = (&config.pagerduty, secrets.of(PAGERDUTY_SECRETS));
    Webhooks {
        source: &SOURCE,
        path: config.path.as_str().to_owned(),
        delivery_id_header: "x-webhook-id",
        retry_unverified: config.unverified == UnverifiedPolicy::Retry,
        verifier: Box::new(SigningSecrets::new(secrets)),
        recognizes,
        refusal_text: refusal::refusal_text,
        resend_sentence: "PagerDuty sends it again for 48 hours",
        is_read_from_api: false,
        advice_after_test: |_| None,
    }
}

/// Beginning of the user agent of PagerDuty's webhooks, in lower case. This program's own name begins alike.
const USER_AGENT_OF_WEBHOOKS: &[u8] = b"pagerduty-webhook";

/// `true` if a request looks like PagerDuty's: it is signed, or names PagerDuty's webhooks as its user agent.
fn recognizes(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    headers.contains_key(SIGNATURE_HEADER)
        || agent.is_some_and(|agent| agent.to_ascii_lowercase().starts_with(USER_AGENT_OF_WEBHOOKS))
}
