//! The events of one deployment of a source, and the deployment that follows from them.
//!
//! The result depends on the set of the events only, not on their order of arrival, nor on duplicates.

use serde::{Deserialize, Serialize};

use super::deployment_event::{DeploymentFacts, DeploymentState};
use super::event::Event;
use super::timestamp::{Timestamp, nanos};

/// An event, without the facts that can no longer matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(with = "nanos")]
    at: Timestamp,
    state: DeploymentState,
    id: String,
    facts: DeploymentFacts,
}

/// Position of an event among those of its deployment: time, then rank of the state, then id. A shorter id is the earlier
/// one, because ids end with numbers that grow. The time of arrival never counts.
type Position<'a> = (Timestamp, u8, usize, &'a str);

impl Entry {
    fn position(&self) -> Position<'_> {
        (self.at, self.state.rank(), self.id.len(), &self.id)
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
            facts: about.facts.clone(),
        };
        let Err(index) = self.entries.binary_search_by(|other| other.position().cmp(&entry.position()))
        else {
            return false;
        };
        let before = self.clone();
        self.entries.insert(index, entry);
        self.drop_irrelevant();
        *self != before
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

    /// Start and end of the deployment. `None` if it has not succeeded.
    ///
    /// The end is the first success. Without a success, an `Inactive` shows that there was one at an unknown time. Then
    /// the deployment ends at its start.
    pub fn span(&self) -> Option<Span<'_>> {
        let first = |state, because| {
            let entry = self.first(state)?;
            Some(Moment { at: entry.at, event: Some(&entry.id), because })
        };
        let success = first(DeploymentState::Succeeded, "the first success");
        let inactive = first(
            DeploymentState::Inactive,
            "the event that shows an earlier success: no event with the success has arrived",
        );
        let shown = success.clone().or(inactive)?;
        let begun = first(DeploymentState::InProgress, "the first event of the running deployment");
        let created = self.facts().created_at.map(|at| Moment {
            at,
            event: None,
            because: "the creation of the deployment: no event of the running deployment has arrived",
        });
        let not_later = |moment: &Moment<'_>| moment.at <= shown.at;
        let start = begun.filter(not_later).or_else(|| created.filter(not_later));
        let start = start.unwrap_or_else(|| Moment {
            because: "the end: no event of the running deployment has arrived",
            ..shown.clone()
        });
        let end = success.unwrap_or_else(|| Moment {
            because: "the start: later events show a success, and no event with the success has arrived",
            ..start.clone()
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
