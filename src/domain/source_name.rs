//! Names of sources.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of a source: one to sixteen lower-case letters, such as `pagerduty`.
///
/// Events are stored under the name, and the ids of failures begin with it. So it must never change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceName(Cow<'static, str>);

/// Maximum length of a name.
const LONGEST_NAME: usize = 16;

impl SourceName {
    /// Source of failures that were sent to the event API. It sends no webhooks.
    pub const API: Self = Self::new("api");

    /// Name from the program's own code. In a constant, a malformed name does not compile.
    pub const fn new(name: &'static str) -> Self {
        assert!(is_name(name), "a source's name has one to sixteen lower-case letters");
        Self(Cow::Borrowed(name))
    }

    /// Reads a name. `None` if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(Cow::Owned(text.to_owned())))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `true` for one to sixteen lower-case letters.
const fn is_name(text: &str) -> bool {
    let letters = text.as_bytes();
    let mut n = 0;
    while n < letters.len() {
        if !letters[n].is_ascii_lowercase() {
            return false;
        }
        n += 1;
    }
    1 <= n && n <= LONGEST_NAME
}

/// Text that is not the name of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a source: one to sixteen lower-case letters are needed")]
pub struct InvalidSourceName(String);

impl TryFrom<String> for SourceName {
    type Error = InvalidSourceName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_name(&text) { Ok(Self(Cow::Owned(text))) } else { Err(InvalidSourceName(text)) }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_lower_case_letters_only() {
        for text in ["", "Pager", "pager-duty", "a:b", "ä", "seventeenletterss"] {
            assert_eq!(SourceName::parse(text), None, "{text}");
            assert!(SourceName::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(SourceName::parse("first").as_ref(), Some(&SourceName::new("first")));
    }
}
