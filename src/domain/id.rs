//! Ids, each with its own type. Malformed ids cannot be built.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

/// Id of a deployment at the source that tells of it: the source's name, the instance, `deployment`, and the number there.
/// An example is `github:github.com:deployment:4200001`.
///
/// It is a deployment's id, too: that of the deployment that counts, if it counts for one service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceDeploymentId(DeploymentId);

/// Maximum length: it leaves room for the name of a service in the ids of [`SourceDeploymentId::of_service`].
const SOURCE_DEPLOYMENT_ID_MAX: usize = 96;
const OF_DEPLOYMENT: &str = "deployment";

impl SourceDeploymentId {
    /// The id of a deployment by its number at an instance of a source. `None` if the instance's name is too long, or has
    /// characters that no id has.
    pub fn new(source: &SourceName, instance: &str, number: u64) -> Option<Self> {
        let instance = instance.to_ascii_lowercase();
        Self::parse(&[source.as_str(), &instance, OF_DEPLOYMENT, &number.to_string()].join(":"))
    }

    /// Reads such an id.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, number) = text.rsplit_once(SOURCE_SEPARATOR)?;
        let (rest, of_deployment) = rest.rsplit_once(SOURCE_SEPARATOR)?;
        let (source, instance) = rest.split_once(SOURCE_SEPARATOR)?;
        SourceName::parse(source)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let fits = is_number
            && of_deployment == OF_DEPLOYMENT
            && !instance.is_empty()
            && text.len() <= SOURCE_DEPLOYMENT_ID_MAX;
        DeploymentId::parse(text).filter(|_| fits).map(Self)
    }

    /// Name of the source.
    pub fn source(&self) -> &str {
        let text = self.as_str();
        text.split_once(SOURCE_SEPARATOR).map_or(text, |(source, _)| source)
    }

    /// The id as it is stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Id of the deployment that counts, if it counts for one service.
    pub const fn as_deployment(&self) -> &DeploymentId {
        &self.0
    }

    /// Id of the deployment of one service, if it counts for several services.
    ///
    /// A service whose name cannot be part of an id is named by its plain characters and a hash.
    pub fn of_service(&self, service: &str) -> DeploymentId {
        let room = FAILURE_ID_MAX - self.as_str().len() - SOURCE_SEPARATOR.len_utf8();
        let is_plain = |c: char| u8::try_from(c).is_ok_and(|byte| is_id_character(byte) && byte != b':');
        let name = if service.len() <= room && !service.is_empty() && service.chars().all(is_plain) {
            service.to_owned()
        } else {
            let hash = hex::encode(&Sha256::digest(service)[..SERVICE_HASH_BYTES]);
            let plain: String =
                service.chars().filter(|c| is_plain(*c)).take(room - hash.len() - 1).collect();
            format!("{plain}.{hash}")
        };
        DeploymentId(format!("{self}{SOURCE_SEPARATOR}{name}"))
    }
}

/// Length of the hash of a service's name.
const SERVICE_HASH_BYTES: usize = 8;

impl fmt::Display for SourceDeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
    fn a_deployment_of_a_source_has_a_deployments_id() {
        let github = SourceName::new("github");
        let id = SourceDeploymentId::new(&github, "GitHub.com", 4_200_001).unwrap();
        assert_eq!(id.as_str(), "github:github.com:deployment:4200001");
        assert_eq!((id.source(), id.as_deployment().as_str()), ("github", id.as_str()));
        assert_eq!(id.of_service("checkout").as_str(), "github:github.com:deployment:4200001:checkout");
        let with_port = SourceDeploymentId::new(&github, "ghe.example.com:8443", 1).unwrap();
        assert_eq!(SourceDeploymentId::parse(with_port.as_str()), Some(with_port));
        for instance in ["", "a/b", "a b", "\u{e9}", &"x".repeat(80)] {
            assert_eq!(SourceDeploymentId::new(&github, instance, 1), None, "{instance:?}");
        }
        for text in
            ["github:github.com:deployment:", "github:github.com:release:12", "pagerduty:Q3YON8WNWTZMRQ"]
        {
            assert_eq!(SourceDeploymentId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_service_of_a_deployment_has_an_id_of_its_own() {
        let longest = "x".repeat(64);
        let id = SourceDeploymentId::new(&SourceName::new("github"), &longest, 4_200_001).unwrap();
        let services =
            ["a", "A", "a:b", "a.b", "a b", "ab", "", "\u{e9}", &"y".repeat(200), &"y".repeat(201)];
        let ids: std::collections::BTreeSet<_> =
            services.iter().map(|service| id.of_service(service)).collect();
        assert_eq!(ids.len(), services.len());
        for one in ids {
            assert_eq!(DeploymentId::parse(one.as_str()), Some(one));
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
