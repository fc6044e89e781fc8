//! The present state of one incident, and the log.

use std::collections::BTreeMap;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

/// Status of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Triggered,
    Acknowledged,
    Resolved,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// An incident as it is now.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) title: String,
    /// Name of the service.
    pub(super) service: String,
    /// Name of the team. It stays when the incident moves to another service.
    pub(super) team: String,
    pub(super) urgency: String,
    pub(super) priority: Option<String>,
    pub(super) status: Status,
    /// Level of the escalation policy, from 1. It decides who is assigned.
    pub(super) level: u32,
    pub(super) created_at: Timestamp,
    /// Time of the last change of any kind.
    pub(super) changed_at: Timestamp,
    /// Time of the last event. It is later than the change only for a reopen. The next change has to be later.
    pub(super) told_at: Timestamp,
    pub(super) status_changed_at: Timestamp,
    pub(super) acknowledged_at: Option<Timestamp>,
    /// `None` unless it is resolved now: a reopen erases the time, as in PagerDuty.
    pub(super) resolved_at: Option<Timestamp>,
    pub(super) reopened_at: Option<Timestamp>,
    /// Id of the incident that it was merged into. `None` after a reopen.
    pub(super) merged_into: Option<String>,
    pub(super) notes: Vec<Note>,
    /// Custom fields that have a value, by name.
    pub(super) fields: BTreeMap<String, Value>,
    pub(super) change_events: Vec<ChangeEvent>,
    /// Status of each answer about the change events, instead of the answer.
    pub(super) changes_refused: Option<u16>,
}

impl Incident {
    pub(super) fn is_open(&self) -> bool {
        self.status != Status::Resolved
    }

    /// The text that references to the incident have.
    pub(super) fn summary(&self) -> String {
        format!("[#{}] {}", self.number, self.title)
    }
}

/// A note on an incident.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) content: String,
}

/// A change that another tool reported to PagerDuty, related to an incident.
#[derive(Debug)]
pub(super) struct ChangeEvent {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) summary: String,
    /// `most_recent`, `related_service` or `intelligent`.
    pub(super) reason: &'static str,
}

/// Person or thing that changed an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agent {
    User,
    /// The integration that the monitoring uses.
    Integration,
    /// PagerDuty itself, such as a timeout.
    Nobody,
}

/// Kind of an entry of the log. Reopens, merges, and moves to another service have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogKind {
    Trigger,
    Notify,
    Acknowledge,
    Unacknowledge,
    Escalate,
    PriorityChange,
    Annotate,
    Resolve,
}

impl LogKind {
    /// The `type` in an answer.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Trigger => "trigger_log_entry",
            Self::Notify => "notify_log_entry",
            Self::Acknowledge => "acknowledge_log_entry",
            Self::Unacknowledge => "unacknowledge_log_entry",
            Self::Escalate => "escalate_log_entry",
            Self::PriorityChange => "priority_change_log_entry",
            Self::Annotate => "annotate_log_entry",
            Self::Resolve => "resolve_log_entry",
        }
    }

    /// `true` if `is_overview=true` shows it.
    pub(super) fn is_important(self) -> bool {
        self != Self::Notify
    }
}

/// An entry of the log of all incidents. It outlives its incident.
#[derive(Debug)]
pub(super) struct LogEntry {
    pub(super) id: String,
    pub(super) kind: LogKind,
    pub(super) at: Timestamp,
    pub(super) agent: Agent,
    /// Id of the incident, and the texts that references need.
    pub(super) incident: String,
    pub(super) incident_summary: String,
    pub(super) service: String,
    pub(super) team: String,
    /// Content of a note.
    pub(super) note: Option<String>,
}
