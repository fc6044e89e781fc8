//! The signature of Standard Webhooks (GitLab 19 and later), or the secret token in `X-Gitlab-Token`.
//!
//! A request with a signature is judged by its signature alone: whoever has learned the token cannot do without it.
//! The time in `webhook-timestamp` is signed, and its age is not checked. A request that is sent once more says the same
//! once more, and an event is stored once. An age limit would lose events that are resent by hand, or while a clock is
//! wrong.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::digest::CtOutput;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::config::signing_key;
use crate::sources::hmac_keys::{HmacKeys, MAX_CANDIDATES, Signature, signature};
use crate::sources::{SignatureError, Verify};

/// Header with the signatures, `v1,` and base64 each, with blanks between them.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// Header with the id of the request, which is signed.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the Unix time of the request, which is signed.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with the secret token.
pub const TOKEN_HEADER: &str = "x-gitlab-token";

type TokenDigest = CtOutput<Sha256>;

/// Signing tokens and secret tokens that a request may have.
pub struct Secrets {
    signing: HmacKeys,
    /// Digests of the secret tokens, compared in constant time. A digest does not reveal the length of a token, either.
    tokens: Vec<TokenDigest>,
}

impl Secrets {
    /// Prepares the secrets. A signing token that is none verifies nothing: the configuration refuses it.
    pub fn new<'a>(
        signing: impl IntoIterator<Item = &'a SecretString>,
        tokens: impl IntoIterator<Item = &'a SecretString>,
    ) -> Self {
        let keys: Vec<Vec<u8>> =
            signing.into_iter().filter_map(|secret| signing_key(secret.expose_secret())).collect();
        Self {
            signing: HmacKeys::new(keys.iter().map(Vec::as_slice)),
            tokens: tokens.into_iter().map(|token| digest(token.expose_secret().as_bytes())).collect(),
        }
    }

    fn check_signature(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        let one = |name: &str| headers.get(name).map(HeaderValue::as_bytes).ok_or(SignatureError::Malformed);
        let (id, timestamp) = (one(ID_HEADER)?, one(TIMESTAMP_HEADER)?);
        let lines = headers.get_all(SIGNATURE_HEADER).iter().map(HeaderValue::as_bytes);
        let signatures: Vec<Signature> = lines
            .flat_map(|line| line.split(u8::is_ascii_whitespace))
            .filter_map(candidate)
            .take(MAX_CANDIDATES)
            .collect();
        if signatures.is_empty() {
            return Err(SignatureError::Malformed);
        }
        let is_signed = self.signing.have_signed(&[id, b".", timestamp, b".", body], &signatures);
        if is_signed { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), SignatureError> {
        let token = headers.get(TOKEN_HEADER).ok_or(SignatureError::Missing)?;
        let sent = digest(token.as_bytes());
        // All of them are compared, also after a match.
        let matching = self.tokens.iter().filter(|known| **known == sent).count();
        if matching > 0 { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

impl Verify for Secrets {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        if headers.contains_key(SIGNATURE_HEADER) {
            self.check_signature(headers, body)
        } else {
            self.check_token(headers)
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("signing", &self.signing).field("tokens", &self.tokens.len()).finish()
    }
}

/// The value of `webhook-signature` for `body`, as GitLab would send it. `None` if the secret is no signing token.
pub fn sign(secret: &SecretString, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let keys = HmacKeys::new([signing_key(secret.expose_secret())?.as_slice()]);
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let made = keys.signatures(&parts).map(|bytes| format!("v1,{}", BASE64_STANDARD.encode(bytes)));
    Some(made.collect())
}

fn digest(token: &[u8]) -> TokenDigest {
    TokenDigest::new(Sha256::digest(token))
}

/// A signature: `v1,` and 32 bytes in base64.
fn candidate(item: &[u8]) -> Option<Signature> {
    let bytes = BASE64_STANDARD.decode(item.strip_prefix(b"v1,")?).ok()?;
    Some(signature(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const ID: &str = "7f0e6a3c-9b0f-4d0e-8d62-3f5e2d9c1a10";
    const TIMESTAMP: &str = "1793613810";
    const SIGNATURE: &str = "v1,9pOqLvl6Nx1vUvOS/tvNm5s1N1UBtzWGdVR3c8vB20o=";

    fn body() -> &'static [u8] {
        include_bytes!("../../../fixtures/gitlab/deployment.success.json").trim_ascii_end()
    }

    fn secrets() -> Secrets {
        let (signing, token) = (SecretString::from(SECRET), SecretString::from("the secret token"));
        Secrets::new([&signing], [&token])
    }

    fn check(headers: &[(&'static str, &str)], body: &[u8]) -> Result<(), SignatureError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        secrets().verify(&map, body)
    }

    fn signed(signature: &str) -> [(&'static str, &str); 3] {
        [(ID_HEADER, ID), (TIMESTAMP_HEADER, TIMESTAMP), (SIGNATURE_HEADER, signature)]
    }

    #[test]
    fn the_fixture_verifies() {
        assert_eq!(check(&signed(SIGNATURE), body()), Ok(()));
        let several = format!("v1a,AAAA v1,AAAA {SIGNATURE}");
        assert_eq!(check(&signed(&several), body()), Ok(()));
        assert_eq!(sign(&SecretString::from(SECRET), ID, TIMESTAMP, body()).as_deref(), Some(SIGNATURE));
        assert_eq!(sign(&SecretString::from("no signing token"), ID, TIMESTAMP, body()), None);
    }

    #[test]
    fn every_signed_part_matters() {
        assert_eq!(check(&signed(SIGNATURE), b"{}"), Err(SignatureError::Mismatch));
        for place in [0, 1] {
            let mut headers = signed(SIGNATURE);
            headers[place].1 = "1";
            assert_eq!(check(&headers, body()), Err(SignatureError::Mismatch), "{headers:?}");
            let without: Vec<_> = (0..3).filter(|n| *n != place).map(|n| signed(SIGNATURE)[n]).collect();
            assert_eq!(check(&without, body()), Err(SignatureError::Malformed), "{without:?}");
        }
        for malformed in
            ["", "v1", "v1,", "v1,?", &SIGNATURE[3..], "v2,9pOqLvl6Nx1vUvOS/tvNm5s1N1UBtzWGdVR3c8vB20o="]
        {
            assert_eq!(check(&signed(malformed), body()), Err(SignatureError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_token_counts_only_without_a_signature() {
        assert_eq!(check(&[(TOKEN_HEADER, "the secret token")], b"{}"), Ok(()));
        assert_eq!(check(&[(TOKEN_HEADER, "another token")], b"{}"), Err(SignatureError::Mismatch));
        assert_eq!(check(&[], b"{}"), Err(SignatureError::Missing));
        let both = |signature| {
            let mut headers = signed(signature).to_vec();
            headers.push((TOKEN_HEADER, "the secret token"));
            headers
        };
        assert_eq!(check(&both(SIGNATURE), b"{}"), Err(SignatureError::Mismatch));
        assert_eq!(check(&both(""), b"{}"), Err(SignatureError::Malformed));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", secrets()), "Secrets { signing: HmacKeys(1), tokens: 1 }");
    }
}
