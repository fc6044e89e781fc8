//! Checks of the attributes of failures and deployments, with Datadog's limits.
//!
//! Every error names the attribute: its reader writes a pipeline, and sees nothing else of this program.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::address::{text_without_credentials, without_credentials};
use crate::domain::commit::is_full_sha;
use crate::domain::name::name;
use crate::domain::surrogates;
use crate::domain::text_limits::check_name;
use crate::domain::timestamp::Timestamp;

/// Datadog: `custom_tags`, up to 100.
const MOST_TAGS: usize = 100;

pub(super) const BAD_ID: &str = "attribute \"id\" must be 16-128 characters and contain only alphanumeric \
                                 characters, hyphens, underscores, periods, and colons";

/// `data.attributes` of a body. Null and blank values count as missing.
#[derive(Debug)]
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// Reads a body.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, String> {
        if body.trim_ascii().is_empty() {
            return Err("attribute \"data\" is missing: the body is empty".to_owned());
        }
        let mut body = object("attribute \"data\" is missing: the body", json(body)?)?;
        let mut data = object("attribute \"data\"", required(&mut body, "data")?)?;
        let attributes = data.remove("attributes").filter(|value| !value.is_null());
        let attributes = attributes.ok_or_else(|| missing("data.attributes"))?;
        object("attribute \"data.attributes\"", attributes).map(Self)
    }

    /// A text. `None` if it is missing or blank.
    pub(super) fn text(&mut self, attribute: &str) -> Result<Option<String>, String> {
        self.0.remove(attribute).map_or(Ok(None), |value| text(attribute, value))
    }

    /// A name by which failures or deployments are found.
    pub(super) fn name(&mut self, attribute: &str) -> Result<Option<String>, String> {
        let name = self.text(attribute)?;
        name.iter().try_for_each(|name| fits(attribute, name))?;
        Ok(name)
    }

    /// A list of names, as [`Self::texts`] reads them.
    pub(super) fn names(&mut self, attribute: &str) -> Result<Vec<String>, String> {
        let names = self.texts(attribute)?;
        names.iter().try_for_each(|name| fits(attribute, name))?;
        Ok(names)
    }

    /// A list of texts in their order, without duplicates. A single text needs no list.
    pub(super) fn texts(&mut self, attribute: &str) -> Result<Vec<String>, String> {
        let values = match self.0.remove(attribute) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(single @ Value::String(_)) => vec![single],
            Some(_) => return Err(format!("attribute \"{attribute}\" must be a list of texts")),
        };
        let (mut seen, mut texts) = (BTreeSet::new(), Vec::new());
        for value in values {
            let Some(text) = text(attribute, value)? else { continue };
            if seen.insert(text.clone()) {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    /// A time: Unix seconds, milliseconds or nanoseconds, or RFC 3339.
    pub(super) fn time(&mut self, attribute: &str) -> Result<Option<Timestamp>, String> {
        const EXPECTED: &str = "an integer of seconds, milliseconds or nanoseconds, or RFC 3339";
        let time = match self.0.remove(attribute) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(None);
                }
                if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
                    return Err(format!(
                        "attribute \"{attribute}\" is a number in quotes: write it without quotes"
                    ));
                }
                Timestamp::parse(text)
            }
            // A number that is too long for an integer was parsed as a float, too. The next arm refuses it.
            Some(Value::Number(number)) if has_fraction_or_exponent(&number) => {
                return Err(format!(
                    "attribute \"{attribute}\" must be {EXPECTED}: write the number without a fraction or exponent"
                ));
            }
            // A number that is not an i64 is outside of all valid times.
            Some(Value::Number(number)) => Timestamp::from_unix(number.as_i64().unwrap_or(i64::MAX)),
            Some(_) => return Err(format!("attribute \"{attribute}\" must be {EXPECTED}")),
        };
        time.map(Some).map_err(|error| format!("attribute \"{attribute}\" {error}"))
    }

    /// A required time.
    pub(super) fn required_time(&mut self, attribute: &str) -> Result<Timestamp, String> {
        self.time(attribute)?.ok_or_else(|| missing(attribute))
    }

    /// Full commit SHA, and URL of the repository.
    pub(super) fn git(&mut self) -> Result<(Option<String>, Option<String>), String> {
        let Some(git) = self.0.remove("git").filter(|value| !value.is_null()) else {
            return Ok((None, None));
        };
        let mut git = object("attribute \"git\"", git)?;
        let has_commit = git.contains_key("commit_sha");
        let mut part =
            |key: &str, attribute: &str| git.remove(key).map_or(Ok(None), |value| text(attribute, value));
        let commit_sha = part("commit_sha", "git.commit_sha")?;
        let repository_url = part("repository_url", "git.repository_url")?;
        match (commit_sha, repository_url) {
            // A pipeline without git sends both, but empty.
            (None, None) if has_commit => Ok((None, None)),
            (None, _) => Err(missing("git.commit_sha")),
            (Some(_), None) => Err(missing("git.repository_url")),
            (Some(commit_sha), Some(_)) if !is_full_sha(&commit_sha) => {
                Err("attribute \"git.commit_sha\" must be a full commit SHA".to_owned())
            }
            (commit_sha, Some(address)) => Ok((commit_sha, Some(without_credentials(&address).into_owned()))),
        }
    }

    /// Tags, at most [`MOST_TAGS`].
    pub(super) fn tags(&mut self) -> Result<BTreeSet<String>, String> {
        let tags: BTreeSet<String> = self.texts("custom_tags")?.into_iter().collect();
        if tags.len() > MOST_TAGS {
            return Err("attribute \"custom_tags\" must have at most 100 tags".to_owned());
        }
        Ok(tags)
    }
}

/// Parses JSON. Half a character (an unpaired surrogate) is replaced.
fn json(body: &[u8]) -> Result<Value, String> {
    let body = surrogates::without_byte_order_mark(body);
    let read = serde_json::from_slice(body);
    let read = read.or_else(|error| match surrogates::replaced(body) {
        Some(whole) => serde_json::from_slice(&whole),
        None => Err(error),
    });
    read.map_err(|error| format!("attribute \"data\" cannot be read: the body is not JSON: {error}"))
}

fn object(what: &str, value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(format!("{what} must be an object")),
    }
}

fn required(object: &mut Map<String, Value>, attribute: &str) -> Result<Value, String> {
    object.remove(attribute).filter(|value| !value.is_null()).ok_or_else(|| missing(attribute))
}

fn fits(attribute: &str, name: &str) -> Result<(), String> {
    check_name(name).map_err(|unfit| format!("attribute \"{attribute}\" {unfit}"))
}

pub(super) fn missing(attribute: &str) -> String {
    format!("attribute \"{attribute}\" is missing or empty")
}

/// A text without the blanks around it and without the credentials of URLs in it.
fn text(attribute: &str, value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(name(&text).map(|name| text_without_credentials(name).into_owned())),
        Value::Number(_) => {
            Err(format!("attribute \"{attribute}\" must be a text: write the number in quotes"))
        }
        _ => Err(format!("attribute \"{attribute}\" must be a text")),
    }
}

/// `true` if a number has a fraction or an exponent, and its size is within the range of 64-bit integers.
fn has_fraction_or_exponent(number: &serde_json::Number) -> bool {
    const END: f64 = 18_446_744_073_709_551_616.0;
    number.is_f64() && number.as_f64().is_some_and(|number| number.abs() < END)
}

/// Id from a hash of the content, for a request without an id.
pub(super) fn made_up_id(content: &Value) -> String {
    format!("api:{}", hex::encode(&Sha256::digest(content.to_string())[..16]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(attributes: &Value) -> Attributes {
        let body = json!({ "data": { "attributes": attributes } }).to_string();
        Attributes::of_body(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_full_sha_has_forty_to_128_digits() {
        for (length, is_full) in
            [(0, false), (39, false), (40, true), (41, true), (64, true), (128, true), (129, false)]
        {
            assert_eq!(is_full_sha(&"aF".repeat(65)[..length]), is_full, "{length}");
        }
        for text in ["g".repeat(40), "\u{661}".repeat(20), format!("{} ", "a".repeat(40))] {
            assert!(!is_full_sha(&text), "{text}");
        }
    }

    #[test]
    fn each_error_names_the_attribute() {
        let bodies = [
            "",
            " \n",
            "{",
            "{\"data\": {\"attributes\": {\"team\": }}}",
            "[]",
            "{}",
            "{\"data\": null}",
            "{\"data\": 1}",
            "{\"data\": {}}",
            "{\"data\": {\"attributes\": []}}",
        ];
        let errors: Vec<String> =
            bodies.iter().map(|body| Attributes::of_body(body.as_bytes()).unwrap_err()).collect();
        let values = json!({ "a": 1, "b": true, "c": {}, "d": ["x", 1], "e": "1793527200", "f": 1.5,
            "g": u64::MAX, "g2": 1e30, "g3": 1e9, "h": "soon", "i": [], "j": "9999-12-31T23:59:59Z", "git": "main",
            "l": "a\u{0}b", "m": "x".repeat(769), "n": ["a", "b\tc"] });
        let mut values = attributes(&values);
        let wrong = [
            values.text("a").unwrap_err(),
            values.text("b").unwrap_err(),
            values.texts("c").unwrap_err(),
            values.texts("d").unwrap_err(),
            values.time("e").unwrap_err(),
            values.time("f").unwrap_err(),
            values.time("g").unwrap_err(),
            values.time("g2").unwrap_err(),
            values.time("g3").unwrap_err(),
            values.time("h").unwrap_err(),
            values.time("i").unwrap_err(),
            values.time("j").unwrap_err(),
            values.required_time("k").unwrap_err(),
            values.git().unwrap_err(),
            values.name("l").unwrap_err(),
            values.name("m").unwrap_err(),
            values.names("n").unwrap_err(),
        ];
        insta::assert_snapshot!([&errors[..], &wrong].concat().join("\n"));
    }

    #[test]
    fn blank_values_count_as_missing() {
        let mut values =
            attributes(&json!({ "text": " \u{a0}\u{200b}", "time": " ", "texts": ["", null, " a "],
            "git": { "commit_sha": "", "repository_url": " " } }));
        assert_eq!(values.text("text"), Ok(None));
        assert_eq!(values.time("time"), Ok(None));
        assert_eq!(values.texts("texts"), Ok(vec!["a".to_owned()]));
        assert_eq!(values.git(), Ok((None, None)));
    }

    #[test]
    fn credentials_are_removed() {
        let git = json!({ "repository_url": "https://ci:S3CR3T@host/a", "commit_sha": "a".repeat(40) });
        let mut values = attributes(&json!({ "git": git, "custom_tags": ["repo:https://S3CR3T@host/a"] }));
        assert_eq!(values.git().unwrap().1.as_deref(), Some("https://host/a"));
        assert_eq!(values.tags().unwrap().first().map(String::as_str), Some("repo:https://host/a"));
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let mut values =
            Attributes::of_body(b"\xef\xbb\xbf{\"data\": {\"attributes\": {\"name\": \"a\"}}}").unwrap();
        assert_eq!(values.text("name").unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn half_a_character_is_replaced() {
        let body = br#"{"data": {"attributes": {"name": "down \ud83d"}}}"#;
        assert_eq!(
            Attributes::of_body(body).unwrap().text("name").unwrap().as_deref(),
            Some("down \u{fffd}")
        );
    }
}
