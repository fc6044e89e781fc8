//! Removal of credentials from answers: a backend may repeat a part of what it was sent.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::setup::{SetupError, fetch};
use crate::config;

/// Length of the shortest part of a credential that is removed from answers.
const SHORTEST_PART_CHARS: usize = 8;
/// Length of the shortest secret in a URL's query. Removing shorter values (`v=1`) would spoil the answer.
const SHORTEST_VALUE_CHARS: usize = 4;
/// Replacement of a credential.
const REDACTED: &str = "[redacted]";

/// All credentials of a backend's entry, in each form in which they are sent.
#[derive(Default)]
pub(super) struct Credentials(Vec<SecretString>);

impl Credentials {
    pub(super) fn of(entry: &config::BackendSection) -> Result<Self, SetupError> {
        let mut all = Vec::new();
        for (key, secret) in entry.secrets() {
            all.extend(fetch(key, Some(secret))?);
        }
        all.extend(of_url(&entry.url.get()));
        Ok(Self(all))
    }

    /// The text without the credentials, and without any part of one that has [`SHORTEST_PART_CHARS`] or more.
    pub(super) fn redact(&self, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let mut is_secret = vec![false; letters.len()];
        for secret in &self.0 {
            let secret: Vec<char> = secret.expose_secret().chars().collect();
            mark(&letters, &secret, &mut is_secret);
        }
        let mut shown = String::with_capacity(text.len());
        for (at, letter) in letters.iter().enumerate() {
            if !is_secret[at] {
                shown.push(*letter);
            } else if at == 0 || !is_secret[at - 1] {
                shown.push_str(REDACTED);
            }
        }
        shown
    }
}

/// Credentials in a URL: user information, and the query as a whole and in its parts, encoded and decoded.
fn of_url(url: &reqwest::Url) -> Vec<SecretString> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (url.username(), url.password().unwrap_or_default());
    let mut all = Vec::new();
    // With a password, only the password is secret. Without one, the user name is the credential.
    let credential = if password.is_empty() { user } else { password };
    if !credential.is_empty() {
        let [user, password] = [user, password].map(decoded);
        all.push(BASE64_STANDARD.encode(format!("{user}:{password}")));
        all.extend([credential.to_owned(), decoded(credential)]);
    }
    let query = url.query().unwrap_or_default();
    all.push(query.to_owned());
    for pair in query.split('&') {
        let value = pair.split_once('=').map_or(pair, |(_, value)| value);
        all.extend([value.to_owned(), decoded(value), decoded(&value.replace('+', " "))]);
    }
    // A short password is still a password.
    all.retain(|text| text == credential || text.chars().count() >= SHORTEST_VALUE_CHARS);
    all.retain(|text| !text.is_empty());
    all.into_iter().map(SecretString::from).collect()
}

/// Marks each part of the text that is the whole secret, or a long enough part of the secret.
fn mark(text: &[char], secret: &[char], is_secret: &mut [bool]) {
    let shortest = secret.len().min(SHORTEST_PART_CHARS);
    if shortest == 0 {
        return;
    }
    for (at, window) in text.windows(shortest).enumerate() {
        if secret.windows(shortest).any(|part| part == window) {
            is_secret[at..at + shortest].fill(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(url: &str, answer: &str) -> String {
        Credentials(of_url(&reqwest::Url::parse(url).unwrap())).redact(answer)
    }

    #[test]
    fn parts_of_the_query_are_redacted() {
        let url = "https://x.example/in?token=abcdefgh12345678&v=1&sig=a%2Fb%2Bc%3D%3D";
        for (answer, shown) in [
            ("HTTP 401: bad token abcdefgh12345678", "HTTP 401: bad token [redacted]"),
            ("no route /in?token=abcdefgh12345678&v=1&sig=a%2Fb%2Bc%3D%3D", "no route /in?[redacted]"),
            ("{\"token\":\"abcdefgh12345678\",\"v\":\"1\"}", "{\"token\":\"[redacted]\",\"v\":\"1\"}"),
            ("token abcdefgh1234… is unknown", "token [redacted]… is unknown"),
            ("…gh12345678 is unknown", "…[redacted] is unknown"),
            ("signature a/b+c== is wrong", "signature [redacted] is wrong"),
            ("?token=abcdefgh12345678\\u0026v=1", "?[redacted]\\u0026v=1"),
            ("HTTP 400: v must be 1 or 2", "HTTP 400: v must be 1 or 2"),
        ] {
            assert_eq!(redacted(url, answer), shown);
        }
    }

    #[test]
    fn a_token_that_is_the_whole_query_is_redacted() {
        assert_eq!(redacted("https://x.example/?s3cr3tt0k3n", "no s3cr3tt0k3n"), "no [redacted]");
    }

    #[test]
    fn user_information_is_redacted_encoded_and_decoded() {
        let url = "https://me:p%40ss@x.example/";
        for (answer, shown) in [
            ("p%40ss", "[redacted]"),
            ("p@ss", "[redacted]"),
            ("Basic bWU6cEBzcw==", "Basic [redacted]"),
            ("hello me", "hello me"),
        ] {
            assert_eq!(redacted(url, answer), shown);
        }
        assert_eq!(redacted("https://tkn@x.example/", "no tkn here"), "no [redacted] here");
    }

    #[test]
    fn without_credentials_nothing_changes() {
        assert_eq!(redacted("https://x.example/in", "HTTP 500: oh no"), "HTTP 500: oh no");
    }
}
