//! What the attributes of failures and deployments have in common, with Datadog's limits.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::timestamp::Timestamp;

/// Datadog: `custom_tags`, up to 100.
const MOST_TAGS: usize = 100;

pub(super) const BAD_ID: &str = "attribute \"id\" must be 16-128 characters and contain only alphanumeric \
                                 characters, hyphens, underscores, periods, and colons";

#[derive(Deserialize)]
struct Envelope<A> {
    data: Data<A>,
}

#[derive(Deserialize)]
struct Data<A> {
    attributes: A,
}

/// `data.attributes` of a body.
pub(super) fn of_body<A: DeserializeOwned>(body: &[u8]) -> Result<A, String> {
    let Envelope { data } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(data.attributes)
}

/// Seconds, milliseconds or nanoseconds, or RFC 3339.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a time: an integer of seconds, milliseconds or nanoseconds, or RFC 3339"
)]
pub(super) enum Time {
    Unix(i64),
    Text(String),
}

impl Time {
    pub(super) fn at(&self, attribute: &str) -> Result<Timestamp, String> {
        let time = match self {
            Self::Unix(number) => Timestamp::from_unix(*number),
            Self::Text(text) => Timestamp::parse(text),
        };
        time.map_err(|error| format!("attribute \"{attribute}\" {error}"))
    }
}

#[derive(Deserialize)]
pub(super) struct Git {
    repository_url: String,
    commit_sha: String,
}

/// The full commit sha, and its repository.
pub(super) fn git(git: Option<Git>) -> Result<(Option<String>, Option<String>), String> {
    match git {
        Some(git) if !is_full_sha(&git.commit_sha) => {
            Err("attribute \"git.commit_sha\" must be a full commit SHA".to_owned())
        }
        git => Ok(git.map(|git| (git.commit_sha, git.repository_url)).unzip()),
    }
}

/// Datadog: `^[a-fA-F0-9]{40,}$`.
fn is_full_sha(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name that is not blank.
pub(super) fn named(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// No more tags than Datadog takes.
pub(super) fn tags(tags: Option<BTreeSet<String>>) -> Result<BTreeSet<String>, String> {
    let tags = tags.unwrap_or_default();
    if tags.len() > MOST_TAGS {
        return Err("attribute \"custom_tags\" must have at most 100 tags".to_owned());
    }
    Ok(tags)
}

/// An id for what was sent without one: the same content has the same.
pub(super) fn made_up_id(content: &Value) -> String {
    let mut id = String::from("api:");
    for byte in &Sha256::digest(content.to_string())[..16] {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sha_has_forty_digits_or_more() {
        for (length, is_full) in [(0, false), (39, false), (40, true), (41, true), (64, true)] {
            assert_eq!(is_full_sha(&"aF".repeat(32)[..length]), is_full, "{length}");
        }
        for text in ["g".repeat(40), "\u{661}".repeat(20), format!("{} ", "a".repeat(40))] {
            assert!(!is_full_sha(&text), "{text}");
        }
    }
}
