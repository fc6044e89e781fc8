//! Every event type of PagerDuty, as recorded in `fixtures/pagerduty`.

use crate::harness::{Daemon, fixture};

/// PagerDuty: Webhooks, Event Types; and its test event.
const ABOUT_INCIDENTS: [&str; 26] = [
    "incident.triggered",
    "incident.acknowledged",
    "incident.unacknowledged",
    "incident.resolved",
    "incident.reopened",
    "incident.priority_updated",
    "incident.service_updated",
    "incident.incident_type.changed",
    "incident.delegated",
    "incident.escalated",
    "incident.reassigned",
    "incident.annotated",
    "incident.conference_bridge.updated",
    "incident.custom_field_values.updated",
    "incident.responder.added",
    "incident.responder.replied",
    "incident.role.assigned",
    "incident.status_update_published",
    "incident.task.created",
    "incident.task.updated",
    "incident.task.completed",
    "incident.action_invocation.created",
    "incident.action_invocation.updated",
    "incident.action_invocation.terminated",
    "incident.workflow.started",
    "incident.workflow.completed",
];

const ABOUT_OTHERS: [&str; 5] = [
    "service.created",
    "service.updated",
    "service.deleted",
    "service.custom_field_values.updated",
    "pagey.ping",
];

#[tokio::test]
async fn every_event_type_is_understood() {
    let daemon = Daemon::start("").await;
    for event_type in ABOUT_INCIDENTS {
        daemon.expect(fixture(event_type), "accepted").await;
    }
    for event_type in ABOUT_OTHERS {
        daemon.expect(fixture(event_type), "ignored").await;
    }
    let failures = daemon.failures().await;
    assert_eq!(failures.len(), 1, "all fixtures are about one incident");
    assert_eq!(daemon.probe().events(), 31);
    assert_eq!(daemon.probe().events_of_failures(), 26);
}

#[tokio::test]
async fn rule_15_a_type_not_known_yet_is_kept_and_changes_nothing() {
    let daemon = Daemon::start("").await;
    let unknown = fixture("incident.triggered").replace("incident.triggered", "incident.teleported");
    daemon.expect(unknown, "ignored").await;
    assert!(daemon.failures().await.is_empty());
    assert_eq!(daemon.probe().events_of_type("incident.teleported"), 1);
}

#[tokio::test]
async fn notes_alone_make_no_failure_and_never_end_one() {
    let daemon = Daemon::start("").await;
    daemon.expect(fixture("incident.annotated"), "accepted").await;
    assert!(daemon.failures().await.is_empty());
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    daemon.expect(fixture("incident.workflow.completed"), "accepted").await;
    let failures = daemon.failures().await;
    assert_eq!((failures.len(), failures[0]["state"].as_str()), (1, Some("open")));
}
