//! The types of PagerDuty's events (PagerDuty: Webhooks, Event Types).

use crate::domain::event::EventKind;

/// Type of the event that PagerDuty sends when somebody tests a subscription.
pub(super) const TEST: &str = "pagey.ping";

/// Every known event type that names an incident.
const KINDS: [(&str, EventKind); 26] = [
    ("incident.triggered", EventKind::Triggered),
    ("incident.acknowledged", EventKind::Acknowledged),
    ("incident.unacknowledged", EventKind::Unacknowledged),
    ("incident.resolved", EventKind::Resolved),
    ("incident.reopened", EventKind::Reopened),
    ("incident.priority_updated", EventKind::PriorityUpdated),
    ("incident.service_updated", EventKind::ServiceUpdated),
    ("incident.incident_type.changed", EventKind::TypeChanged),
    ("incident.delegated", EventKind::Routed),
    ("incident.escalated", EventKind::Routed),
    ("incident.reassigned", EventKind::Routed),
    ("incident.annotated", EventKind::Mentioned),
    ("incident.conference_bridge.updated", EventKind::Mentioned),
    ("incident.custom_field_values.updated", EventKind::Mentioned),
    ("incident.responder.added", EventKind::Mentioned),
    ("incident.responder.replied", EventKind::Mentioned),
    ("incident.role.assigned", EventKind::Mentioned),
    ("incident.status_update_published", EventKind::Mentioned),
    ("incident.task.created", EventKind::Mentioned),
    ("incident.task.updated", EventKind::Mentioned),
    ("incident.task.completed", EventKind::Mentioned),
    ("incident.action_invocation.created", EventKind::Mentioned),
    ("incident.action_invocation.updated", EventKind::Mentioned),
    ("incident.action_invocation.terminated", EventKind::Mentioned),
    ("incident.workflow.started", EventKind::Mentioned),
    ("incident.workflow.completed", EventKind::Mentioned),
];

/// Types that only mention the incident, and may name the deployment that caused it.
const MAY_NAME_DEPLOYMENT: [&str; 2] = ["incident.annotated", "incident.custom_field_values.updated"];

/// Types that failures follow from: those with the incident's data, and those that may name a deployment.
pub(super) fn wanted() -> impl Iterator<Item = &'static str> {
    let is_wanted = |(name, kind): &&(&'static str, EventKind)| {
        *kind != EventKind::Mentioned || MAY_NAME_DEPLOYMENT.contains(name)
    };
    KINDS.iter().filter(is_wanted).map(|(name, _)| *name)
}

/// Name and kind of an `event_type`. `None` if it is unknown or not about an incident.
pub(super) fn kind(event_type: &str) -> Option<(&'static str, EventKind)> {
    KINDS.iter().find(|(name, _)| *name == event_type).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_without_facts_are_not_wanted() {
        assert_eq!(wanted().count(), 13);
        assert!(MAY_NAME_DEPLOYMENT.iter().all(|name| wanted().any(|wanted| wanted == *name)));
        assert!(wanted().all(|name| !name.starts_with("incident.task")));
    }

    #[test]
    fn rule_15_other_types_have_no_kind() {
        for name in [TEST, "service.created", "incident.teleported", "incident", ""] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
