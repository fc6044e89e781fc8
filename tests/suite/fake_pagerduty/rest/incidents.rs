//! Incidents, their notes, and the changes related to them.

use std::cmp::Ordering;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use super::page::{PAGE, Page, Window};
use super::request::{Query, Refusal, Request, code};
use crate::fake_pagerduty::ids::id_of;
use crate::fake_pagerduty::incident::{ChangeEvent, Incident};
use crate::fake_pagerduty::objects;
use crate::fake_pagerduty::state::State;
use crate::fake_pagerduty::times::{Zone, in_millis, in_seconds};

const LIST_PARAMETERS: [&str; 12] = [
    "since",
    "until",
    "date_range",
    "statuses[]",
    "service_ids[]",
    "team_ids[]",
    "user_ids[]",
    "urgencies[]",
    "incident_key",
    "time_zone",
    "sort_by",
    "include[]",
];
const LIST_INCLUDES: [&str; 10] = [
    "acknowledgers",
    "agents",
    "assignees",
    "conference_bridge",
    "escalation_policies",
    "first_trigger_log_entries",
    "priorities",
    "services",
    "teams",
    "users",
];

/// `GET /incidents`.
pub(super) fn list(state: &State, request: &Request) -> Result<Value, Refusal> {
    let query = request.query(&[&PAGE[..], &LIST_PARAMETERS[..]].concat())?;
    query.choices("include[]", &LIST_INCLUDES)?;
    let (page, zone, window) = (Page::of(query)?, query.zone()?, Window::of(query)?);
    let statuses = query.choices("statuses[]", &["triggered", "acknowledged", "resolved"])?;
    let urgencies = query.choices("urgencies[]", &["high", "low"])?;
    let (services, teams) = (query.all("service_ids[]"), query.all("team_ids[]"));
    let window = match query.choice("date_range", &["all"])? {
        Some(_) => Some(Window::ALL),
        None => window.or_a_month(state.now),
    };
    let passes = |wanted: &[&str], value: &str| wanted.is_empty() || wanted.contains(&value);
    let names = |wanted: &[&str], kind: &str, name: &str| {
        wanted.is_empty() || wanted.contains(&id_of(kind, name).as_str())
    };
    let is_found = |incident: &&Incident| {
        window.is_some_and(|window| window.has(incident.created_at))
            && passes(&statuses, incident.status.name())
            && passes(&urgencies, &incident.urgency)
            && names(&services, "service", &incident.service)
            && names(&teams, "team", &incident.team)
            // No incident has a key.
            && query.one("incident_key").is_none()
    };
    let mut found: Vec<&Incident> = state.incidents.values().filter(is_found).collect();
    sort(&mut found, query)?;
    Ok(page.json("incidents", &found, |incident| object(state, incident, &zone)))
}

/// Sorts by at most two fields. The default is the order of creation.
fn sort(incidents: &mut [&Incident], query: Query<'_>) -> Result<(), Refusal> {
    let wrong = |field: &str| Refusal::mistake(code::INVALID, format!("sort_by has {field:?}"));
    let fields: Vec<&str> = query.one("sort_by").map_or_else(Vec::new, |fields| fields.split(',').collect());
    if fields.len() > 2 {
        return Err(wrong("more than two fields"));
    }
    // The sort is stable, so the last field is sorted first.
    for field in fields.into_iter().rev() {
        let (name, direction) = field.split_once(':').unwrap_or((field, "asc"));
        let compare: fn(&Incident, &Incident) -> Ordering = match name {
            "incident_number" => |one, other| one.number.cmp(&other.number),
            "created_at" => |one, other| one.created_at.cmp(&other.created_at),
            "resolved_at" => |one, other| one.resolved_at.cmp(&other.resolved_at),
            "urgency" => |one, other| one.urgency.cmp(&other.urgency),
            _ => return Err(wrong(field)),
        };
        match direction {
            "asc" => incidents.sort_by(|one, other| compare(one, other)),
            "desc" => incidents.sort_by(|one, other| compare(other, one)),
            _ => return Err(wrong(field)),
        }
    }
    Ok(())
}

/// The incident of a path, by id or number.
fn find<'a>(state: &'a State, id: &str) -> Result<&'a Incident, Refusal> {
    let by_number = || state.incidents.values().find(|incident| incident.number.to_string() == id);
    state.incidents.get(id).or_else(by_number).ok_or_else(Refusal::not_found)
}

/// `GET /incidents/{id}`.
pub(super) fn get(state: &State, request: &Request, id: &str) -> Result<Value, Refusal> {
    let query = request.query(&["include[]"])?;
    let includes = query.choices("include[]", &[&LIST_INCLUDES[..], &["custom_fields"]].concat())?;
    let incident = find(state, id)?;
    let mut object = object(state, incident, &Zone::UTC);
    if includes.contains(&"custom_fields") {
        let fields = incident.fields.iter().map(|(name, value)| objects::field(name, value));
        object["custom_fields"] = fields.collect();
    }
    Ok(json!({ "incident": object }))
}

/// `GET /incidents/{id}/notes`.
pub(super) fn notes(state: &State, request: &Request, id: &str) -> Result<Value, Refusal> {
    request.query(&[])?;
    let notes: Vec<Value> = find(state, id)?
        .notes
        .iter()
        .map(|note| {
            json!({
                "id": note.id, "user": objects::responder(1), "channel": { "summary": "The PagerDuty website" },
                "content": note.content, "created_at": in_seconds(note.at),
            })
        })
        .collect();
    Ok(json!({ "notes": notes }))
}

/// `GET /incidents/{id}/related_change_events`.
pub(super) fn related_changes(state: &State, request: &Request, id: &str) -> Result<Value, Refusal> {
    let limit = request.query(&["limit"])?.number("limit", 100, 1..=100)?;
    let incident = find(state, id)?;
    if let Some(status) = incident.changes_refused {
        return Err(Refusal::correct(status, code::FORBIDDEN, "Access Denied"));
    }
    let object = |change: &ChangeEvent| {
        json!({
            "id": change.id, "type": "change_event", "summary": change.summary,
            "timestamp": in_millis(change.at), "source": "deploy", "links": [], "images": [],
            "custom_details": {}, "services": [objects::named("service", &incident.service)],
            "correlation_reason": { "reason": change.reason },
        })
    };
    let changes: Vec<Value> = incident.change_events.iter().take(limit).map(object).collect();
    Ok(json!({ "change_events": changes }))
}

/// The object of an incident.
fn object(state: &State, incident: &Incident, zone: &Zone) -> Value {
    let (api, page) = objects::addresses(&incident.id);
    let time = |at: Timestamp| zone.text(at);
    let assignment = |user| json!({ "at": time(incident.created_at), "assignee": user });
    let acknowledgement = |at| json!({ "at": time(at), "acknowledger": objects::responder(1) });
    let mut object = json!({
        "id": incident.id, "type": "incident", "self": api, "html_url": page, "summary": incident.summary(),
        "incident_number": incident.number, "title": incident.title, "description": incident.title,
        "incident_key": null, "status": incident.status.name(), "urgency": incident.urgency,
        "created_at": time(incident.created_at), "updated_at": time(incident.changed_at),
        "resolved_at": incident.resolved_at.map(time),
        "last_status_change_at": time(incident.status_changed_at),
        "service": objects::named("service", &incident.service),
        "teams": [objects::named("team", &incident.team)],
        "escalation_policy": objects::escalation_policy(),
        "resolve_reason": objects::resolve_reason(incident, &state.incidents),
        "incident_type": { "name": "incident_default" }, "pending_actions": [], "is_mergeable": true,
        "alert_counts": { "all": 1, "triggered": u8::from(incident.is_open()),
                          "resolved": u8::from(!incident.is_open()) },
    });
    // Webhooks name another page of the service.
    let service = object["service"]["id"].as_str().unwrap_or_default().to_owned();
    object["service"]["html_url"] = json!(format!("https://acme.pagerduty.com/service-directory/{service}"));
    object["assignments"] = objects::assignees(incident).into_iter().map(assignment).collect();
    object["acknowledgements"] = incident.acknowledged_at.into_iter().map(acknowledgement).collect();
    object["priority"] = incident.priority.as_ref().map_or(Value::Null, |name| {
        let mut priority = objects::named("priority", name);
        priority["type"] = json!("priority");
        priority["name"] = json!(name);
        priority
    });
    object
}
