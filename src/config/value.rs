//! Values that are checked while they are read, so that a mistake is reported with its line.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::tz::TimeZone;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::address::{text_without_credentials, without_credentials};
use crate::domain::name::{name, trimmed};
use crate::domain::text_limits::LONGEST_NAME;

/// Reads a text as a value. An error has the place of the text itself, also within a list.
pub(super) fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error: fmt::Display>,
{
    struct Text<T>(PhantomData<T>);

    impl<'de, T: TryFrom<String, Error: fmt::Display>> Visitor<'de> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
            T::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
        }
    }

    // The TOML parser adds the place to an error from within a newtype, but not to one after a text was read.
    deserializer.deserialize_newtype_struct("Text", Text(PhantomData))
}

/// Implements `Deserialize` by [`text`].
macro_rules! read_from_text {
    ($($name:ty),+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::value::text(deserializer)
            }
        }
    )+};
}
pub(super) use read_from_text;

read_from_text!(ConfigDuration, Name, RepositoryUrl, RoutePath, TimeZoneName);

/// Reads an address to listen on.
pub(super) fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    trimmed(&text).parse().map_err(|_| {
        serde::de::Error::custom("is not an address such as \"127.0.0.1:8080\" or \"[::]:8080\"")
    })
}

/// Reads the path of a file on a disk. SQLite takes some texts for a store in memory, which is lost at the end, or for
/// a URI with options.
pub(super) fn store_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let message = match text.as_str() {
        blank if trimmed(blank).is_empty() => "must not be empty: name the file of the store",
        ":memory:" => "must be a file: a store in memory is lost when the process ends",
        uri if uri.starts_with("file:") => "must be a path, without file: before it",
        url if url.starts_with("postgres") && url.contains("://") => {
            "must be the path of a file: a database of PostgreSQL belongs in store.url"
        }
        uri if uri.contains("://") => "must be the path of a file, not a URL",
        _ => return Ok(Some(text.into())),
    };
    Err(serde::de::Error::custom(message))
}

/// Path of a PEM file. A text that is the content of such a file is not repeated, because it may be a key.
pub(super) fn pem_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    let message = match text.as_str() {
        blank if trimmed(blank).is_empty() => "must not be empty: name the file",
        content if content.contains("-----BEGIN") || content.contains('\n') => {
            "must be the path of a file, not its content"
        }
        _ => return Ok(text.into()),
    };
    Err(serde::de::Error::custom(message))
}

/// Length of time: `"90s"`, `"15m"`, `"12h"`, `"730d"`. The text is kept as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct ConfigDuration {
    text: String,
    duration: Duration,
}

impl ConfigDuration {
    /// Default value, as text and in seconds.
    pub(super) fn written(text: &str, seconds: u64) -> Self {
        Self { text: text.to_owned(), duration: Duration::from_secs(seconds) }
    }

    /// The duration.
    pub fn get(&self) -> Duration {
        self.duration
    }
}

impl TryFrom<String> for ConfigDuration {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "is not a duration such as \"30s\", \"15m\", \"12h\" or \"30d\"";
        let span: jiff::Span = text.parse().map_err(|_| EXPECTED)?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| EXPECTED)?;
        Ok(Self { duration: Duration::try_from(duration).map_err(|_| EXPECTED)?, text })
    }
}

impl From<ConfigDuration> for String {
    fn from(duration: ConfigDuration) -> Self {
        duration.text
    }
}

/// Types of durations with a default, and the range of the lengths that are allowed.
macro_rules! bounded_durations {
    ($($(#[$doc:meta])* $name:ident, $default:literal = $seconds:expr, $allowed:expr, $complaint:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "ConfigDuration", into = "ConfigDuration")]
        pub struct $name(ConfigDuration);

        impl $name {
            /// The duration.
            pub fn get(&self) -> Duration {
                self.0.get()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(ConfigDuration::written($default, $seconds))
            }
        }

        impl TryFrom<ConfigDuration> for $name {
            type Error = &'static str;

            fn try_from(duration: ConfigDuration) -> Result<Self, Self::Error> {
                if ($allowed).contains(&duration.get()) { Ok(Self(duration)) } else { Err($complaint) }
            }
        }

        impl From<$name> for ConfigDuration {
            fn from(bounded: $name) -> Self {
                bounded.0
            }
        }
    )+};
}

bounded_durations! {
    /// Time that raw bodies are kept. At least three days, because PagerDuty may resend for two days.
    Retention, "730d" = 730 * 86_400, Duration::from_hours(72).., "must be at least 3d";
    /// Longest time of an attempt.
    Timeout, "10s" = 10, Duration::from_millis(100).., "must be at least 100ms";
    /// Time between two readings of an API: PagerDuty's, or one with deployments.
    ReconcileEvery, "15m" = 900, Duration::from_mins(1)..=Duration::from_hours(24), "must be from 1m to 24h";
}

const BLANK: &str = "is blank: write a name, or leave it out";
pub(super) const CONTROL: &str = "holds a control character, such as a tab or a line end: remove it";

/// The number is [`LONGEST_NAME`].
const TOO_LONG: &str = "is longer than 768 bytes: write a shorter name";

/// Name that is not blank and holds no control characters. Blanks around it, and credentials if it is an address, are
/// removed.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Name(Cow<'static, str>);

impl Name {
    pub(super) const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = name_of_any_length(&text)?;
        if name.len() > LONGEST_NAME {
            return Err(TOO_LONG);
        }
        Ok(Self(Cow::Owned(name)))
    }
}

/// Reads a [`Name`] without its limit.
pub(super) fn name_of_any_length(text: &str) -> Result<String, &'static str> {
    let name = name(text).ok_or(BLANK)?;
    if name.chars().any(char::is_control) {
        return Err(CONTROL);
    }
    if name == "*" {
        return Err("is not a pattern: names are compared exactly; to match all, leave the key out");
    }
    Ok(text_without_credentials(name).into_owned())
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into_owned()
    }
}

/// Address of a repository. Credentials in it are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct RepositoryUrl(String);

impl RepositoryUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepositoryUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = name(&text).ok_or(BLANK)?;
        if address.contains(char::is_control) {
            return Err(CONTROL);
        }
        Ok(Self(without_credentials(address).into_owned()))
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> Self {
        url.0
    }
}

/// Path of a route: `/…` of plain characters, outside of the event API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct RoutePath(String);

impl RoutePath {
    /// Default path of a source.
    pub(super) fn from_static(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoutePath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        if !text.starts_with('/') || !text.bytes().all(plain) {
            return Err("must begin with / and hold only letters, digits and / - _ . ~");
        }
        if text.contains("//") || text.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("must not hold // or the segments . and ..: clients remove them before they send");
        }
        if text.starts_with("/api/v2/dora/") {
            return Err("must not be under /api/v2/dora/: the event API is there");
        }
        Ok(Self(text))
    }
}

impl From<RoutePath> for String {
    fn from(path: RoutePath) -> Self {
        path.0
    }
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
pub struct TimeZoneName {
    name: String,
    zone: TimeZone,
}

impl TimeZoneName {
    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }
}

impl TryFrom<String> for TimeZoneName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let name = trimmed(&name).to_owned();
        let is_utc = ["UTC", "Etc/UTC", "Z"].iter().any(|utc| name.eq_ignore_ascii_case(utc));
        let zone = if is_utc { Ok(TimeZone::UTC) } else { TimeZone::get(&name) };
        let zone = zone.map_err(
            |_| "is not a time zone that this machine knows: use UTC or a name such as \"Europe/Berlin\"",
        )?;
        Ok(Self { name, zone })
    }
}

impl From<TimeZoneName> for String {
    fn from(zone: TimeZoneName) -> Self {
        zone.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_length_of_stored_names() {
        let name = |length| Name::try_from("x".repeat(length));
        assert!(name(LONGEST_NAME).is_ok());
        assert_eq!(name(LONGEST_NAME + 1).unwrap_err(), TOO_LONG);
        assert!(TOO_LONG.contains(&format!(" {LONGEST_NAME} bytes")));
        assert_eq!(Name::try_from("a\0b".to_owned()).unwrap_err(), CONTROL);
    }
}
