//! Any receiver: the failure as the API's JSON has it, signed as Standard Webhooks say.
//!
//! `webhook-id` is the failure's id and revision, the same on every attempt. What does not count (any more) says so by
//! its `state`, so nothing has to be deleted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use sha2::Sha256;

use super::answer;
use super::protocol::{Attempt, Protocol, Sending, SetupError, fetch};
use crate::config;
use crate::domain::failure::{Evaluated, Failure};
use crate::domain::forwarding::{Action, Frozen, Telling};
use crate::http_client;

/// Prefix of a signing secret.
const PREFIX: &str = "whsec_";
/// Shorter ones can be guessed.
const SHORTEST_KEY_BYTES: usize = 16;

/// A `[[backend]]` of kind `http`.
pub(super) struct Http {
    url: reqwest::Url,
    signing_key: Option<SecretSlice<u8>>,
    client: reqwest::Client,
}

impl Http {
    pub(super) fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let secret = fetch("signing_secret", entry.signing_secret.as_ref())?;
        Ok(Self {
            url: entry.url.get(),
            signing_key: secret.map(|secret| key(secret.expose_secret())).transpose()?,
            client: http_client::client(entry.timeout.get(), &entry.url.get())?,
        })
    }
}

fn key(secret: &str) -> Result<SecretSlice<u8>, SetupError> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(SetupError::NotASigningSecret)?;
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| SetupError::NotASigningSecret)?;
    if bytes.len() < SHORTEST_KEY_BYTES {
        return Err(SetupError::NotASigningSecret);
    }
    Ok(bytes.into())
}

/// `webhook-signature` over the id, the Unix time in seconds and the body.
fn signature(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

/// The failure, with its revision.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    failure: &'a Failure,
    revision: i64,
}

impl Protocol for Http {
    fn freeze(&self, evaluated: &Evaluated, Telling { revision, .. }: Telling) -> Frozen {
        let body = Body { failure: &evaluated.failure, revision };
        Frozen { action: Action::Replace, body: serde_json::to_vec(&body).unwrap_or_default() }
    }

    fn shows_links(&self) -> bool {
        true
    }

    fn send(&self, Attempt { subject, revision, frozen, now, .. }: Attempt) -> Sending<'_> {
        let id = format!("{}:{revision}", subject.id());
        let seconds = now.as_seconds();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-timestamp", seconds);
        if let Some(key) = &self.signing_key
            && let Some(signature) = signature(key.expose_secret(), &id, seconds, &frozen.body)
        {
            request = request.header("webhook-signature", signature);
        }
        let request = request.header("webhook-id", id).body(frozen.body);
        Box::pin(async move { answer::reply(request.send().await, now).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    #[test]
    fn a_completed_failure_as_any_receiver_gets_it() {
        let Evaluated { failure, .. } = completed();
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&Body { failure: &failure, revision: 2 }).unwrap()
        );
    }

    /// Computed with Python's hmac and base64 from the same values.
    #[test]
    fn it_is_signed_as_standard_webhooks_say() {
        let key = key("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").unwrap();
        assert_eq!(key.expose_secret(), b"0123456789abcdef01234567");
        let signature = signature(key.expose_secret(), "pagerduty:Q1:2", 1_793_527_200, b"{\"a\":1}");
        assert_eq!(signature.unwrap(), "v1,1mTtMPuKr9k/JCWX0V0EIDcowAbnoGE6lQxyxwTGq2Q=");
    }

    #[test]
    fn only_whsec_and_enough_base64_is_a_signing_secret() {
        for secret in ["", "whsec_", "MDEyMzQ1Njc4OWFiY2RlZg==", "whsec_?", "whsec_c2hvcnQ="] {
            assert!(key(secret).is_err(), "{secret}");
        }
    }
}
