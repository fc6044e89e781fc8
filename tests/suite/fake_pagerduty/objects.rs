//! JSON that webhooks and REST have in common.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ids::id_of;
use super::incident::{Agent, Incident};

const API: &str = "https://api.pagerduty.com";
const SITE: &str = "https://acme.pagerduty.com";

/// Reference to a thing of this kind and id.
pub(super) fn reference(kind: &str, id: &str, summary: Option<&str>) -> Value {
    let folder = match kind {
        "priority" => "priorities".to_owned(),
        "escalation_policy" => "escalation_policies".to_owned(),
        _ => format!("{kind}s"),
    };
    let page =
        if kind == "priority" { "account/incident_priorities".into() } else { format!("{folder}/{id}") };
    json!({
        "id": id, "type": format!("{kind}_reference"), "summary": summary,
        "self": format!("{API}/{folder}/{id}"), "html_url": format!("{SITE}/{page}"),
    })
}

/// Reference to a thing that has its id from its name.
pub(super) fn named(kind: &str, name: &str) -> Value {
    reference(kind, &id_of(kind, name), Some(name))
}

/// Reference to the person that is on call at a level of the escalation policy.
pub(super) fn responder(level: u32) -> Value {
    reference("user", &format!("PUSER{level:02}"), Some(&format!("Responder {level}")))
}

/// The persons that an incident is assigned to. Nobody once it is resolved.
pub(super) fn assignees(incident: &Incident) -> Vec<Value> {
    if incident.is_open() { vec![responder(incident.level)] } else { Vec::new() }
}

/// The escalation policy of all incidents.
pub(super) fn escalation_policy() -> Value {
    reference("escalation_policy", "PESC001", Some("Default"))
}

/// The agent in a webhook.
pub(super) fn agent(agent: Agent) -> Value {
    match agent {
        Agent::User => responder(1),
        Agent::Integration => json!({
            "id": "PINTEG1", "type": "inbound_integration_reference", "summary": "Events API V2",
            "self": format!("{API}/services/PSVC001/integrations/PINTEG1"), "html_url": null,
        }),
        Agent::Nobody => Value::Null,
    }
}

/// The agent in an answer of REST, which names the service where a webhook names the integration or nobody.
pub(super) fn rest_agent(agent: Agent, service: &str) -> Value {
    if agent == Agent::User { responder(1) } else { named("service", service) }
}

/// Addresses of an incident: the API's, and the page's.
pub(super) fn addresses(incident: &str) -> (String, String) {
    (format!("{API}/incidents/{incident}"), format!("{SITE}/incidents/{incident}"))
}

/// `resolve_reason`: the target of a merge, or null.
pub(super) fn resolve_reason(incident: &Incident, incidents: &BTreeMap<String, Incident>) -> Value {
    let Some(target) = &incident.merged_into else { return Value::Null };
    let summary = incidents.get(target).map(Incident::summary);
    json!({ "type": "merge_resolve_reason", "incident": reference("incident", target, summary.as_deref()) })
}

/// The value of a custom field. Null means that the field has no value.
pub(super) fn field(name: &str, value: &Value) -> Value {
    let field_type = if value.is_array() { "multi_value" } else { "single_value" };
    let data_type = match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "float",
        _ => "string",
    };
    json!({
        "id": id_of("field", name), "name": name, "type": "field_value", "namespace": "incidents",
        "data_type": data_type, "field_type": field_type, "value": value,
    })
}
