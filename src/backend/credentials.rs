//! What is never shown, not even where a backend says back to us what we sent it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::{SetupError, fetch};
use crate::config;

/// Everything of a backend's entry that lets somebody in, in each form in which it is sent.
#[derive(Default)]
pub(super) struct Credentials(Vec<SecretString>);

impl Credentials {
    pub(super) fn of(entry: &config::Backend) -> Result<Self, SetupError> {
        let mut all = Vec::new();
        for (key, secret) in entry.secrets() {
            all.extend(fetch(key, Some(secret))?);
        }
        let url = entry.url.get();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        // A name that needs a password is no secret; one that needs none is all there is.
        let alone = if password.is_empty() { user } else { password };
        if !alone.is_empty() {
            all.extend([basic.into(), alone.into()]);
        }
        all.extend(url.query().filter(|query| !query.is_empty()).map(SecretString::from));
        Ok(Self(all))
    }

    /// The text without any of them.
    pub(super) fn taken_out_of(&self, text: &str) -> String {
        let take_out =
            |text: String, secret: &SecretString| text.replace(secret.expose_secret(), "[redacted]");
        self.0.iter().fold(text.to_owned(), take_out)
    }
}
