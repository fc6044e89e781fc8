//! The webhooks of one source, as the public listener receives them.

use std::fmt;
use strum::VariantArray as _;

use axum::http::HeaderMap;

use crate::domain::event::Heading;
use crate::domain::source::Source;

/// The webhooks of one source, as they are configured.
pub struct Webhooks {
    /// The source.
    pub source: &'static Source,
    /// Path that the webhooks are posted to.
    pub path: String,
    /// Header with the delivery id, which is the same on every attempt of the source.
    pub delivery_id_header: &'static str,
    /// `true` if a webhook that no secret verifies is answered 503, so that the source sends it again.
    pub retry_unverified: bool,
    /// Verifies requests with the secrets.
    pub verifier: Box<dyn Verify>,
    /// `true` if the headers look like those of the source, whatever path the request was sent to.
    pub recognizes: fn(&HeaderMap) -> bool,
    /// Texts about a refusal.
    pub refusal_text: fn(RefusalReason) -> RefusalText,
    /// Sentence without a full stop: how long the source resends a webhook that was answered 503.
    pub resend_sentence: &'static str,
    /// `true` if a token is configured, with which deployments are read from the source's API.
    pub is_read_from_api: bool,
    /// Advice about the set-up of the webhook that sent this test event. `None` if nothing is wrong with it.
    pub advice_after_test: fn(&[u8]) -> Option<String>,
}

impl Webhooks {
    /// Verifies a body by the headers of its request. Nothing is parsed from the body before this.
    pub fn verify<T: AsRef<[u8]>>(
        &self,
        headers: &HeaderMap,
        body: T,
    ) -> Result<Verified<T>, SignatureError> {
        self.verifier.verify(headers, body.as_ref())?;
        Ok(Verified(body))
    }

    /// Parses the fields of a verified body that are needed to store the event. The error says why the body was not
    /// understood.
    pub fn heading<T: AsRef<[u8]>>(&self, body: &Verified<T>) -> Result<Heading, String> {
        self.source.storable_heading(body.0.as_ref())
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("source", &self.source.name)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Verification of requests with the secrets of a source.
pub trait Verify: Send + Sync {
    /// Verifies the bytes of a request.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError>;
}

/// Value whose bytes were verified. Only [`Webhooks::verify`] makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

/// Reason why a request could not be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// There is no signature.
    Missing,
    /// There is no signature, because the sender uses a version of webhooks that has none.
    Legacy,
    /// The header for signatures has no well-formed signature.
    Malformed,
    /// None of the signatures was made with one of our secrets.
    Mismatch,
}

/// Reason why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RefusalReason {
    /// There is no signature.
    NoSignature,
    /// The header for signatures has no well-formed signature.
    MalformedSignature,
    /// It was signed with a secret that is not configured here.
    WrongSignature,
    /// As [`Self::WrongSignature`], but answered 503, so that the source resends it.
    UnverifiedRetry,
    /// It is from a version of webhooks that is not signed.
    Legacy,
    /// It is longer than 512 KiB.
    TooLarge,
    /// Its body was sent compressed, or encoded in another way.
    #[strum(serialize = "unsupported_encoding")]
    Encoding,
    /// It was sent to another path.
    NoSuchPath,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Index in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `true` if the request was probably sent by the source. Anybody can post a request without a signature.
    pub const fn may_lose_an_event(self) -> bool {
        matches!(self, Self::WrongSignature | Self::UnverifiedRetry | Self::NoSuchPath)
    }

    /// `true` if the source sends the webhook again.
    pub const fn is_resent(self) -> bool {
        matches!(self, Self::UnverifiedRetry)
    }

    /// Value of the metric's label.
    pub fn status(self) -> &'static str {
        self.into()
    }
}

/// Texts about a refusal, for its sender, the log and the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalText {
    /// The reason as a sentence without its full stop.
    pub cause: &'static str,
    /// Advice for the sender after the reason. May be empty.
    pub advice_for_sender: &'static str,
    /// Advice for the operator, in a sentence or two without the last full stop.
    pub remedy: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_index_and_label() {
        for (place, reason) in RefusalReason::ALL.iter().copied().enumerate() {
            assert_eq!(reason.index(), place);
        }
        let labels: std::collections::BTreeSet<_> =
            RefusalReason::ALL.iter().copied().map(RefusalReason::status).collect();
        assert_eq!(labels.len(), RefusalReason::ALL.len());
    }
}
