//! The events of one deployment of a source, and the deployment that follows from them.
//!
//! The result depends on the set of the events only, not on their order of arrival, nor on duplicates.

use serde::{Deserialize, Serialize};

use super::deployment_event::{DeploymentFacts, DeploymentState};
use super::event::{Event, Origin};
use super::timestamp::{Timestamp, nanos};

/// An event, without the facts that can no longer matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(with = "nanos")]
    at: Timestamp,
    state: DeploymentState,
    id: String,
    #[serde(default, skip_serializing_if = "Origin::is_sent")]
    origin: Origin,
    facts: DeploymentFacts,
}

/// Position of an event among those of its deployment: time, then rank of the state, then id. A shorter id is the earlier
/// one, because ids end with numbers that grow. The time of arrival never counts.
type Position<'a> = (Timestamp, u8, usize, &'a str);

impl Entry {
    fn position(&self) -> Position<'_> {
        (self.at, self.state.rank(), self.id.len(), &self.id)
    }

    /// `true` if this event was read from the source's API, and the other one is the same event as it was sent. An API
    /// that does not tell the exact time tells only the beginning of the id.
    fn is_copy_of(&self, sent: &Self) -> bool {
        let rest = sent.id.strip_prefix(&self.id);
        !self.origin.is_sent()
            && sent.origin.is_sent()
            && self.state == sent.state
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

/// The events of one deployment at its source.
///
/// Serialized, it is enough to add later events, also after their bodies are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentHistory {
    entries: Vec<Entry>,
}

/// A moment of a deployment, and the reason why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment<'a> {
    /// The time.
    pub at: Timestamp,
    /// The event with that time. `None` if the time is a fact that the events have.
    pub event: Option<&'a str>,
    /// Reason for the choice, as the end of a sentence.
    pub because: &'static str,
}

/// The start and the end of a deployment that succeeded. The end is not before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    /// The start.
    pub start: Moment<'a>,
    /// The end.
    pub end: Moment<'a>,
}

impl DeploymentHistory {
    /// Adds an event. Returns `false` if it changes nothing: it is not about a deployment, was added before, or can no
    /// longer matter.
    pub fn insert(&mut self, event: &Event) -> bool {
        let Some(about) = event.about_deployment() else {
            return false;
        };
        let entry = Entry {
            at: event.occurred_at,
            state: about.state,
            id: event.id.clone(),
            origin: event.origin,
            facts: about.facts.clone(),
        };
        let before = self.clone();
        self.add(entry);
        self.drop_irrelevant();
        *self != before
    }

    /// Adds an event. If it is known as it was sent and as it was read, the sent one counts. Facts that only the other one
    /// has are kept.
    fn add(&mut self, mut entry: Entry) {
        if let Some(sent) = self.entries.iter_mut().find(|sent| entry.is_copy_of(sent)) {
            return sent.facts.fill_from(&entry.facts);
        }
        self.entries.retain(|read| {
            let is_copy = read.is_copy_of(&entry);
            if is_copy {
                entry.facts.fill_from(&read.facts);
            }
            !is_copy
        });
        if let Err(index) = self.entries.binary_search_by(|other| other.position().cmp(&entry.position())) {
            self.entries.insert(index, entry);
        }
    }

    /// `true` if no event was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last state. `None` if no event was added.
    pub fn state(&self) -> Option<DeploymentState> {
        self.entries.last().map(|entry| entry.state)
    }

    /// Time of the last event. `None` if no event was added.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.entries.last().map(|entry| entry.at)
    }

    /// State in an event. `None` if the event is not known, or can no longer matter.
    pub fn state_in(&self, event_id: &str) -> Option<DeploymentState> {
        self.entries.iter().find(|entry| entry.id == event_id).map(|entry| entry.state)
    }

    /// `true` if it has succeeded or ended otherwise, `false` if it waits or runs.
    pub fn has_ended(&self) -> bool {
        self.span().is_some() || self.state().is_some_and(|state| !state.is_unfinished())
    }

    /// Start of a deployment that has not succeeded: the first event of the running deployment, else its creation, else
    /// its first event. `None` if no event was added.
    pub fn begun_at(&self) -> Option<Timestamp> {
        let last_at = self.last_at()?;
        let begun = self.first(DeploymentState::InProgress).map(|entry| entry.at);
        let created = self.facts().created_at.filter(|at| *at <= last_at);
        begun.or(created).or_else(|| self.entries.first().map(|entry| entry.at))
    }

    /// The facts that count: those of the event that made the deployment a success. A fact that this event does not have
    /// comes from the latest event that has it.
    pub fn facts(&self) -> DeploymentFacts {
        let mut facts =
            self.first(DeploymentState::Succeeded).map(|entry| entry.facts.clone()).unwrap_or_default();
        for entry in self.entries.iter().rev() {
            facts.fill_from(&entry.facts);
        }
        facts
    }

    /// Start and end of the deployment. `None` if it has not succeeded. The end is the first success.
    ///
    /// An `Inactive` shows no success: GitHub adds one itself only to a deployment that has succeeded, but people and
    /// scripts add it to others, too.
    pub fn span(&self) -> Option<Span<'_>> {
        let moment_of_first = |state, because| {
            let entry = self.first(state)?;
            Some(Moment { at: entry.at, event: Some(&entry.id), because })
        };
        let end = moment_of_first(DeploymentState::Succeeded, "the first success")?;
        let begun = moment_of_first(DeploymentState::InProgress, "the first event of the running deployment");
        let created = self.facts().created_at.map(|at| Moment {
            at,
            event: None,
            because: "the creation of the deployment: no event of the running deployment has arrived",
        });
        let not_later = |moment: &Moment<'_>| moment.at <= end.at;
        let start = begun.filter(not_later).or_else(|| created.filter(not_later));
        let start = start.unwrap_or_else(|| Moment {
            because: "the end: no event of the running deployment has arrived",
            ..end.clone()
        });
        Some(Span { start, end })
    }

    fn first(&self, state: DeploymentState) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.state == state)
    }

    /// Drops the facts that a later event has, too, unless the event is the first success, and the events without facts
    /// that are neither the first one with their state nor the last of all.
    fn drop_irrelevant(&mut self) {
        let first_success = self.entries.iter().position(|entry| entry.state == DeploymentState::Succeeded);
        let mut known = DeploymentFacts::default();
        for (index, entry) in self.entries.iter_mut().enumerate().rev() {
            let facts = entry.facts.clone();
            if Some(index) != first_success {
                entry.facts.forget_known_in(&known);
            }
            known.fill_from(&facts);
        }
        let last = self.entries.len().saturating_sub(1);
        let (mut seen, mut index) = (0_u32, 0);
        self.entries.retain(|entry| {
            let bit = 1 << entry.state.rank();
            let is_first = seen & bit == 0;
            seen |= bit;
            index += 1;
            is_first || index - 1 == last || entry.facts != DeploymentFacts::default()
        });
    }
}

#[cfg(test)]
pub(super) mod tests;
