//! The log: of one incident, and of all.

use serde_json::{Value, json};

use super::page::{PAGE, Page, Window};
use super::request::{Refusal, Request};
use crate::fake_pagerduty::ids::id_of;
use crate::fake_pagerduty::incident::{LogEntry, LogKind};
use crate::fake_pagerduty::objects;
use crate::fake_pagerduty::state::State;
use crate::fake_pagerduty::times::Zone;

const PARAMETERS: [&str; 5] = ["since", "until", "is_overview", "time_zone", "include[]"];
const INCLUDES: [&str; 4] = ["incidents", "services", "channels", "teams"];

/// `GET /log_entries`, the newest entry first.
pub(super) fn of_all(state: &State, request: &Request) -> Result<Value, Refusal> {
    let query = request.query(&[&PAGE[..], &PARAMETERS[..], &["team_ids[]"]].concat())?;
    let teams = query.all("team_ids[]");
    entries(state, request, |entry| teams.is_empty() || teams.contains(&id_of("team", &entry.team).as_str()))
}

/// `GET /incidents/{id}/log_entries`, the newest entry first.
pub(super) fn of_incident(state: &State, request: &Request, id: &str) -> Result<Value, Refusal> {
    request.query(&[&PAGE[..], &PARAMETERS[..]].concat())?;
    if !state.incidents.contains_key(id) {
        return Err(Refusal::not_found());
    }
    entries(state, request, |entry| entry.incident == id)
}

fn entries(
    state: &State,
    request: &Request,
    is_wanted: impl Fn(&LogEntry) -> bool,
) -> Result<Value, Refusal> {
    let query = request.query(&[&PAGE[..], &PARAMETERS[..], &["team_ids[]"]].concat())?;
    query.choices("include[]", &INCLUDES)?;
    let (page, zone, window) = (Page::of(query)?, query.zone()?, Window::of(query)?);
    let is_overview = query.flag("is_overview")?;
    let is_shown = |entry: &&LogEntry| {
        is_wanted(entry) && window.has(entry.at) && (!is_overview || entry.kind.is_important())
    };
    let mut found: Vec<&LogEntry> = state.log.iter().rev().filter(is_shown).collect();
    found.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    Ok(page.json("log_entries", &found, |entry| object(entry, &zone)))
}

fn object(entry: &LogEntry, zone: &Zone) -> Value {
    let channel = match entry.kind {
        LogKind::Trigger => json!({ "type": "api" }),
        LogKind::Annotate => json!({ "type": "note", "summary": entry.note }),
        _ => json!({ "type": "auto" }),
    };
    json!({
        "id": entry.id, "type": entry.kind.name(), "summary": entry.kind.name().replace('_', " "),
        "self": format!("https://api.pagerduty.com/log_entries/{}", entry.id), "html_url": null,
        "created_at": zone.text(entry.at), "agent": objects::rest_agent(entry.agent, &entry.service),
        "channel": channel, "note": entry.note, "contexts": [], "event_details": {},
        "service": objects::named("service", &entry.service),
        "incident": objects::reference("incident", &entry.incident, Some(&entry.incident_summary)),
        "teams": [objects::named("team", &entry.team)],
    })
}
