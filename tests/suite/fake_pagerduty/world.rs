//! A world of incidents, and the calls that change it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use super::ids::Ids;
use super::incident::{Agent, ChangeEvent, Incident, LogKind, Note, Status};
use super::state::State;
use super::times::whole_second;
use super::webhooks::{Webhook, fields_data, note_data};
use crate::harness;

/// Time from a reopen to its event. PagerDuty takes about a second.
const REOPEN_DELAY: Duration = Duration::from_millis(1_042);

/// Number of the first incident.
const FIRST_NUMBER: u64 = 4_711;

/// The incidents of an account. Clones are the same world.
///
/// Each change takes its time. The times of one incident's changes grow. A change that PagerDuty would not allow is a
/// mistake of the test, and panics.
#[derive(Debug, Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    /// Client of all deliveries, built at the first one.
    client: Arc<OnceLock<reqwest::Client>>,
}

impl World {
    /// A world without incidents, where it is 2026-11-20. Worlds with different seeds share no id. A seed has at most
    /// 44 bits.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State {
            ids: Ids::new(seed),
            now: Timestamp::parse("2026-11-20T00:00:00Z").unwrap(),
            next_number: FIRST_NUMBER,
            incidents: BTreeMap::new(),
            log: Vec::new(),
            webhooks: Vec::new(),
            subscriptions: Vec::new(),
            has_analytics: true,
            is_read_only: false,
            logs_merges: false,
        };
        Self { state: Arc::new(Mutex::new(state)), client: Arc::default() }
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        self.client.get_or_init(harness::client)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Every webhook so far, in the order in which PagerDuty made the events.
    pub(crate) fn webhooks(&self) -> Vec<Webhook> {
        self.lock().webhooks.clone()
    }

    /// Ids of all incidents that are not deleted, the oldest first.
    pub(crate) fn incidents(&self) -> Vec<String> {
        self.lock().incidents.keys().cloned().collect()
    }
}

/// Changes of incidents.
impl World {
    /// Opens an incident, and returns its id.
    pub(crate) fn trigger(
        &self,
        at: Timestamp,
        service: &str,
        urgency: &str,
        priority: Option<&str>,
        title: &str,
    ) -> String {
        let mut state = self.lock();
        let id = state.ids.incident();
        let number = state.next_number;
        state.next_number += 1;
        state.now = state.now.max(at);
        let incident = Incident {
            id: id.clone(),
            number,
            title: title.to_owned(),
            service: service.to_owned(),
            team: format!("team of {service}"),
            urgency: urgency.to_owned(),
            priority: priority.map(str::to_owned),
            status: Status::Triggered,
            level: 1,
            created_at: whole_second(at),
            changed_at: at,
            told_at: at,
            status_changed_at: at,
            acknowledged_at: None,
            resolved_at: None,
            reopened_at: None,
            merged_into: None,
            notes: Vec::new(),
            fields: BTreeMap::new(),
            change_events: Vec::new(),
            changes_refused: None,
        };
        state.incidents.insert(id.clone(), incident);
        state.log(&id, LogKind::Trigger, at, Agent::Integration);
        state.log(&id, LogKind::Notify, at, Agent::Nobody);
        state.send("incident.triggered", &id, at, Agent::Integration);
        id
    }

    /// Acknowledges an open incident.
    pub(crate) fn acknowledge(&self, id: &str, at: Timestamp) {
        let mut state = self.lock();
        state.change_open(id, at);
        state.set_status(id, Status::Acknowledged, at);
        state.log(id, LogKind::Acknowledge, at, Agent::User);
        state.send("incident.acknowledged", id, at, Agent::User);
    }

    /// Lets the acknowledgement time out.
    pub(crate) fn unacknowledge(&self, id: &str, at: Timestamp) {
        let mut state = self.lock();
        assert!(state.change(id, at).status == Status::Acknowledged, "{id} is not acknowledged");
        state.set_status(id, Status::Triggered, at);
        state.log(id, LogKind::Unacknowledge, at, Agent::Nobody);
        state.send("incident.unacknowledged", id, at, Agent::Nobody);
    }

    /// Escalates an open incident to the next level.
    pub(crate) fn escalate(&self, id: &str, at: Timestamp) {
        let mut state = self.lock();
        state.change_open(id, at).level += 1;
        state.set_status(id, Status::Triggered, at);
        state.log(id, LogKind::Escalate, at, Agent::Nobody);
        state.send("incident.escalated", id, at, Agent::Nobody);
    }

    /// Changes the priority. `None` removes it.
    pub(crate) fn set_priority(&self, id: &str, at: Timestamp, priority: Option<&str>) {
        let mut state = self.lock();
        state.change(id, at).priority = priority.map(str::to_owned);
        state.log(id, LogKind::PriorityChange, at, Agent::User);
        state.send("incident.priority_updated", id, at, Agent::User);
    }

    /// Moves an open incident to another service. Its team stays.
    pub(crate) fn move_to(&self, id: &str, at: Timestamp, service: &str) {
        let mut state = self.lock();
        service.clone_into(&mut state.change_open(id, at).service);
        state.send("incident.service_updated", id, at, Agent::User);
    }

    /// Edits the title. PagerDuty sends no webhook.
    pub(crate) fn set_title(&self, id: &str, at: Timestamp, title: &str) {
        title.clone_into(&mut self.lock().change(id, at).title);
    }

    /// Changes the urgency of an open incident. PagerDuty sends no webhook.
    pub(crate) fn set_urgency(&self, id: &str, at: Timestamp, urgency: &str) {
        urgency.clone_into(&mut self.lock().change_open(id, at).urgency);
    }

    /// Merges an open incident into another open one, the target. This resolves the first one, and nothing tells of it
    /// at the target.
    pub(crate) fn merge(&self, id: &str, at: Timestamp, target: &str) {
        let mut state = self.lock();
        assert!(id != target && state.incident(target).is_open(), "nothing can be merged into {target}");
        state.change_open(id, at).merged_into = Some(target.to_owned());
        state.set_status(id, Status::Resolved, at);
        if state.logs_merges {
            state.log(id, LogKind::Resolve, at, Agent::User);
        }
        state.send("incident.resolved", id, at, Agent::User);
    }

    /// Resolves an open incident.
    pub(crate) fn resolve(&self, id: &str, at: Timestamp) {
        let mut state = self.lock();
        state.change_open(id, at);
        state.set_status(id, Status::Resolved, at);
        state.log(id, LogKind::Resolve, at, Agent::User);
        state.send("incident.resolved", id, at, Agent::User);
    }

    /// Reopens a resolved or merged incident at this time, in whole seconds. Its event occurs about a second later. The
    /// next change of the incident has to be later than that.
    pub(crate) fn reopen(&self, id: &str, at: Timestamp) {
        let mut state = self.lock();
        let told_at = at.saturating_add(REOPEN_DELAY);
        let incident = state.change(id, at);
        assert!(!incident.is_open(), "{id} is open");
        incident.merged_into = None;
        incident.told_at = told_at;
        incident.reopened_at = Some(whole_second(at));
        state.set_status(id, Status::Triggered, at);
        state.send("incident.reopened", id, told_at, Agent::User);
    }

    /// Adds a note, and returns its id.
    pub(crate) fn add_note(&self, id: &str, at: Timestamp, content: &str) -> String {
        let mut state = self.lock();
        let note = Note { id: state.ids.other(), at, content: content.to_owned() };
        let note_id = note.id.clone();
        let incident = state.change(id, at);
        let data = note_data(incident, &note);
        incident.notes.push(note);
        state.log_note(id, LogKind::Annotate, (at, Agent::User), Some(content.to_owned()));
        state.send_data("incident.annotated", id, (at, Agent::User), &data);
        note_id
    }

    /// Edits a note. PagerDuty sends no webhook.
    pub(crate) fn edit_note(&self, id: &str, at: Timestamp, note: &str, content: &str) {
        let mut state = self.lock();
        let mut notes = state.change(id, at).notes.iter_mut();
        let found = notes.find(|known| known.id == note);
        content.clone_into(&mut found.unwrap_or_else(|| panic!("{id} has no note {note}")).content);
    }

    /// Deletes a note. PagerDuty sends no webhook.
    pub(crate) fn delete_note(&self, id: &str, at: Timestamp, note: &str) {
        self.lock().change(id, at).notes.retain(|known| known.id != note);
    }

    /// Sets custom fields. A null takes the value away.
    pub(crate) fn set_fields(&self, id: &str, at: Timestamp, values: &[(&str, Value)]) {
        let mut state = self.lock();
        let fields = &mut state.change(id, at).fields;
        let mut old = Vec::new();
        for (name, value) in values {
            let before = match value {
                Value::Null => fields.remove(*name),
                value => fields.insert((*name).to_owned(), value.clone()),
            };
            old.push(((*name).to_owned(), before.unwrap_or(Value::Null)));
        }
        let data = fields_data(state.incident(id), &old);
        state.send_data("incident.custom_field_values.updated", id, (at, Agent::User), &data);
    }

    /// Relates a change that another tool reported to an incident. The incident itself does not change.
    pub(crate) fn relate_change(&self, id: &str, at: Timestamp, reason: &'static str, summary: &str) {
        let mut state = self.lock();
        let change = ChangeEvent { id: state.ids.other(), at, summary: summary.to_owned(), reason };
        let incident =
            state.incidents.get_mut(id).unwrap_or_else(|| panic!("the world has no incident {id}"));
        incident.change_events.push(change);
    }

    /// Answers each request for the changes of an incident with this status from now on. `None` ends that.
    pub(crate) fn refuse_changes(&self, id: &str, status: Option<u16>) {
        let mut state = self.lock();
        let incident =
            state.incidents.get_mut(id).unwrap_or_else(|| panic!("the world has no incident {id}"));
        incident.changes_refused = status;
    }

    /// Deletes an incident. PagerDuty sends no webhook, and the log still names the incident.
    pub(crate) fn delete(&self, id: &str) {
        assert!(self.lock().incidents.remove(id).is_some(), "the world has no incident {id}");
    }
}
