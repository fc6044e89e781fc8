//! `POST /analytics/raw/incidents`: a copy of all incidents that is a day behind.

use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use super::body::Object;
use super::request::{Refusal, Request, code};
use crate::fake_pagerduty::ids::id_of;
use crate::fake_pagerduty::incident::Incident;
use crate::fake_pagerduty::state::State;
use crate::fake_pagerduty::times::{Zone, in_seconds};

const BEHIND: Duration = Duration::from_hours(24);
const FIELDS: [&str; 7] =
    ["filters", "starting_after", "ending_before", "order", "order_by", "limit", "time_zone"];
const FILTERS: [&str; 10] = [
    "created_at_start",
    "created_at_end",
    "updated_after",
    "urgency",
    "major",
    "team_ids",
    "service_ids",
    "priority_ids",
    "priority_names",
    "incident_type_ids",
];

/// Answers with a page of incidents. Each has its present state, but those of the last day are missing. Of the filters
/// only those of times and services have an effect.
pub(super) fn raw_incidents(state: &State, request: &Request) -> Result<Value, Refusal> {
    request.query(&[])?;
    if !state.has_analytics {
        return Err(Refusal::correct(403, code::FORBIDDEN, "Access Denied"));
    }
    let body = request.json()?;
    let body = Object::of("the body", &body, &FIELDS)?;
    let none = json!({});
    let filters = Object::of("filters", body.get("filters").unwrap_or(&none), &FILTERS)?;
    let limit = body.number("limit", 1..=1_000)?.unwrap_or(20);
    body.choice("order_by", &["created_at"])?;
    let is_ascending = body.choice("order", &["asc", "desc"])? == Some("asc");
    let zone = match body.text("time_zone")? {
        None => Zone::UTC,
        Some(name) => {
            Zone::named(name).ok_or_else(|| Refusal::mistake(code::INVALID, "time_zone is not known"))?
        }
    };
    let mut found = filtered(state, &filters)?;
    if !is_ascending {
        found.reverse();
    }
    let begin = match body.text("starting_after")? {
        None => 0,
        Some(cursor) => {
            let last = found.iter().position(|incident| self::cursor(incident) == cursor);
            last.ok_or_else(|| Refusal::mistake(code::INVALID, "starting_after is not a cursor"))? + 1
        }
    };
    let end = found.len().min(begin + limit);
    let page = &found[begin..end];
    Ok(json!({
        "first": page.first().map(|incident| cursor(incident)),
        "last": page.last().map(|incident| cursor(incident)),
        "limit": limit, "more": end < found.len(), "order": if is_ascending { "asc" } else { "desc" },
        "order_by": "created_at", "filters": body.get("filters"), "time_zone": body.get("time_zone"),
        "data": page.iter().map(|incident| object(incident, &zone)).collect::<Vec<_>>(),
    }))
}

/// The incidents that pass the filters, the oldest first.
fn filtered<'a>(state: &'a State, filters: &Object<'_>) -> Result<Vec<&'a Incident>, Refusal> {
    let (since, until) = (filters.time("created_at_start")?, filters.time("created_at_end")?);
    let updated_after = filters.time("updated_after")?;
    let services = filters.texts("service_ids")?.unwrap_or_default();
    let known_until = state.now.saturating_sub(BEHIND);
    let is_found = |incident: &&Incident| {
        incident.created_at <= known_until
            && since.is_none_or(|since| incident.created_at >= since)
            && until.is_none_or(|until| incident.created_at < until)
            && updated_after.is_none_or(|after| computed_at(incident) > after)
            && (services.is_empty() || services.contains(&id_of("service", &incident.service).as_str()))
    };
    let mut found: Vec<&Incident> = state.incidents.values().filter(is_found).collect();
    found.sort_by_key(|incident| incident.created_at);
    Ok(found)
}

/// A cursor. Clients must not read it.
fn cursor(incident: &Incident) -> String {
    hex::encode(&incident.id)
}

/// Time at which the copy got the present state.
fn computed_at(incident: &Incident) -> Timestamp {
    incident.changed_at.saturating_add(BEHIND)
}

fn object(incident: &Incident, zone: &Zone) -> Value {
    let since_creation = |at: Timestamp| at.as_seconds() - incident.created_at.as_seconds();
    json!({
        "id": incident.id, "incident_number": incident.number, "description": incident.title,
        "status": incident.status.name(), "urgency": incident.urgency, "auto_resolved": false,
        "created_at": zone.text(incident.created_at), "resolved_at": incident.resolved_at.map(|at| zone.text(at)),
        "updated_at": in_seconds(computed_at(incident)),
        "seconds_to_resolve": incident.resolved_at.map(since_creation),
        "seconds_to_first_ack": incident.acknowledged_at.map(since_creation),
        "service_id": id_of("service", &incident.service), "service_name": incident.service,
        "team_id": id_of("team", &incident.team), "team_name": incident.team,
        "priority_id": incident.priority.as_ref().map(|name| id_of("priority", name)),
        "priority_name": incident.priority, "incident_type_name": "incident_default",
    })
}
