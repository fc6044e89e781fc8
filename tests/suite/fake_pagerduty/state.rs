//! Everything that a fake PagerDuty knows.

use std::collections::BTreeMap;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use super::ids::Ids;
use super::incident::{Agent, Incident, LogEntry, LogKind, Status};
use super::subscription::Subscription;
use super::webhooks::{NewEvent, Webhook, incident_data};

/// An account with its incidents. Methods have the steps that several changes share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ids: Ids,
    /// The present time. A change moves it forward.
    pub(super) now: Timestamp,
    /// Number of the next incident.
    pub(super) next_number: u64,
    /// Incidents by id, and so by the order of their creation.
    pub(super) incidents: BTreeMap<String, Incident>,
    /// The log, in the order of the changes.
    pub(super) log: Vec<LogEntry>,
    /// Every webhook so far, in order.
    pub(super) webhooks: Vec<Webhook>,
    pub(super) subscriptions: Vec<Subscription>,
    /// `false` if the plan has no analytics.
    pub(super) has_analytics: bool,
    /// `true` if the token may only read.
    pub(super) is_read_only: bool,
    /// `true` if the log has a resolve for each merge.
    pub(super) logs_merges: bool,
}

impl State {
    pub(super) fn incident(&self, id: &str) -> &Incident {
        self.incidents.get(id).unwrap_or_else(|| panic!("the world has no incident {id}"))
    }

    fn incident_mut(&mut self, id: &str) -> &mut Incident {
        self.incidents.get_mut(id).unwrap_or_else(|| panic!("the world has no incident {id}"))
    }

    /// Begins a change at this time, which is later than all earlier changes of the incident.
    pub(super) fn change(&mut self, id: &str, at: Timestamp) -> &mut Incident {
        self.now = self.now.max(at);
        let incident = self.incident_mut(id);
        let last = incident.told_at;
        assert!(at > last, "the change of {id} at {at} is not later than the last one, at {last}");
        (incident.changed_at, incident.told_at) = (at, at);
        incident
    }

    /// Begins a change that only an open incident may have.
    pub(super) fn change_open(&mut self, id: &str, at: Timestamp) -> &mut Incident {
        let incident = self.change(id, at);
        assert!(incident.is_open(), "{id} is resolved");
        incident
    }

    /// Sets the status, and the times that follow from it.
    pub(super) fn set_status(&mut self, id: &str, status: Status, at: Timestamp) {
        let incident = self.incident_mut(id);
        incident.status = status;
        incident.status_changed_at = at;
        incident.acknowledged_at = (status == Status::Acknowledged).then_some(at);
        incident.resolved_at = (status == Status::Resolved).then_some(at);
    }

    /// Adds an entry to the log.
    pub(super) fn log(&mut self, id: &str, kind: LogKind, at: Timestamp, agent: Agent) {
        self.log_note(id, kind, (at, agent), None);
    }

    /// Adds an entry with the content of a note.
    pub(super) fn log_note(
        &mut self,
        id: &str,
        kind: LogKind,
        (at, agent): (Timestamp, Agent),
        note: Option<String>,
    ) {
        let entry_id = self.ids.log_entry();
        let incident = self.incident(id);
        let entry = LogEntry {
            id: entry_id,
            kind,
            at,
            agent,
            incident: id.to_owned(),
            incident_summary: incident.summary(),
            service: incident.service.clone(),
            team: incident.team.clone(),
            note,
        };
        self.log.push(entry);
    }

    /// Adds the webhook of an event that shows the incident as it is now.
    pub(super) fn send(&mut self, event_type: &'static str, id: &str, at: Timestamp, agent: Agent) {
        let data = incident_data(self.incident(id), &self.incidents);
        self.send_data(event_type, id, (at, agent), &data);
    }

    /// Adds the webhook of an event with this data.
    pub(super) fn send_data(
        &mut self,
        event_type: &'static str,
        id: &str,
        (at, agent): (Timestamp, Agent),
        data: &Value,
    ) {
        let event = NewEvent { id: self.ids.event(at), event_type, at, agent };
        let webhook = event.webhook(self.incident(id), data);
        self.webhooks.push(webhook);
    }

    pub(super) fn subscription(&mut self, id: &str) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.id == id)
    }
}
