//! `X-PagerDuty-Signature`: HMAC-SHA256 over the raw body (PagerDuty: Webhooks, Signatures).

use std::fmt;

use axum::http::{HeaderMap, HeaderValue};
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::sources::{SignatureError, Verify};

/// The header's name.
pub const SIGNATURE_HEADER: &str = "x-pagerduty-signature";

/// Maximum number of signatures of a request that are checked: more than a rotation needs, and few enough to compare
/// with every secret.
const MAX_CANDIDATES: usize = 16;

type Digest = CtOutput<Hmac<Sha256>>;

/// Secrets that a delivery may be signed with. With the old and the new secret, a rotation loses nothing.
pub struct SigningSecrets(Vec<Hmac<Sha256>>);

impl SigningSecrets {
    /// Prepares the secrets: the bytes as PagerDuty shows them, not decoded.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self(secrets.into_iter().map(keyed).collect())
    }

    /// Verifies `body`: any signature in any of the header lines may be made with any of the secrets.
    ///
    /// Every secret is compared with every candidate, in constant time and to the end.
    ///
    /// ```
    /// # use pagerduty_dora::sources::pagerduty::signature::{SigningSecrets, sign};
    /// # use secrecy::SecretString;
    /// let (old, new) = (SecretString::from("the old secret"), SecretString::from("the new secret"));
    /// let secrets = SigningSecrets::new([&old, &new]);
    /// let header = sign(&new, b"{}");
    /// assert!(secrets.check([header.as_bytes()].into_iter(), b"{}").is_ok());
    /// assert!(secrets.check([header.as_bytes()].into_iter(), b"{ }").is_err());
    /// ```
    pub fn check<'a>(
        &self,
        header_lines: impl Iterator<Item = &'a [u8]>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let mut lines = header_lines.peekable();
        if lines.peek().is_none() {
            return Err(if looks_like_legacy(body) {
                SignatureError::Legacy
            } else {
                SignatureError::Missing
            });
        }
        let candidates: Vec<Digest> = lines
            .flat_map(|line| line.split(|b| *b == b','))
            .filter_map(candidate)
            .take(MAX_CANDIDATES)
            .collect();
        if candidates.is_empty() {
            return Err(SignatureError::Malformed);
        }
        let mut is_signed = false;
        for secret in &self.0 {
            let digest = secret.clone().chain_update(body).finalize();
            for candidate in &candidates {
                is_signed |= *candidate == digest;
            }
        }
        if is_signed { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

impl Verify for SigningSecrets {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        self.check(headers.get_all(SIGNATURE_HEADER).iter().map(HeaderValue::as_bytes), body)
    }
}

/// `true` if an unsigned body looks like a V1 or V2 webhook: those have `"messages"` at their top.
///
/// The body is searched, not parsed, because it is not verified.
fn looks_like_legacy(body: &[u8]) -> bool {
    const KEY: &[u8] = b"\"messages\"";
    body.windows(KEY.len()).any(|window| window == KEY)
}

impl fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecrets({})", self.0.len())
    }
}

/// The header's value for `body`, as PagerDuty would send it.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    format!("v1={}", hex::encode(keyed(secret).chain_update(body).finalize().into_bytes()))
}

fn keyed(secret: &SecretString) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::new_from_slice(secret.expose_secret().as_bytes()).expect("any length of key")
}

/// One signature of the list: `v1=` and exactly 64 hexadecimal digits. Everything else is ignored.
fn candidate(item: &[u8]) -> Option<Digest> {
    let mut digest = [0_u8; 32];
    hex::decode_to_slice(item.trim_ascii().strip_prefix(b"v1=")?, &mut digest).ok()?;
    Some(Digest::new(digest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "a-signing-secret-of-32-characters";
    const SECOND: &str = "second-generation-signing-secret";
    const BODY: &[u8] = br#"{"event":{"id":"1"}}"#;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    fn check(secrets: &[&str], lines: &[&str], body: &[u8]) -> Result<(), SignatureError> {
        let secrets: Vec<_> = secrets.iter().map(|text| secret(text)).collect();
        let lines = lines.iter().map(|line| line.as_bytes());
        SigningSecrets::new(&secrets).check(lines, body)
    }

    /// Test vectors of `fixtures/signatures.json`. `openssl dgst -sha256 -hmac SECRET` gives the same.
    #[test]
    fn the_vectors_verify() {
        #[derive(serde::Deserialize)]
        struct Vector {
            secret: String,
            body: String,
            signature: String,
        }
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../../fixtures/signatures.json")).unwrap();
        assert!(vectors.len() >= 3);
        for Vector { secret: text, body, signature } in vectors {
            assert_eq!(sign(&secret(&text), body.as_bytes()), signature);
            assert_eq!(check(&[&text], &[&signature], body.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn any_secret_may_match_any_candidate_of_any_line() {
        let good = sign(&secret(SECOND), BODY);
        let other = format!("v1={}", "0".repeat(64));
        for line in
            [format!("{other},{good}"), format!(" {other} ,\t{good} "), good.to_uppercase().replace('V', "v")]
        {
            assert_eq!(check(&[FIRST, SECOND], &[&line], BODY), Ok(()), "{line}");
        }
        assert_eq!(check(&[FIRST, SECOND], &["v2=x", &good], BODY), Ok(()));
        assert_eq!(check(&[FIRST], &[&good], BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_changed_body_does_not_verify() {
        let good = sign(&secret(FIRST), BODY);
        assert_eq!(check(&[FIRST], &[&good], br#"{"event":{"id":"2"}}"#), Err(SignatureError::Mismatch));
    }

    #[test]
    fn malformed_and_wrong_signatures_are_different_errors() {
        let hex = "0".repeat(64);
        assert_eq!(check(&[FIRST], &[], BODY), Err(SignatureError::Missing));
        for line in [
            "",
            ",,,",
            "v1=",
            &hex,
            &format!("v1:{hex}"),
            &format!("v2={hex}"),
            &format!("v1={hex}0"),
            &format!("v1= {}", &hex[1..]),
            &format!("V1={hex}"),
            &format!("v1={}g", &hex[1..]),
        ] {
            assert_eq!(check(&[FIRST], &[line], BODY), Err(SignatureError::Malformed), "{line}");
        }
        assert_eq!(check(&[FIRST], &[&format!("v1={hex}")], BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn the_seventeenth_candidate_is_ignored() {
        let good = sign(&secret(FIRST), BODY);
        let others = |n| vec![format!("v1={}", "0".repeat(64)); n].join(",");
        assert_eq!(check(&[FIRST], &[&format!("{},{good}", others(15))], BODY), Ok(()));
        let buried = format!("{},{good}", others(16));
        assert_eq!(check(&[FIRST], &[&buried], BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", SigningSecrets::new(&[secret(FIRST)])), "SigningSecrets(1)");
    }
}
