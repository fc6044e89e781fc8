//! Token of the dashboard's forms.

use sha2::{Digest, Sha256};

use crate::random;

/// Token that a form must send. Pages of other sites cannot know it.
pub struct Token {
    shown: String,
    /// Digest of the token. Comparing digests does not reveal how much of a guess was right.
    digest: [u8; 32],
}

impl Token {
    /// A new random token.
    pub fn new() -> std::io::Result<Self> {
        let shown = random::secret()?;
        let digest = Sha256::digest(&shown).into();
        Ok(Self { shown, digest })
    }

    /// Text that a form sends.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// `true` if a form sent this token.
    pub(super) fn is(&self, sent: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(sent).into();
        digest == self.digest
    }
}
