//! `X-Hub-Signature-256`: HMAC-SHA256 over the raw body (GitHub: Validating webhook deliveries).

use std::fmt;

use axum::http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::sources::hmac_keys::{HmacKeys, MAX_CANDIDATES, Signature, signature};
use crate::sources::{SignatureError, Verify};

/// The header's name.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// Secrets that a delivery may be signed with.
pub struct SigningSecrets(HmacKeys);

impl SigningSecrets {
    /// Prepares the secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self(HmacKeys::new(secrets.into_iter().map(|secret| secret.expose_secret().as_bytes())))
    }

    /// Verifies `body`: the signature may be made with any of the secrets.
    ///
    /// ```
    /// # use pagerduty_dora::sources::github::signature::SigningSecrets;
    /// # use secrecy::SecretString;
    /// let secrets = SigningSecrets::new([&SecretString::from("It's a Secret to Everybody")]);
    /// let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    /// assert!(secrets.check([header.as_bytes()].into_iter(), b"Hello, World!").is_ok());
    /// assert!(secrets.check([header.as_bytes()].into_iter(), b"Hello, World").is_err());
    /// ```
    pub fn check<'a>(
        &self,
        header_lines: impl Iterator<Item = &'a [u8]>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let mut lines = header_lines.peekable();
        if lines.peek().is_none() {
            return Err(SignatureError::Missing);
        }
        let signatures: Vec<Signature> = lines.filter_map(candidate).take(MAX_CANDIDATES).collect();
        if signatures.is_empty() {
            return Err(SignatureError::Malformed);
        }
        let is_signed = self.0.have_signed(&[body], &signatures);
        if is_signed { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

impl Verify for SigningSecrets {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        self.check(headers.get_all(SIGNATURE_HEADER).iter().map(HeaderValue::as_bytes), body)
    }
}

impl fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningSecrets").field(&self.0).finish()
    }
}

/// The header's value for `body`, as GitHub would send it.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    let keys = HmacKeys::new([secret.expose_secret().as_bytes()]);
    let made = keys.signatures(&[body]).map(hex::encode).collect::<String>();
    format!("sha256={made}")
}

/// A signature: `sha256=` and exactly 64 hexadecimal digits.
fn candidate(line: &[u8]) -> Option<Signature> {
    let mut digest = [0_u8; 32];
    hex::decode_to_slice(line.trim_ascii().strip_prefix(b"sha256=")?, &mut digest).ok()?;
    Some(signature(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const HEADER: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(secrets: &[&str], lines: &[&str], body: &[u8]) -> Result<(), SignatureError> {
        let secrets: Vec<SecretString> = secrets.iter().map(|text| SecretString::from(*text)).collect();
        SigningSecrets::new(&secrets).check(lines.iter().map(|line| line.as_bytes()), body)
    }

    #[test]
    fn githubs_own_example_verifies() {
        assert_eq!(check(&["It's a Secret to Everybody"], &[HEADER], BODY), Ok(()));
        assert_eq!(sign(&SecretString::from("It's a Secret to Everybody"), BODY), HEADER);
        assert_eq!(check(&["another", "It's a Secret to Everybody"], &["sha1=x", HEADER], BODY), Ok(()));
    }

    #[test]
    fn the_fixture_verifies() {
        let header = "sha256=a5f52ec4f845ce94e9709bba016f7c2e0726f48d15493d3088dbc5799f442828";
        let body = include_bytes!("../../../fixtures/github/deployment_status.success.json");
        assert_eq!(check(&["test-secret-0123456789"], &[header], body.trim_ascii_end()), Ok(()));
    }

    #[test]
    fn other_signatures_do_not_verify() {
        let secret = "It's a Secret to Everybody";
        assert_eq!(check(&[secret], &[], BODY), Err(SignatureError::Missing));
        assert_eq!(check(&[secret], &[HEADER], b"Hello, World"), Err(SignatureError::Mismatch));
        assert_eq!(check(&["another secret"], &[HEADER], BODY), Err(SignatureError::Mismatch));
        let hex = HEADER.trim_start_matches("sha256=");
        for malformed in ["", hex, &format!("sha1={hex}"), &format!("{HEADER}0"), &HEADER[..70], "sha256="] {
            assert_eq!(check(&[secret], &[malformed], BODY), Err(SignatureError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let secrets = SigningSecrets::new([&SecretString::from("canary")]);
        assert_eq!(format!("{secrets:?}"), "SigningSecrets(HmacKeys(1))");
    }
}
