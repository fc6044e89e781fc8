//! Form of a secret in the file. Messages repeat keys, but never values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::Secret;
use super::wording::nearest;

/// Keys of a secret. It has exactly one of them.
pub(super) const KEYS: [&str; 4] = ["env", "file", "credential", "value"];

/// Words in the keys of secrets, present and future.
const SECRET_WORDS: [&str; 4] = ["secret", "key", "token", "password"];

/// `true` if the value of this key may be a secret, so that no message may repeat it.
pub(super) fn may_hold_secret(key: &str) -> bool {
    key == "value" || SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// All forms, for messages.
pub(super) const FORMS: &str =
    "{ env = \"NAME\" }, { file = \"PATH\" }, { credential = \"NAME\" } or { value = \"…\" }";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMS)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let mut found: Option<(String, toml::Value)> = None;
        while let Some((key, value)) = map.next_entry::<String, toml::Value>()? {
            if !KEYS.contains(&key.as_str()) {
                let known = KEYS.map(str::to_owned);
                let nearest = nearest(&key, &known);
                return Err(Error::custom(format!(
                    "{key:?} is not a key of a secret{nearest} A secret is {FORMS}"
                )));
            }
            if let Some((other, _)) = &found {
                return Err(Error::custom(format!("has both {other} and {key}: a secret has one of them")));
            }
            found = Some((key, value));
        }
        let Some((key, value)) = found else {
            return Err(Error::custom(format!("is an empty table: a secret is {FORMS}")));
        };
        let toml::Value::String(text) = value else {
            return Err(Error::custom(format!("must have a text in quotes: {key} = \"…\"")));
        };
        match key.as_str() {
            _ if text.trim().is_empty() => Err(Error::custom(blank(&key))),
            "env" => Ok(Secret::Env { env: text }),
            "file" => Ok(Secret::File { file: text.into() }),
            "credential" => Ok(Secret::Credential { credential: text }),
            _ => Ok(Secret::Value { value: text.into() }),
        }
    }
}

/// Message about a blank text, with the value to write instead.
fn blank(key: &str) -> String {
    let what = match key {
        "env" => "the name of an environment variable",
        "file" => "the path of the file with the secret",
        "credential" => "the name of a systemd credential",
        _ => "the secret itself",
    };
    format!("has a blank {key}: write {what}")
}
