//! One event of a source: its content, and its rank among the events of its incident or deployment.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::deployment_event::AboutDeployment;
use super::id::{IncidentId, SourceDeploymentId};
use super::timestamp::Timestamp;

/// Fields of an event that are needed to store it. The other fields are read when the event is folded: when its
/// failure is evaluated again with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Id of the event, unique within its source.
    pub id: String,
    /// Type of the event, in the source's words.
    pub event_type: Cow<'static, str>,
    /// Time of the event. `None` if it has none: then it is stored with the time of its receipt. An event about an incident
    /// or a deployment always has a time.
    pub occurred_at: Option<Timestamp>,
    /// Incident or deployment that the event is about. `None` in the same cases as [`Event::subject`].
    pub subject: Option<SubjectId>,
    /// `true` if a time of the incident lies in the year 9999, which counts as absent (rule 4).
    pub has_placeholder_time: bool,
    /// `true` if the source sends the event to test the connection.
    pub is_test: bool,
}

impl Heading {
    /// Incident that the event is about.
    pub const fn incident(&self) -> Option<&IncidentId> {
        match &self.subject {
            Some(SubjectId::Incident(incident)) => Some(incident),
            _ => None,
        }
    }
}

/// Id of the incident or deployment that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectId {
    /// An incident.
    Incident(IncidentId),
    /// A deployment.
    Deployment(SourceDeploymentId),
}

/// Shows an incident's id as its source writes it, and a deployment's id with its source.
impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(incident) => incident.fmt(f),
            Self::Deployment(deployment) => deployment.fmt(f),
        }
    }
}

/// A verified event, reduced to the facts that the program uses.
///
/// Two events of a source with the same id are one event. They have the same facts if they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id of the event, opaque and unique within its source.
    pub id: String,
    /// Type of the event as it was sent, even if the program does not know it.
    pub event_type: String,
    /// Time of the event. [`Timestamp::MIN`] if it has none: then it is about no incident and no deployment.
    pub occurred_at: Timestamp,
    /// Origin: sent by the source, or read by the program.
    pub origin: Origin,
    /// Incident or deployment that the event is about; `None` for test events, other subjects and types not known yet.
    pub subject: Option<EventSubject>,
}

/// An event that was made from answers of a source's API, and the body that is stored for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEvent {
    /// The event.
    pub event: Event,
    /// The body.
    pub body: Vec<u8>,
}

impl Event {
    /// `true` if the incident is resolved in a webhook's data, and the webhook is not the resolve itself.
    pub fn shows_resolved(&self) -> bool {
        let is_resolved = |about: &AboutIncident| {
            let status = about.snapshot.as_ref().and_then(|snapshot| snapshot.status.as_deref());
            about.kind != EventKind::Resolved && status == Some("resolved")
        };
        self.origin.is_sent() && self.about_incident().is_some_and(is_resolved)
    }

    /// Content of an event about an incident.
    pub const fn about_incident(&self) -> Option<&AboutIncident> {
        match &self.subject {
            Some(EventSubject::Incident(about)) => Some(about),
            _ => None,
        }
    }

    /// Content of an event about a deployment.
    pub fn about_deployment(&self) -> Option<&AboutDeployment> {
        match &self.subject {
            Some(EventSubject::Deployment(about)) => Some(about),
            _ => None,
        }
    }

    fn has_time(&self) -> bool {
        self.occurred_at != Timestamp::MIN
    }

    /// Fields that are needed to store the event, if its source has no faster way of reading them.
    pub fn heading(&self) -> Heading {
        Heading {
            id: self.id.clone(),
            event_type: self.event_type.clone().into(),
            occurred_at: self.has_time().then_some(self.occurred_at),
            subject: self.subject.as_ref().map(EventSubject::id),
            has_placeholder_time: false,
            is_test: false,
        }
    }
}

/// Origin of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The source sent it when it happened.
    #[default]
    Sent,
    /// The program read it from the source's API later. Its time is in whole seconds, without the fraction.
    Read,
}

impl Origin {
    /// `true` for [`Self::Sent`].
    pub const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }
}

/// The incident or the deployment that an event is about, and the facts that the event has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSubject {
    /// An incident.
    Incident(AboutIncident),
    /// A deployment.
    Deployment(Box<AboutDeployment>),
}

impl EventSubject {
    /// Id of the incident or deployment.
    pub fn id(&self) -> SubjectId {
        match self {
            Self::Incident(about) => SubjectId::Incident(about.incident.clone()),
            Self::Deployment(about) => SubjectId::Deployment(about.deployment.clone()),
        }
    }
}

/// Content of an event about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AboutIncident {
    /// The incident's id.
    pub incident: IncidentId,
    /// Kind of the event, by its type.
    pub kind: EventKind,
    /// The incident's data in the event; `None` if the event only mentions the incident (notes, responders, …).
    pub snapshot: Option<Box<Snapshot>>,
    /// Deployment that the event names as the cause.
    pub deployment: Option<NamedDeployment>,
}

/// Deployment that a person named as the cause of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedDeployment {
    /// The name after `deployment:` at the beginning of a note. `None` if no note has one any more.
    Note(Option<String>),
    /// The values of the custom field named `deployment`. Empty if the field was emptied.
    Field(Vec<String>),
}

/// The incident's data in an event. Comments say that such an event *shows* the incident. A `None` means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number that people know the incident by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The incident's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Status: `triggered`, `acknowledged`, `resolved`, or another one that the program does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Creation time of the incident, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::timestamp::nanos::option")]
    pub created_at: Option<Timestamp>,
    /// Time of the last reopening, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::timestamp::nanos::option")]
    pub reopened_at: Option<Timestamp>,
    /// Service of the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Reference>,
    /// Its teams. The first one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<Reference>>,
    /// Its priority. A null in this field means that the priority was removed. In other fields null means unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// `high` or `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    /// Name of the incident's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_type: Option<String>,
    /// The merge, if a merge into another incident resolved this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
}

/// A service or a team as its source refers to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Id at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name that people know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of its page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Reference {
    /// `true` if an id, a name or an address is known.
    pub const fn is_known(&self) -> bool {
        self.id.is_some() || self.name.is_some() || self.url.is_some()
    }
}

/// Priority in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The priority was removed.
    Erased,
    /// Name of the priority, such as `P1`.
    Named(String),
}

/// A merge into another incident, which ends the merged one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The target of the merge, if the source names it.
    pub into: Option<IncidentId>,
}

/// Kind of an event about an incident. Each source maps its own event types to kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are clear without them")]
pub enum EventKind {
    Triggered,
    Acknowledged,
    Unacknowledged,
    PriorityUpdated,
    ServiceUpdated,
    TypeChanged,
    Resolved,
    Reopened,
    /// The incident was open at this time. So if it was resolved before, it was reopened at an unknown time between.
    ImpliedReopen,
    /// The source has deleted the incident.
    Deleted,
    /// The source has the incident. Takes back an earlier [`Self::Deleted`].
    Found,
    /// Delegated, escalated, reassigned: contains the incident's data, and changes nothing by itself.
    Routed,
    /// Notes, responders, workflows, tasks, roles, status updates, fields: contains only the incident's id.
    Mentioned,
}

impl EventKind {
    /// Order of events with the same time, lowest first. A resolve ends an incident that was triggered in the same
    /// millisecond, and a reopen undoes that resolve.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Triggered => 0,
            Self::Acknowledged
            | Self::Unacknowledged
            | Self::Routed
            | Self::Mentioned
            | Self::Deleted
            | Self::Found => 1,
            Self::PriorityUpdated | Self::ServiceUpdated | Self::TypeChanged => 2,
            Self::Resolved => 3,
            Self::Reopened | Self::ImpliedReopen => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_events_of_the_same_instant_are_ordered_by_rank() {
        let order = [
            EventKind::Triggered,
            EventKind::Acknowledged,
            EventKind::PriorityUpdated,
            EventKind::Resolved,
            EventKind::Reopened,
        ];
        let ranks = order.map(EventKind::rank);
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }
}
