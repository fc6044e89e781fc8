//! What PagerDuty's REST API tells of an incident, as events of a source of its own.
//!
//! The answers say what an incident is now, and what its log says of the past. Each of these facts becomes an event in
//! the shape of a webhook, so that the same code reads both. Times in answers are in whole seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::event_type;
use super::name::{NAME, READ_NAME};
use super::payload::{self, NotUnderstood, RESOLUTION_NOTE};
use super::rest::{LogEntry, LogKind, Note};
use crate::domain::event::{Event, EventKind, EventSubject, Heading, NamedDeployment, ReadEvent};
use crate::domain::id::IncidentId;
use crate::domain::named::in_note;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;

/// PagerDuty's REST API. Its events are about the incidents of PagerDuty.
pub static SOURCE: Source = Source {
    name: READ_NAME,
    incidents_of: Some(NAME),
    title: "PagerDuty's REST API",
    heading: heading_or_reason,
    parse: stored,
};

/// Event types that no webhook has.
const READ_KINDS: [(&str, EventKind); 5] = [
    (FOUND, EventKind::Found),
    (STATE, EventKind::Routed),
    (NOTES, EventKind::Mentioned),
    (IMPLIED_REOPEN, EventKind::ImpliedReopen),
    (DELETED, EventKind::Deleted),
];

/// The incident as it was when it was read.
const STATE: &str = "incident.read";
/// The last note that names a deployment, when the notes were read.
const NOTES: &str = "incident.notes_read";
/// The incident was open at this time. If it was resolved before, somebody has reopened it.
const IMPLIED_REOPEN: &str = "incident.reopened_before";
/// The incident was found.
const FOUND: &str = "incident.found";
/// The incident was not found.
const DELETED: &str = "incident.deleted";
/// The values of custom fields, when they were read.
const FIELDS: &str = "incident.custom_field_values.updated";

/// Answers about one incident.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The incident.
    pub incident: IncidentId,
    /// Time of the answers, by PagerDuty's clock.
    pub at: Timestamp,
    /// The incident itself. `None` if PagerDuty has deleted it.
    pub found: Option<FoundIncident>,
}

/// Answers about an incident that was found.
#[derive(Debug, Clone)]
pub struct FoundIncident {
    /// The object `incident`.
    pub incident: Value,
    /// Its log, in any order.
    pub log: Vec<LogEntry>,
    /// Its notes, in any order.
    pub notes: Vec<Note>,
}

impl Reading {
    /// Every fact of the answers as an event, in order of time. Ids are made from incident, type and time, so that a
    /// fact has the same id in each reading.
    pub fn events(&self) -> Result<Vec<ReadEvent>, NotUnderstood> {
        let facts = match &self.found {
            None => vec![(DELETED, self.at, json!({}))],
            Some(found) => found.facts(self.at),
        };
        facts.into_iter().map(|(event_type, at, data)| self.event(event_type, at, data)).collect()
    }

    fn event(&self, event_type: &str, at: Timestamp, mut data: Value) -> Result<ReadEvent, NotUnderstood> {
        let incident = self.incident.as_str();
        if data.get("type").is_none() {
            data["type"] = json!("incident");
            data["id"] = json!(incident);
        }
        // A merge may be seen later than the resolve in the log. It comes after it in the order of ids.
        let target = data.pointer("/resolve_reason/incident/id").and_then(Value::as_str);
        let target = target.filter(|target| IncidentId::parse(&NAME, target).is_some());
        let target = target.map_or_else(String::new, |target| format!(":{target}"));
        let id = format!("{incident}:{event_type}:{at}{target}");
        let event = json!({"id": id, "event_type": event_type, "occurred_at": at.to_string(), "data": data});
        let body = json!({ "event": event }).to_string().into_bytes();
        Ok(ReadEvent { event: parse(&body)?, body })
    }
}

/// A fact: its event type, its time, and the event's `data`.
type Fact = (&'static str, Timestamp, Value);

/// Largest difference between two times of one change in PagerDuty's answers.
const TOLERANCE: Duration = Duration::from_secs(2);
/// Time after which two changes are told apart for certain.
const SOON: Duration = Duration::from_secs(4);
/// Time that stands for "just before": the smallest step.
const JUST_BEFORE: Duration = Duration::from_nanos(1);

impl FoundIncident {
    /// Id of the incident in the answer.
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// Time of the last change, as far as it is known.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let times = ["updated_at", "last_status_change_at", "resolved_at", "created_at"];
        let times = times.into_iter().filter_map(|field| self.time(field));
        times.chain(self.log.iter().map(|entry| entry.at)).max()
    }

    /// Id of the service.
    pub fn service(&self) -> Option<&str> {
        self.incident.pointer("/service/id")?.as_str()
    }

    /// Ids of the teams.
    pub fn teams(&self) -> impl Iterator<Item = &str> {
        let teams = self.incident.get("teams").and_then(Value::as_array).into_iter().flatten();
        teams.filter_map(|team| team.get("id")?.as_str())
    }

    fn facts(&self, read_at: Timestamp) -> Vec<Fact> {
        let mut log = self.log.clone();
        log.sort_by_key(|entry| (entry.at, entry.kind));
        let first = |kind: LogKind| log.iter().find(|entry| entry.kind == kind).map(|entry| entry.at);
        let created_at = self.time("created_at").or_else(|| first(LogKind::Trigger));
        let mut facts: Vec<Fact> = Vec::new();
        facts.extend(created_at.map(|at| ("incident.triggered", at, json!({}))));
        facts.extend(first(LogKind::Acknowledge).map(|at| ("incident.acknowledged", at, json!({}))));
        facts.extend(self.resolves_and_reopens(&log, read_at));
        facts.push((FOUND, read_at, json!({})));
        facts.push((STATE, read_at, self.state()));
        let incident = self.incident.get("id").cloned().unwrap_or_default();
        let notes = json!({
            "type": "incident_note", "incident": {"id": incident}, "content": self.note_with_deployment(),
        });
        facts.push((NOTES, read_at, notes));
        if let Some(fields) = self.incident.get("custom_fields").filter(|fields| fields.is_array()) {
            let fields = json!({
                "type": "incident_field_values", "incident": {"id": incident}, "custom_fields": fields,
            });
            facts.push((FIELDS, read_at, fields));
        }
        facts
    }

    /// The resolves, and the reopens that follow from the log. It has no entry for a reopen, and none for a merge.
    fn resolves_and_reopens(&self, log: &[LogEntry], read_at: Timestamp) -> Vec<Fact> {
        let is_resolved = self.text("status") == Some("resolved");
        let mut resolves: Vec<Timestamp> =
            log.iter().filter(|entry| entry.kind == LogKind::Resolve).map(|entry| entry.at).collect();
        if let Some(at) = self.time("resolved_at").filter(|_| is_resolved)
            && resolves.last().is_none_or(|last| *last < at)
        {
            resolves.push(at);
        }
        let mut facts: Vec<Fact> = Vec::new();
        for (index, &at) in resolves.iter().enumerate() {
            let is_last = index + 1 == resolves.len();
            let reason = self.incident.get("resolve_reason").filter(|_| is_last && is_resolved);
            facts.push(("incident.resolved", at, json!({"resolve_reason": reason})));
        }
        // An incident that is acknowledged or resolved was open just before. After each resolve, the first such entry
        // tells the most. The last one tells of a reopen after a merge.
        let entries = log.iter().filter(|entry| {
            matches!(entry.kind, LogKind::Acknowledge | LogKind::Unacknowledge | LogKind::Resolve)
        });
        let shows_open: BTreeSet<Timestamp> =
            entries.map(|entry| entry.at).chain(resolves.last().copied()).collect();
        let first_after = |at: &Timestamp| shows_open.iter().find(|shown| *shown > at).copied();
        let told = resolves.iter().filter_map(first_after).chain(shows_open.last().copied());
        let told: BTreeSet<Timestamp> = told.collect();
        facts.extend(told.into_iter().map(|at| (IMPLIED_REOPEN, at.saturating_sub(JUST_BEFORE), json!({}))));
        // Any other status, also a missing one, tells nothing.
        if matches!(self.text("status"), Some("triggered" | "acknowledged")) {
            let is_reopened = |at: &Timestamp| resolves.iter().any(|resolved_at| resolved_at < at);
            facts.push(match self.reopened_after(log).filter(is_reopened) {
                Some(reopened_at) => ("incident.reopened", reopened_at, json!({})),
                None => (IMPLIED_REOPEN, self.open_at(read_at), json!({})),
            });
        }
        facts
    }

    /// A time at which the incident was certainly open: some seconds after its last change, because a time so near to a
    /// resolve could be taken for that of the resolve. Not the time of the answer: a resolve may have come since the
    /// answer was made.
    fn open_at(&self, read_at: Timestamp) -> Timestamp {
        let changed_at = self.time("last_status_change_at");
        changed_at.map_or(read_at, |changed_at| changed_at.saturating_add(SOON).min(read_at))
    }

    /// Time of a reopen that the log does not tell: the status changed after the last entry about it, and is
    /// `triggered` now. The resolve before it may be missing as well, because a merge has no entry.
    fn reopened_after(&self, log: &[LogEntry]) -> Option<Timestamp> {
        let changed_at =
            self.time("last_status_change_at").filter(|_| self.text("status") == Some("triggered"))?;
        // An escalation changes the status, too. So an entry of any kind at that time may be the reason.
        let is_before = |at: Timestamp| at.saturating_add(TOLERANCE) < changed_at;
        let is_after = |at: Timestamp| changed_at.saturating_add(TOLERANCE) < at;
        let explains_nothing =
            |entry: &LogEntry| is_before(entry.at) || (entry.kind == LogKind::Other && is_after(entry.at));
        let is_new = self.time("created_at").is_some_and(is_before);
        (is_new && log.iter().all(explains_nothing)).then_some(changed_at)
    }

    /// The incident as the `data` of a webhook. REST calls the number `incident_number`.
    fn state(&self) -> Value {
        let mut state = self.incident.clone();
        if let Some(fields) = state.as_object_mut() {
            if let Some(number) = fields.remove("incident_number") {
                fields.insert("number".to_owned(), number);
            }
            // Facts of their own, or of no use.
            for field in
                ["custom_fields", "resolve_reason", "status", "description", "summary", "alert_counts"]
            {
                fields.remove(field);
            }
            fields.insert("type".to_owned(), json!("incident"));
        }
        state
    }

    /// The last note that names a deployment; empty if there is none.
    fn note_with_deployment(&self) -> &str {
        let named = self.notes.iter().filter(|note| in_note(&note.content, RESOLUTION_NOTE).is_some());
        named.max_by_key(|note| (note.at, &note.id)).map_or("", |note| &note.content)
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.incident.get(field)?.as_str()
    }

    fn time(&self, field: &str) -> Option<Timestamp> {
        self.text(field).and_then(|text| Timestamp::parse(text).ok())
    }
}

fn kind(event_type: &str) -> Option<(&'static str, EventKind)> {
    event_type::kind(event_type).or_else(|| READ_KINDS.iter().find(|(name, _)| *name == event_type).copied())
}

fn parse(body: &[u8]) -> Result<Event, NotUnderstood> {
    let mut event = payload::parse_read(body, kind)?;
    if event.event_type == NOTES
        && let Some(EventSubject::Incident(subject)) = &mut event.subject
        && subject.deployment.is_none()
    {
        subject.deployment = Some(NamedDeployment::Note(None));
    }
    Ok(event)
}

fn stored(body: &[u8]) -> Option<Event> {
    parse(body).ok()
}

fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    parse(body).map(|event| event.heading()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
