//! Signing tokens: `whsec_` and the key in base64 (Standard Webhooks).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Beginning of a signing token.
const PREFIX: &str = "whsec_";
/// Length of the shortest key. A shorter one can be guessed.
const SHORTEST_KEY_BYTES: usize = 16;

/// The key in a signing token. `None` if the text is none, or the key is too short.
pub fn signing_key(token: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(token.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() >= SHORTEST_KEY_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whsec_and_enough_base64_is_a_signing_token() {
        let token = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(signing_key(token), Some((0..32).collect()));
        for text in ["", "whsec_", "AAECAwQFBgcICQoLDA0ODw==", "whsec_?", "whsec_c2hvcnQ="] {
            assert_eq!(signing_key(text), None, "{text}");
        }
    }
}
