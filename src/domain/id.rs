//! Identities, each of its own type, none of which can be built malformed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The letters that Datadog allows in a failure's id, and so the only ones an id may have here.
fn is_id_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':')
}

const FAILURE_ID_MAX: usize = 128;
const FAILURE_ID_MIN: usize = 16;
const PAGERDUTY_PREFIX: &str = "pagerduty:";

/// A PagerDuty incident's id: `P…` of 7 or `Q…` of 14 characters today, any that fit a failure's id here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(String);

impl IncidentId {
    /// `None` where the text cannot be part of a failure's id: empty, too long or with other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let length_fits = (1..=FAILURE_ID_MAX - PAGERDUTY_PREFIX.len()).contains(&text.len());
        (length_fits && text.bytes().all(is_id_character)).then(|| Self(text.to_owned()))
    }

    /// The incident whose failure has this id.
    pub fn of_failure(id: &str) -> Option<Self> {
        id.strip_prefix(PAGERDUTY_PREFIX).and_then(Self::parse)
    }

    /// The id as PagerDuty writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failure's id: `pagerduty:` and the incident's id, or the one that came by the event API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailureId(String);

impl FailureId {
    /// The id of the failure that is this incident.
    pub fn of_incident(incident: &IncidentId) -> Self {
        Self(format!("{PAGERDUTY_PREFIX}{incident}"))
    }

    /// Reads an id that was sent by someone: 16 to 128 characters of `[A-Za-z0-9-_.:]`
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

/// A deployment's id: one that was sent, or one made from the content. Of the same letters as a failure's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// Reads an id that was sent by someone, of the same form as a failure's.
    pub fn parse(text: &str) -> Option<Self> {
        FailureId::parse(text).map(|FailureId(id)| Self(id))
    }

    /// The id as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.0
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
        let longest = "x".repeat(118);
        assert_eq!(FailureId::of_incident(&IncidentId::parse(&longest).unwrap()).as_str().len(), 128);
        for text in ["", &"x".repeat(119), "a b", "a/b", "ä", "a\0"] {
            assert_eq!(IncidentId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn failure_ids_are_datadogs() {
        assert!(FailureId::parse("pagerduty:Q3YON8WNWTZMRQ").is_some());
        for text in ["pagerduty:P1", &"x".repeat(129), "sixteen chars <>"] {
            assert_eq!(FailureId::parse(text), None, "{text:?}");
        }
    }
}
