//! Token of the dashboard's forms.

use sha2::{Digest, Sha256};

use crate::random;

/// Token that a form has to send along: no page from elsewhere can know it.
pub struct Token {
    shown: String,
    /// Its digest: comparing that tells nothing of how much of a guess was right.
    digest: [u8; 32],
}

impl Token {
    /// A new one.
    pub fn new() -> std::io::Result<Self> {
        let shown = random::secret()?;
        let digest = Sha256::digest(&shown).into();
        Ok(Self { shown, digest })
    }

    /// The text that a form sends along.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// `true` if a form sent this token.
    pub(super) fn is(&self, sent: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(sent).into();
        digest == self.digest
    }
}
