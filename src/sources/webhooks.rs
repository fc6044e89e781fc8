//! The webhooks of one source, as the public listener receives them.

use std::fmt;

use axum::http::HeaderMap;

use crate::domain::event::Heading;
use crate::domain::source::Source;

/// The webhooks of one source, as they are configured.
pub struct Webhooks {
    /// The source.
    pub source: &'static Source,
    /// Path that the webhooks are posted to.
    pub path: String,
    /// Header with the id of a POST, which is the same on every attempt.
    pub delivery_id_header: &'static str,
    /// `true` if a webhook that no secret verifies is answered 503, so that the source sends it again.
    pub retry_unverified: bool,
    /// Vouches for requests with the secrets.
    pub verifier: Box<dyn Verify>,
    /// `true` for the headers of a request that looks like one of the source's, wherever it was sent.
    pub recognizes: fn(&HeaderMap) -> bool,
    /// Words about a refusal.
    pub words: fn(RefusalReason) -> Words,
    /// Sentence without its full stop on the time for which the source sends again what was answered 503.
    pub sends_again: &'static str,
}

impl Webhooks {
    /// Vouches for a body by the headers of its request. Nothing is read from the body before.
    pub fn verify<T: AsRef<[u8]>>(
        &self,
        headers: &HeaderMap,
        body: T,
    ) -> Result<Verified<T>, SignatureError> {
        self.verifier.verify(headers, body.as_ref())?;
        Ok(Verified(body))
    }

    /// Reads of a verified body what has to be known to keep it. The error says why the body was not understood.
    pub fn heading<T: AsRef<[u8]>>(&self, body: &Verified<T>) -> Result<Heading, String> {
        (self.source.heading)(body.0.as_ref())
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

/// The secrets of a source, and its way to verify.
pub trait Verify: Send + Sync {
    /// Vouches for the bytes of a request.
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError>;
}

/// Something whose bytes were verified. Only [`Webhooks::verify`] makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

/// Reason why bytes could not be vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// There is no signature.
    Missing,
    /// There is no signature, because the sender uses a version of webhooks that has none.
    Legacy,
    /// There is a header for signatures, and no signature in it.
    Malformed,
    /// None of the signatures was made with one of our secrets.
    Mismatch,
}

/// Reason why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// There is no signature.
    NoSignature,
    /// There is a header for signatures, and no signature in it.
    MalformedSignature,
    /// It was signed with a secret that is not configured here.
    WrongSignature,
    /// The same; it is answered 503, so that the source sends it again.
    UnverifiedRetry,
    /// It is of a version that is not signed.
    Legacy,
    /// It is longer than 512 KiB.
    TooLarge,
    /// It was sent compressed, or otherwise encoded.
    Encoding,
    /// It came to another path.
    NoSuchPath,
}

impl RefusalReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NoSignature,
        Self::MalformedSignature,
        Self::WrongSignature,
        Self::UnverifiedRetry,
        Self::Legacy,
        Self::TooLarge,
        Self::Encoding,
        Self::NoSuchPath,
    ];

    /// Place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Value of the metric's label.
    pub const fn status(self) -> &'static str {
        match self {
            Self::NoSignature => "no_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::WrongSignature => "wrong_signature",
            Self::UnverifiedRetry => "unverified_retry",
            Self::Legacy => "legacy",
            Self::TooLarge => "too_large",
            Self::Encoding => "unsupported_encoding",
            Self::NoSuchPath => "no_such_path",
        }
    }
}

/// Words about a refusal, for its sender, the log and the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The reason as a sentence without its full stop.
    pub why: &'static str,
    /// Advice for the sender behind that, if it needs any.
    pub to_sender: &'static str,
    /// Advice for the operator, in a sentence or two without the last full stop.
    pub todo: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_label() {
        for (place, reason) in RefusalReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        let labels: std::collections::BTreeSet<_> =
            RefusalReason::ALL.into_iter().map(RefusalReason::status).collect();
        assert_eq!(labels.len(), RefusalReason::ALL.len());
    }
}
