//! One incident: its present state, its log, its notes, and the changes that PagerDuty relates to it.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::client::RestClient;
use super::error::RestError;
use super::listing::{Extent, MOST_LISTED, Page};
use super::request::Request;
use crate::domain::address::text_without_credentials;
use crate::domain::name::name;
use crate::domain::related_change::RelatedChange;
use crate::domain::timestamp::Timestamp;

/// Greatest number of changes that are read from an answer, and of the services of a change.
const MOST_RELATED: usize = 100;
/// Greatest number of characters of a text about a change. PagerDuty takes summaries of this length.
const LONGEST_CHANGE_CHARS: usize = 1_024;

/// Entry of the log of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEntry {
    /// Id of the entry.
    pub id: String,
    /// Change that the entry tells of.
    #[serde(rename = "type")]
    pub kind: LogKind,
    /// Time of the change, in whole seconds.
    #[serde(rename = "created_at")]
    pub at: Timestamp,
}

/// Change that a log entry tells of, in the order in which they happen within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub enum LogKind {
    /// The incident was triggered.
    Trigger,
    /// Somebody acknowledged it.
    Acknowledge,
    /// The acknowledgement ended.
    Unacknowledge,
    /// It was resolved.
    Resolve,
    /// Any other change.
    Other,
}

impl From<String> for LogKind {
    fn from(text: String) -> Self {
        match text.as_str() {
            "trigger_log_entry" => Self::Trigger,
            "acknowledge_log_entry" => Self::Acknowledge,
            "unacknowledge_log_entry" => Self::Unacknowledge,
            "resolve_log_entry" => Self::Resolve,
            _ => Self::Other,
        }
    }
}

/// Note of an incident, as it is now: notes can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Note {
    /// Id of the note.
    pub id: String,
    /// Time at which it was written.
    #[serde(rename = "created_at")]
    pub at: Timestamp,
    /// Its text. Empty if PagerDuty has none.
    #[serde(deserialize_with = "null_as_empty")]
    pub content: String,
}

#[derive(Deserialize)]
struct IncidentAnswer {
    incident: Map<String, Value>,
}

#[derive(Deserialize)]
struct LogPage {
    log_entries: Vec<LogEntry>,
    more: bool,
}

impl Page for LogPage {
    fn has_more(&self) -> bool {
        self.more
    }
}

#[derive(Deserialize)]
struct NotesAnswer {
    notes: Vec<Note>,
}

#[derive(Deserialize)]
struct ChangesAnswer {
    change_events: Vec<WireChange>,
}

#[derive(Deserialize)]
struct WireChange {
    id: String,
    timestamp: Timestamp,
    summary: Option<String>,
    source: Option<String>,
    services: Option<Vec<WireService>>,
    correlation_reason: Option<WireReason>,
}

#[derive(Deserialize)]
struct WireService {
    id: String,
    summary: Option<String>,
}

#[derive(Deserialize)]
struct WireReason {
    reason: Option<String>,
}

impl From<WireChange> for RelatedChange {
    fn from(change: WireChange) -> Self {
        let services = change.services.into_iter().flatten().take(MOST_RELATED);
        let services =
            services.filter_map(|service| clean(service.summary).or_else(|| clean(Some(service.id))));
        Self {
            id: clean(Some(change.id)).unwrap_or_default(),
            at: change.timestamp,
            summary: clean(change.summary),
            source: clean(change.source),
            services: services.collect(),
            reason: change.correlation_reason.and_then(|correlation| clean(correlation.reason)),
        }
    }
}

/// A text about a change, without credentials, and not too long. `None` if it is blank.
fn clean(text: Option<String>) -> Option<String> {
    let text = text?;
    let text = text_without_credentials(&text);
    name(&text).map(|text| text.chars().take(LONGEST_CHANGE_CHARS).collect())
}

fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl RestClient {
    /// The object `incident` with its custom fields, and the time of the answer by PagerDuty's clock. `None` if
    /// PagerDuty does not have the incident (any more).
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn incident(&self, id: &str) -> Result<Option<(Value, Option<Timestamp>)>, RestError> {
        let query = [("include[]", "custom_fields")];
        match self.read_dated::<IncidentAnswer>(&Request::get(&["incidents", id], &query)).await {
            Ok((answer, at)) => Ok(Some((Value::Object(answer.incident), at))),
            Err(RestError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The log of an incident, oldest entry first. Entries of the same second are in PagerDuty's order.
    ///
    /// # Errors
    /// There is no usable answer, PagerDuty does not have the incident, or the log is longer than PagerDuty lists.
    pub async fn log_of(&self, id: &str) -> Result<Vec<LogEntry>, RestError> {
        let path = ["incidents", id, "log_entries"];
        let query = [("is_overview", "false"), ("time_zone", "UTC")];
        let mut entries: Vec<LogEntry> = Vec::new();
        let extent =
            self.pages(&path, &query, MOST_LISTED, |page: LogPage| entries.extend(page.log_entries)).await?;
        if extent == Extent::TooLong {
            let request = Request::get(&path, &query).to_string();
            return Err(RestError::WindowTooFull { request, place: format!("in the log of incident {id}") });
        }
        // PagerDuty lists the newest first. An entry that comes in meanwhile moves the others to the next page, where
        // some are listed again.
        entries.reverse();
        let mut seen = std::collections::HashSet::new();
        entries.retain(|entry| seen.insert(entry.id.clone()));
        entries.sort_by_key(|entry| entry.at);
        Ok(entries)
    }

    /// The notes of an incident, oldest first.
    ///
    /// # Errors
    /// There is no usable answer, or PagerDuty does not have the incident.
    pub async fn notes_of(&self, id: &str) -> Result<Vec<Note>, RestError> {
        let NotesAnswer { mut notes } = self.read(&Request::get(&["incidents", id, "notes"], &[])).await?;
        notes.sort_by_key(|note| note.at);
        Ok(notes)
    }

    /// The change events that PagerDuty relates to an incident, in PagerDuty's order. At most a hundred.
    ///
    /// # Errors
    /// There is no usable answer, or PagerDuty does not have the incident.
    pub async fn related_change_events(&self, id: &str) -> Result<Vec<RelatedChange>, RestError> {
        let path = ["incidents", id, "related_change_events"];
        let answer: ChangesAnswer = self.read(&Request::get(&path, &[])).await?;
        let changes = answer.change_events.into_iter().take(MOST_RELATED);
        Ok(changes.map(RelatedChange::from).collect())
    }
}
