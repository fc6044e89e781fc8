//! One PagerDuty event: what it says, and where it stands in the order of an incident's events.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::id::IncidentId;
use super::timestamp::Timestamp;

/// Fields of an event that are needed to keep it. The rest is read when the event is folded into its failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// `event.id`.
    pub id: String,
    /// `event.event_type`.
    pub event_type: Cow<'static, str>,
    /// `event.occurred_at`.
    pub occurred_at: Timestamp,
    /// The incident that it is about; `None` as with [`Event::subject`].
    pub incident: Option<IncidentId>,
    /// `true` if a time of the incident lies in the year 9999, which counts as absent (rule 4).
    pub tells_never: bool,
}

/// A verified event, with only those facts in it that the program understands.
///
/// Two events are the same event when their ids are; they *say* the same when they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `event.id`: opaque, grows with time (PagerDuty: ULIDs, sometimes 38 digits or a UUID).
    pub id: String,
    /// `event.event_type` as it was sent, also where it is not known.
    pub event_type: String,
    /// `event.occurred_at`.
    pub occurred_at: Timestamp,
    /// Incident that the event is about; `None` for pings, service events and types not known yet.
    pub subject: Option<Subject>,
}

/// The incident that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The incident's id.
    pub incident: IncidentId,
    /// The event's type, as one of those known.
    pub kind: Kind,
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

/// The incident object inside an event. A `None` means unknown, whatever PagerDuty meant by its null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `html_url`.
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
    /// `incident_type.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_type: Option<String>,
    /// Set where the incident was resolved by being merged into another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
}

/// A PagerDuty resource reference: its id, its name (`summary`) and its address (`html_url`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The resource's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `summary`: the name people know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `html_url`.
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
    /// The priority was taken away (PagerDuty sends null).
    Erased,
    /// The name of the priority, as people see it: `P1`.
    Named(String),
}

/// A `resolve_reason` that is a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// The incident it was merged into, where PagerDuty says so.
    pub into: Option<IncidentId>,
}

/// The known types of events about incidents (PagerDuty: Webhooks, Event Types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are PagerDuty's own")]
pub enum Kind {
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

/// Every known event type that names an incident.
const KINDS: [(&str, Kind); 26] = [
    ("incident.triggered", Kind::Triggered),
    ("incident.acknowledged", Kind::Acknowledged),
    ("incident.unacknowledged", Kind::Unacknowledged),
    ("incident.resolved", Kind::Resolved),
    ("incident.reopened", Kind::Reopened),
    ("incident.priority_updated", Kind::PriorityUpdated),
    ("incident.service_updated", Kind::ServiceUpdated),
    ("incident.incident_type.changed", Kind::TypeChanged),
    ("incident.delegated", Kind::Routed),
    ("incident.escalated", Kind::Routed),
    ("incident.reassigned", Kind::Routed),
    ("incident.annotated", Kind::Mentioned),
    ("incident.conference_bridge.updated", Kind::Mentioned),
    ("incident.custom_field_values.updated", Kind::Mentioned),
    ("incident.responder.added", Kind::Mentioned),
    ("incident.responder.replied", Kind::Mentioned),
    ("incident.role.assigned", Kind::Mentioned),
    ("incident.status_update_published", Kind::Mentioned),
    ("incident.task.created", Kind::Mentioned),
    ("incident.task.updated", Kind::Mentioned),
    ("incident.task.completed", Kind::Mentioned),
    ("incident.action_invocation.created", Kind::Mentioned),
    ("incident.action_invocation.updated", Kind::Mentioned),
    ("incident.action_invocation.terminated", Kind::Mentioned),
    ("incident.workflow.started", Kind::Mentioned),
    ("incident.workflow.completed", Kind::Mentioned),
];

impl Kind {
    /// The kind behind an `event_type`, and its name; `None` for one that is not about an incident or not known.
    pub fn parse(event_type: &str) -> Option<(&'static str, Self)> {
        KINDS.iter().find(|(name, _)| *name == event_type).copied()
    }

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
        let order = ["triggered", "acknowledged", "priority_updated", "resolved", "reopened"];
        let ranks: Vec<_> =
            order.map(|name| Kind::parse(&format!("incident.{name}")).unwrap().1.rank()).into();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }

    #[test]
    fn rule_15_other_types_have_no_kind() {
        for name in ["pagey.ping", "service.created", "incident.teleported", "incident", ""] {
            assert_eq!(Kind::parse(name), None, "{name}");
        }
    }
}
