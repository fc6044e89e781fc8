//! The types of PagerDuty's events (PagerDuty: Webhooks, Event Types).

use crate::domain::event::Kind;

/// Type of the event that PagerDuty sends when somebody tests a subscription.
pub(super) const TEST: &str = "pagey.ping";

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

/// The kind behind an `event_type`, and its name; `None` for one that is not about an incident or not known.
pub(super) fn kind(event_type: &str) -> Option<(&'static str, Kind)> {
    KINDS.iter().find(|(name, _)| *name == event_type).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_15_other_types_have_no_kind() {
        for name in [TEST, "service.created", "incident.teleported", "incident", ""] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
