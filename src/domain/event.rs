//! One event of a source: what it says, and where it stands in the order of an incident's events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::id::IncidentId;
use super::timestamp::Timestamp;

/// Fields of an event that are needed to keep it. The rest is read when the event is folded into its failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Id of the event, unique within its source.
    pub id: String,
    /// Type of the event, in the source's words.
    pub event_type: Cow<'static, str>,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// The incident that it is about; `None` as with [`Event::subject`].
    pub incident: Option<IncidentId>,
    /// `true` if a time of the incident lies in the year 9999, which counts as absent (rule 4).
    pub has_placeholder_time: bool,
    /// `true` if the source sends it to try the connection.
    pub is_test: bool,
}

/// A verified event, with only those facts in it that the program understands.
///
/// Two events of a source are the same event when their ids are; they *say* the same when they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Id of the event, opaque and unique within its source.
    pub id: String,
    /// Type of the event as it was sent, also where it is not known.
    pub event_type: String,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// Incident that the event is about; `None` for test events, other subjects and types not known yet.
    pub subject: Option<EventSubject>,
}

/// The incident that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSubject {
    /// The incident's id.
    pub incident: IncidentId,
    /// The event's type, as one of those known.
    pub kind: EventKind,
    /// The incident as the event shows it; `None` where the event only mentions it (notes, responders, …).
    pub snapshot: Option<Box<Snapshot>>,
    /// Deployment that the event names as the cause.
    pub deployment: Option<DeploymentHint>,
}

/// Somebody's word on the deployment that caused an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentHint {
    /// A note that begins with `deployment:`, and what follows.
    Note(String),
    /// The values of the custom field named `deployment`; none: it was emptied.
    Field(Vec<String>),
}

/// The incident as an event shows it. A `None` means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The incident's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `triggered`, `acknowledged`, `resolved`, or one that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Creation time of the incident, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::timestamp::nanos::option")]
    pub created_at: Option<Timestamp>,
    /// Time of the last reopening, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::timestamp::nanos::option")]
    pub reopened_at: Option<Timestamp>,
    /// The service it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Reference>,
    /// Its teams, of which the first counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<Reference>>,
    /// Its priority: the one field whose null says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// `high` or `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    /// Name of the incident's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_type: Option<String>,
    /// Set where the incident was resolved by being merged into another.
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
    /// The priority was taken away.
    Erased,
    /// The name of the priority, as people see it: `P1`.
    Named(String),
}

/// An end of an incident by being merged into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The incident it was merged into, where the source says so.
    pub into: Option<IncidentId>,
}

/// Kind of an event about an incident. Each source maps its own event types to kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventKind {
    Triggered,
    Acknowledged,
    Unacknowledged,
    PriorityUpdated,
    ServiceUpdated,
    TypeChanged,
    Resolved,
    Reopened,
    /// Delegated, escalated, reassigned: an incident object and nothing of its own.
    Routed,
    /// Notes, responders, workflows, tasks, roles, status updates, fields: a mention.
    Mentioned,
}

impl EventKind {
    /// Order of two events of the same instant: a resolve ends the state that a trigger of the same millisecond
    /// began, and a reopen undoes that resolve.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Triggered => 0,
            Self::Acknowledged | Self::Unacknowledged | Self::Routed | Self::Mentioned => 1,
            Self::PriorityUpdated | Self::ServiceUpdated | Self::TypeChanged => 2,
            Self::Resolved => 3,
            Self::Reopened => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_ranks_within_an_instant() {
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
