//! Any receiver: the failure as JSON, signed as Standard Webhooks say.
//!
//! `webhook-id` is the failure's id and revision, the same on every attempt. A failure that does not count says so
//! in its `state`, so nothing has to be deleted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use sha2::Sha256;

use super::answer;
use super::body::json;
use super::credentials::Credentials;
use super::probe::Probing;
use super::probe_request::only_connect;
use super::protocol::{Attempt, Protocol, Sending};
use super::setup::{SetupError, fetch};
use crate::config;
use crate::domain::failure::{Evaluated, Failure, FailureState, Flag};
use crate::domain::forwarding::{Action, PreparedRequest, RevisionContext};
use crate::domain::id::FailureId;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

/// A `[[backend]]` of kind `http`.
pub(super) struct Http {
    url: reqwest::Url,
    signing_key: Option<SecretSlice<u8>>,
    client: reqwest::Client,
    outgoing: Outgoing,
}

impl Http {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        let secret = fetch("signing_secret", entry.signing_secret.as_ref())?;
        Ok(Self {
            url: entry.url.get(),
            signing_key: secret.map(|secret| key(secret.expose_secret())).transpose()?,
            client: outgoing.client(entry.timeout.get(), &entry.url.get())?,
            outgoing: outgoing.clone(),
        })
    }
}

fn key(secret: &str) -> Result<SecretSlice<u8>, SetupError> {
    config::signing_key(secret).map(SecretSlice::from).ok_or(SetupError::NotASigningSecret)
}

/// Value of `webhook-signature`, over the id, the Unix time in seconds and the body.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn signature(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// A failure as receivers get it. The API and the store have forms of their own.
#[derive(Serialize)]
struct FailureBody<'a> {
    id: &'a FailureId,
    source: &'a SourceName,
    incident: Option<&'a str>,
    number: Option<i64>,
    title: Option<&'a str>,
    url: Option<&'a str>,
    state: FailureState,
    reason: Option<&'a str>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    time_to_restore_seconds: Option<f64>,
    active_seconds: Option<f64>,
    acknowledged_at: Option<Timestamp>,
    reopened: usize,
    merged: &'a [String],
    merged_into: Option<&'a str>,
    services: &'a [String],
    team: Option<&'a str>,
    env: &'a str,
    severity: Option<&'a str>,
    priority: Option<&'a str>,
    urgency: Option<&'a str>,
    attribution: &'a str,
    flags: &'a [Flag],
    deployment: Option<&'a str>,
    revision: i64,
}

impl<'a> FailureBody<'a> {
    fn of(failure: &'a Failure, revision: i64) -> Self {
        // Every field is named, so that a new one is sent or left out deliberately.
        let Failure {
            id,
            source,
            incident,
            number,
            title,
            url,
            state,
            reason,
            started_at,
            finished_at,
            time_to_restore_seconds,
            active_seconds,
            acknowledged_at,
            reopened,
            merged,
            merged_into,
            services,
            team,
            env,
            severity,
            priority,
            urgency,
            attribution,
            flags,
            deployment,
            deployment_version: _,
        } = failure;
        Self {
            id,
            source,
            incident: incident.as_deref(),
            number: *number,
            title: title.as_deref(),
            url: url.as_deref(),
            state: *state,
            reason: reason.as_deref(),
            started_at: *started_at,
            finished_at: *finished_at,
            time_to_restore_seconds: *time_to_restore_seconds,
            active_seconds: *active_seconds,
            acknowledged_at: *acknowledged_at,
            reopened: *reopened,
            merged,
            merged_into: merged_into.as_deref(),
            services,
            team: team.as_deref(),
            env,
            severity: severity.as_deref(),
            priority: priority.as_deref(),
            urgency: urgency.as_deref(),
            attribution,
            flags,
            deployment: deployment.as_deref(),
            revision,
        }
    }
}

impl Protocol for Http {
    fn prepare(
        &self,
        evaluated: &Evaluated,
        RevisionContext { revision, .. }: RevisionContext,
    ) -> PreparedRequest {
        PreparedRequest {
            action: Action::Replace,
            body: json(&FailureBody::of(&evaluated.failure, revision)),
        }
    }

    fn includes_cause(&self) -> bool {
        true
    }

    fn send(&self, Attempt { subject, revision, prepared, now, .. }: Attempt) -> Sending<'_> {
        let id = format!("{}:{revision}", subject.id());
        let seconds = now.as_seconds();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-timestamp", seconds);
        if let Some(key) = &self.signing_key {
            let signature = signature(key.expose_secret(), &id, seconds, &prepared.body);
            request = request.header("webhook-signature", signature);
        }
        let request = request.header("webhook-id", id).body(prepared.body);
        Box::pin(async move { answer::reply(request.send().await, now).await })
    }

    /// A receiver may act on any request, also on a GET.
    fn probe<'a>(&'a self, _: &'a Credentials) -> Probing<'a> {
        let untested = if self.signing_key.is_some() { "the signing_secret" } else { "failures" };
        Box::pin(only_connect(&self.outgoing, &self.url, untested))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    #[test]
    fn a_completed_failure_as_any_receiver_gets_it() {
        let Evaluated { failure, .. } = completed();
        insta::assert_snapshot!(serde_json::to_string_pretty(&FailureBody::of(&failure, 2)).unwrap());
    }

    /// Computed with Python's hmac and base64 from the same values.
    #[test]
    fn requests_are_signed_as_standard_webhooks_say() {
        let key = key("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").unwrap();
        assert_eq!(key.expose_secret(), b"0123456789abcdef01234567");
        let signature = signature(key.expose_secret(), "pagerduty:Q1:2", 1_793_527_200, b"{\"a\":1}");
        assert_eq!(signature, "v1,1mTtMPuKr9k/JCWX0V0EIDcowAbnoGE6lQxyxwTGq2Q=");
    }

    #[test]
    fn only_whsec_and_enough_base64_is_a_signing_secret() {
        for secret in ["", "whsec_", "MDEyMzQ1Njc4OWFiY2RlZg==", "whsec_?", "whsec_c2hvcnQ="] {
            assert!(key(secret).is_err(), "{secret}");
        }
    }
}
