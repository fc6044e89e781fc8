//! Bodies of webhooks (PagerDuty: Webhooks, Overview).

use std::collections::BTreeMap;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ids::id_of;
use super::incident::{Agent, Incident, Note};
use super::objects;
use super::times::{in_millis, in_seconds};

/// A webhook that PagerDuty sends for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// The `id` of its event: 26 characters.
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    /// Id of the incident. Empty in a ping.
    pub(crate) incident: String,
    pub(crate) occurred_at: Timestamp,
    pub(crate) body: String,
    /// Ids of the service and of the team, for the filters of subscriptions.
    pub(super) service: String,
    pub(super) team: String,
}

/// An event that is about to be sent.
pub(super) struct NewEvent {
    pub(super) id: String,
    pub(super) event_type: &'static str,
    pub(super) at: Timestamp,
    pub(super) agent: Agent,
}

impl NewEvent {
    /// The webhook of this event about an incident.
    pub(super) fn webhook(self, incident: &Incident, data: &Value) -> Webhook {
        Webhook {
            body: self.body("incident", data),
            event_id: self.id,
            event_type: self.event_type,
            incident: incident.id.clone(),
            occurred_at: self.at,
            service: id_of("service", &incident.service),
            team: id_of("team", &incident.team),
        }
    }

    /// The webhook that tests a subscription.
    pub(super) fn ping(self) -> Webhook {
        let data = json!({ "message": "Hello from your friend Pagey!", "type": "ping" });
        Webhook {
            body: self.body("pagey", &data),
            event_id: self.id,
            event_type: self.event_type,
            incident: String::new(),
            occurred_at: self.at,
            service: String::new(),
            team: String::new(),
        }
    }

    fn body(&self, resource: &str, data: &Value) -> String {
        json!({ "event": {
            "id": self.id, "event_type": self.event_type, "resource_type": resource,
            "occurred_at": in_millis(self.at), "agent": objects::agent(self.agent), "client": null, "data": data,
        }})
        .to_string()
    }
}

/// `data` of an event that shows the incident.
pub(super) fn incident_data(incident: &Incident, incidents: &BTreeMap<String, Incident>) -> Value {
    let (api, page) = objects::addresses(&incident.id);
    json!({
        "id": incident.id, "type": "incident", "self": api, "html_url": page, "number": incident.number,
        "status": incident.status.name(), "incident_key": null, "created_at": in_seconds(incident.created_at),
        "title": incident.title, "service": objects::named("service", &incident.service),
        "assignees": objects::assignees(incident), "escalation_policy": objects::escalation_policy(),
        "teams": [objects::named("team", &incident.team)],
        "priority": incident.priority.as_ref().map(|name| objects::named("priority", name)),
        "urgency": incident.urgency, "conference_bridge": null,
        "resolve_reason": objects::resolve_reason(incident, incidents),
        "reopened_at": incident.reopened_at.map(in_seconds), "incident_type": { "name": "incident_default" },
    })
}

/// `data` of `incident.annotated`.
pub(super) fn note_data(incident: &Incident, note: &Note) -> Value {
    json!({
        "type": "incident_note", "id": note.id, "content": note.content, "trimmed": false,
        "incident": objects::reference("incident", &incident.id, None),
    })
}

/// `data` of `incident.custom_field_values.updated`: all values, and the old ones of the fields that changed.
pub(super) fn fields_data(incident: &Incident, old: &[(String, Value)]) -> Value {
    let all: Vec<Value> = incident.fields.iter().map(|(name, value)| objects::field(name, value)).collect();
    let changed: Vec<Value> = old.iter().map(|(name, value)| objects::field(name, value)).collect();
    json!({
        "type": "incident_field_values", "custom_fields": all, "changed_custom_fields": changed,
        "incident": objects::reference("incident", &incident.id, None),
    })
}
