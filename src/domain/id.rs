//! Ids, each with its own type. Malformed ids cannot be built.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source_name::SourceName;

/// `true` for the characters that Datadog allows in a failure's id. Ids here have no other characters.
fn is_id_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':')
}

const FAILURE_ID_MAX: usize = 128;
const FAILURE_ID_MIN: usize = 16;
/// Separator between the source's name and the incident's id in a failure's id.
pub const SOURCE_SEPARATOR: char = ':';

/// An incident of a source. Its id is unique within that source. PagerDuty's ids today are `P…` of 7 or `Q…` of 14
/// characters; any id that fits into a failure's id is accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId {
    source: SourceName,
    id: String,
}

impl IncidentId {
    /// Reads an incident's id. `None` if it is empty, too long for a failure's id, or has other characters.
    pub fn parse(source: &SourceName, text: &str) -> Option<Self> {
        let longest = FAILURE_ID_MAX - source.as_str().len() - SOURCE_SEPARATOR.len_utf8();
        let is_id = (1..=longest).contains(&text.len()) && text.bytes().all(is_id_character);
        is_id.then(|| Self { source: source.clone(), id: text.to_owned() })
    }

    /// The incident whose failure has this id. A failure that was sent to the event API may have such an id, too.
    pub fn of_failure(id: &str) -> Option<Self> {
        let (source, text) = id.split_once(SOURCE_SEPARATOR)?;
        Self::parse(&SourceName::parse(source)?, text)
    }

    /// Name of the source.
    pub const fn source(&self) -> &SourceName {
        &self.source
    }

    /// The id as the source writes it.
    pub fn as_str(&self) -> &str {
        &self.id
    }
}

/// Shows the id as the source writes it.
impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// Text that is not the id of an incident's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of an incident's failure")]
pub struct InvalidIncidentId(String);

/// Reads the id of the incident's failure, which is the incident's stored form.
impl TryFrom<String> for IncidentId {
    type Error = InvalidIncidentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::of_failure(&text).ok_or(InvalidIncidentId(text))
    }
}

impl From<IncidentId> for String {
    fn from(incident: IncidentId) -> Self {
        FailureId::of_incident(&incident).0
    }
}

/// A failure's id: the source's name, a colon and the incident's id, or the id that was sent to the event API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailureId(String);

impl FailureId {
    /// The id of this incident's failure.
    pub fn of_incident(incident: &IncidentId) -> Self {
        Self(format!("{}{SOURCE_SEPARATOR}{}", incident.source, incident.id))
    }

    /// Reads an id that was sent to the event API: 16 to 128 characters of `[A-Za-z0-9-_.:]`
    /// (Datadog: `POST /api/v2/dora/failure`).
    pub fn parse(text: &str) -> Option<Self> {
        let length_fits = (FAILURE_ID_MIN..=FAILURE_ID_MAX).contains(&text.len());
        (length_fits && text.bytes().all(is_id_character)).then(|| Self(text.to_owned()))
    }

    /// The id as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FailureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A deployment's id: the id that was sent, or one made from the content. It has the form of a failure's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// Reads an id that was sent to the event API. It has the form of a failure's id.
    pub fn parse(text: &str) -> Option<Self> {
        FailureId::parse(text).map(|FailureId(id)| Self(id))
    }

    /// The id as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Beginnings of the ids that this program makes: of a deployment that was sent without an id, of one that a source tells
/// of, and of an imported one whose id is too short.
const MADE_HERE: [&str; 4] = ["api:", "github:", "gitlab:", "datadog:"];

impl DeploymentId {
    /// `true` if this program made the id, so that no backend knows it unless this program told it.
    pub fn is_made_here(&self) -> bool {
        MADE_HERE.iter().any(|beginning| self.0.starts_with(beginning))
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_ids_always_fit_a_failure_id() {
        let source = SourceName::new("pagerduty");
        let longest = IncidentId::parse(&source, &"x".repeat(118)).unwrap();
        assert_eq!(FailureId::of_incident(&longest).as_str().len(), 128);
        for text in ["", &"x".repeat(119), "a b", "a/b", "ä", "a\0"] {
            assert_eq!(IncidentId::parse(&source, text), None, "{text:?}");
        }
    }

    #[test]
    fn an_incident_is_found_by_its_failures_id() {
        let source = SourceName::new("pagerduty");
        for text in ["Q3YON8WNWTZMRQ", "a:b", ":"] {
            let incident = IncidentId::parse(&source, text).unwrap();
            let failure = FailureId::of_incident(&incident);
            assert_eq!(IncidentId::of_failure(failure.as_str()).as_ref(), Some(&incident));
            let json = serde_json::to_string(&incident).unwrap();
            assert_eq!(json, format!("\"{failure}\""));
            assert_eq!(serde_json::from_str::<IncidentId>(&json).unwrap(), incident);
        }
        for id in ["Q3YON8WNWTZMRQ", "pagerduty:", "Pager Duty:Q1", ":Q1"] {
            assert_eq!(IncidentId::of_failure(id), None, "{id}");
        }
    }

    #[test]
    fn failure_ids_follow_datadogs_limits() {
        assert!(FailureId::parse("pagerduty:Q3YON8WNWTZMRQ").is_some());
        for text in ["pagerduty:P1", &"x".repeat(129), "sixteen chars <>"] {
            assert_eq!(FailureId::parse(text), None, "{text:?}");
        }
    }
}
