//! Keys of HMAC-SHA256.

use std::fmt;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Maximum number of signatures of a request that are checked: more than a rotation needs, and few enough to compare
/// with every key.
pub(super) const MAX_CANDIDATES: usize = 16;

/// A signature in a request, compared in constant time.
pub(super) type Signature = CtOutput<Hmac<Sha256>>;

/// Keys that a request may be signed with. With the old and the new key, a rotation loses nothing.
pub(super) struct HmacKeys(Vec<Hmac<Sha256>>);

impl HmacKeys {
    /// Prepares the keys.
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(keys.into_iter().map(keyed).collect())
    }

    /// `true` if any of the signatures was made of these bytes with any of the keys. The parts are signed as one text.
    ///
    /// Every key is compared with every signature, in constant time and to the end.
    pub(super) fn have_signed(&self, parts: &[&[u8]], signatures: &[Signature]) -> bool {
        let mut is_signed = false;
        for expected in self.0.iter().map(|key| made(key, parts)) {
            for signature in signatures {
                is_signed |= *signature == expected;
            }
        }
        is_signed
    }

    /// The signature of each key, as bytes.
    pub(super) fn signatures(&self, parts: &[&[u8]]) -> impl Iterator<Item = [u8; 32]> {
        self.0.iter().map(|key| made(key, parts).into_bytes().into())
    }
}

impl fmt::Debug for HmacKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacKeys({})", self.0.len())
    }
}

fn made(key: &Hmac<Sha256>, parts: &[&[u8]]) -> Signature {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::new_from_slice(key).expect("any length of key")
}

/// A signature of exactly these bytes.
pub(super) fn signature(bytes: [u8; 32]) -> Signature {
    Signature::new(bytes.into())
}
