//! History of an incident: the set of its events, reduced to the facts that can still decide something.
//!
//! A history does not depend on the order in which its events arrive, or on duplicates. Events are sorted by position
//! (time, rank, id). A fact is dropped only when another event has made it irrelevant for ever. The test
//! `history_is_a_set` checks this.

mod missing;

use serde::{Deserialize, Serialize};

use super::event::{Event, EventKind, Merge, NamedDeployment, Origin, Snapshot};
use super::id::IncidentId;
pub use super::open_period::OpenPeriod;
use super::open_period::{OpenPeriods, Reopening, SAME_FACT};
use super::timestamp::{Timestamp, nanos};

/// Position of an event among the events of its incident: time, then rank, then id. The time of arrival never counts.
type Position<'a> = (Timestamp, u8, &'a str);

/// An event without the facts that a later event has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(with = "nanos")]
    at: Timestamp,
    kind: EventKind,
    id: String,
    #[serde(default, skip_serializing_if = "Origin::is_sent")]
    origin: Origin,
    facts: Snapshot,
}

impl Entry {
    fn position(&self) -> Position<'_> {
        (self.at, self.kind.rank(), &self.id)
    }

    /// Time of the incident's last reopen in this event's data.
    fn shown_reopening(&self) -> Option<Timestamp> {
        self.facts.reopened_at.filter(|reopened_at| *reopened_at <= self.at)
    }

    /// `true` if the incident is open in this event's data, and the event is not the reopen itself.
    fn shows_open(&self) -> bool {
        !matches!(self.kind, EventKind::Reopened | EventKind::ImpliedReopen)
            && matches!(self.facts.status.as_deref(), Some("triggered" | "acknowledged"))
    }

    /// The reopen that the event shows.
    fn reopening(&self) -> Option<Reopening> {
        match self.kind {
            EventKind::Reopened => {
                Some(Reopening::Event { at: self.at, reopened_at: self.facts.reopened_at })
            }
            EventKind::ImpliedReopen => Some(Reopening::Implied { at: self.at }),
            _ if self.shows_open() => Some(Reopening::Shown { at: self.shown_reopening()?, is_open: true }),
            EventKind::Resolved => Some(Reopening::Shown { at: self.shown_reopening()?, is_open: false }),
            _ => None,
        }
    }
}

/// The events of one incident. Empty until an event shows the incident itself: a note alone makes no failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    entries: Vec<Entry>,
    /// Deployments that notes and custom fields name as the cause.
    #[serde(default, skip_serializing_if = "Hints::is_empty")]
    hints: Hints,
    /// `true` if a time in any event was more than five minutes after the event's arrival.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_the_future: bool,
    /// Last answer of the source's API to the question whether it has the incident. `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
}

/// Answer to the question whether the source has the incident. The latest one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Presence {
    #[serde(with = "nanos")]
    at: Timestamp,
    is_found: bool,
}

impl History {
    /// Adds an event that was received at `received_at`. Returns `false` if it changes no fact.
    pub fn insert(&mut self, event: &Event, received_at: Timestamp) -> bool {
        let Some(subject) = event.about_incident() else {
            return false;
        };
        let has_hint = self.hints.insert(event, subject.deployment.as_ref());
        if matches!(subject.kind, EventKind::Deleted | EventKind::Found) {
            let told = Some(Presence { at: event.occurred_at, is_found: subject.kind == EventKind::Found });
            let is_latest = told > self.presence;
            if is_latest {
                self.presence = told;
            }
            return is_latest;
        }
        let Some((kind, snapshot)) = subject.snapshot.as_deref().map(|snapshot| (subject.kind, snapshot))
        else {
            return has_hint;
        };
        let entry = Entry {
            at: event.occurred_at,
            kind,
            id: event.id.clone(),
            origin: event.origin,
            facts: snapshot.clone(),
        };
        let Err(index) = self.entries.binary_search_by(|other| other.position().cmp(&entry.position()))
        else {
            return has_hint;
        };
        let (at, rank, id) = (entry.at, kind.rank(), entry.id.clone());
        let was_in_the_future = self.in_the_future;
        let is_ahead = |time: Timestamp| time.is_ahead_of(received_at);
        self.in_the_future |= is_ahead(entry.at) || entry.facts.created_at.is_some_and(is_ahead);
        self.entries.insert(index, entry);
        self.drop_irrelevant_facts();
        // If the new entry was dropped again, the other entries have all its facts.
        let is_kept = self.entries.binary_search_by(|other| other.position().cmp(&(at, rank, &id))).is_ok();
        is_kept || has_hint || self.in_the_future != was_in_the_future
    }

    /// Deployments that somebody named as the cause, and the place where they were named. The custom field wins over
    /// notes. There are several if the field holds a list.
    pub fn named_deployments(&self) -> Option<(&[String], NamedIn)> {
        let has_values = |hint: &'_ Option<Hint>| hint.as_ref().is_some_and(|hint| !hint.values.is_empty());
        let (hint, by) = if has_values(&self.hints.field) {
            (&self.hints.field, NamedIn::Field)
        } else {
            (&self.hints.note, NamedIn::Note)
        };
        hint.as_ref().filter(|hint| !hint.values.is_empty()).map(|hint| (hint.values.as_slice(), by))
    }

    /// `true` if no event with the incident's data was added yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// `true` if a time in any event was more than five minutes after the event's arrival.
    pub fn in_the_future(&self) -> bool {
        self.in_the_future
    }

    /// `true` if the source has deleted the incident.
    pub fn is_deleted(&self) -> bool {
        self.presence.as_ref().is_some_and(|presence| !presence.is_found)
    }

    /// The latest known value of a fact.
    pub fn latest<'a, T>(&'a self, fact: impl Fn(&'a Snapshot) -> Option<&'a T>) -> Option<&'a T> {
        self.entries.iter().rev().find_map(|entry| fact(&entry.facts))
    }

    /// The earliest known value of a fact. Only for the service: the earliest values of other facts are dropped.
    pub fn earliest<'a, T>(&'a self, fact: impl Fn(&'a Snapshot) -> Option<&'a T>) -> Option<&'a T> {
        self.entries.iter().find_map(|entry| fact(&entry.facts))
    }

    /// Time of the earliest event that shows the incident.
    pub fn first_seen_at(&self) -> Option<Timestamp> {
        self.entries.first().map(|entry| entry.at)
    }

    /// Time of the trigger.
    pub fn triggered_at(&self) -> Option<Timestamp> {
        self.first(EventKind::Triggered).map(|entry| entry.at)
    }

    /// Time of the first acknowledgement.
    pub fn acknowledged_at(&self) -> Option<Timestamp> {
        self.first(EventKind::Acknowledged).map(|entry| entry.at)
    }

    /// Time of the first acknowledgement, if that was before the first resolve.
    pub fn acknowledged_before_first_end(&self) -> Option<Timestamp> {
        let acknowledged = self.first(EventKind::Acknowledged)?;
        let resolved_earlier = self
            .first(EventKind::Resolved)
            .is_some_and(|resolved| resolved.position() < acknowledged.position());
        (!resolved_earlier).then_some(acknowledged.at)
    }

    /// Facts of the last resolve, if the incident was not reopened after it; `None` while the incident is open.
    fn deciding_resolve(&self) -> Option<&Snapshot> {
        self.open_periods().last()?.resolved_at?;
        self.counting().rfind(|entry| entry.kind == EventKind::Resolved).map(|entry| &entry.facts)
    }

    /// The merge that ended the incident, if its last resolve is a merge.
    pub fn merge(&self) -> Option<&Merge> {
        // A cheap check first: few incidents were merged.
        self.entries.iter().find(|entry| entry.facts.merge.is_some())?;
        self.deciding_resolve()?.merge.as_ref()
    }

    /// The incident that it was merged into, if its last resolve is a merge and names the target.
    pub fn merge_target(&self) -> Option<&IncidentId> {
        self.merge()?.into.as_ref()
    }

    /// Creation time by PagerDuty, in whole seconds.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.latest(|facts| facts.created_at.as_ref()).copied()
    }

    /// Periods in which it was open, in order. There is always at least one.
    ///
    /// A resolve of a resolved incident moves the end. A reopen of an open incident shows that a resolve never arrived.
    pub fn open_periods(&self) -> Vec<OpenPeriod> {
        let mut open_periods = OpenPeriods::default();
        for entry in &self.entries {
            let counts = self.counts(entry);
            // What an event only shows is true in any case.
            let reopening = entry.reopening().filter(|reopening| counts || reopening.is_shown());
            if let Some(reopening) = reopening {
                open_periods.reopened(reopening);
            }
            if entry.kind == EventKind::Resolved && counts {
                open_periods.resolved(entry.at);
            }
        }
        open_periods.finish()
    }

    fn first(&self, kind: EventKind) -> Option<&Entry> {
        self.counting().find(|entry| entry.kind == kind)
    }

    /// The entries, without those that were read and that the source sent, too: the sent ones have exact times.
    fn counting(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.counts(entry))
    }

    /// `false` for an entry that was read, if the source sent its fact, too.
    fn counts(&self, entry: &Entry) -> bool {
        let around = entry.at.saturating_sub(SAME_FACT)..entry.at.saturating_add(SAME_FACT);
        let is_same_fact = |sent: &Entry| {
            sent.origin == Origin::Sent && sent.kind == entry.kind && around.contains(&sent.at)
        };
        // An incident is triggered once.
        let is_trigger = |sent: &Entry| {
            entry.kind == EventKind::Triggered && sent.kind == entry.kind && sent.origin == Origin::Sent
        };
        entry.origin == Origin::Sent
            || !self.entries.iter().any(|sent| is_same_fact(sent) || is_trigger(sent))
    }

    /// Drops the facts that a later event has replaced, and the entries that can no longer affect any result.
    fn drop_irrelevant_facts(&mut self) {
        let first_service = self.entries.iter().position(|entry| entry.facts.service.is_some());
        let mut known = KnownFacts::default();
        for (index, entry) in self.entries.iter_mut().enumerate().rev() {
            keep_latest(&mut entry.facts, &mut known, Some(index) == first_service);
        }
        // The first ones of each kind and origin: which of two origins counts depends on events that may still come.
        let (mut triggered, mut acknowledged, mut reopenings) = ([false; 2], [false; 2], Vec::new());
        let mut index = 0;
        self.entries.retain_mut(|entry| {
            let shown = entry.shown_reopening().filter(|_| entry.shows_open());
            let is_new = shown.is_some_and(|shown| !reopenings.contains(&shown));
            reopenings.extend(shown);
            if !is_new {
                entry.facts.status = None;
                // Resolves and reopens are never dropped, and `reopened_at` is read from each of them.
                if !matches!(entry.kind, EventKind::Resolved | EventKind::Reopened) {
                    entry.facts.reopened_at = None;
                }
            }
            if entry.kind != EventKind::Resolved {
                entry.facts.merge = None;
            }
            let origin = usize::from(!entry.origin.is_sent());
            let is_first_of_its_kind = match entry.kind {
                EventKind::Triggered => !std::mem::replace(&mut triggered[origin], true),
                EventKind::Acknowledged => !std::mem::replace(&mut acknowledged[origin], true),
                EventKind::Resolved | EventKind::Reopened | EventKind::ImpliedReopen => true,
                _ => false,
            };
            index += 1;
            index == 1 || is_first_of_its_kind || entry.facts != Snapshot::default()
        });
    }
}

/// Place where a deployment was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedIn {
    /// The custom field named `deployment`.
    Field,
    /// The last note that begins with `deployment:`.
    Note,
}

/// Latest names of the deployment that caused the incident: one from the custom field, one from notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<Hint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Hint>,
}

/// Deployments that one event names. They are ordered like events: by time, then id. All these events have one rank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Hint {
    #[serde(with = "nanos")]
    at: Timestamp,
    id: String,
    values: Vec<String>,
}

impl Hints {
    fn is_empty(&self) -> bool {
        self.field.is_none() && self.note.is_none()
    }

    /// Keeps the hint if it is the latest. Returns `true` if it was kept.
    fn insert(&mut self, event: &Event, hint: Option<&NamedDeployment>) -> bool {
        let (kept, values) = match hint {
            None => return false,
            Some(NamedDeployment::Field(values)) => (&mut self.field, values.clone()),
            Some(NamedDeployment::Note(value)) => (&mut self.note, value.iter().cloned().collect()),
        };
        let hint = Some(Hint { at: event.occurred_at, id: event.id.clone(), values });
        let is_latest = hint > *kept;
        if is_latest {
            *kept = hint;
        }
        is_latest
    }
}

/// Facts that are known from later events: one flag for each fact that [`keep_latest`] clears.
type KnownFacts = [bool; 9];

/// Clears the facts that are known from later events, and marks the others as known.
fn keep_latest(facts: &mut Snapshot, known: &mut KnownFacts, keep_service: bool) {
    fn keep<T>(fact: &mut Option<T>, known: &mut bool) {
        if *known {
            *fact = None;
        }
        *known |= fact.is_some();
    }
    let [number, title, url, created_at, service, teams, priority, urgency, incident_type] = known;
    keep(&mut facts.number, number);
    keep(&mut facts.title, title);
    keep(&mut facts.url, url);
    keep(&mut facts.created_at, created_at);
    keep(&mut facts.teams, teams);
    keep(&mut facts.priority, priority);
    keep(&mut facts.urgency, urgency);
    keep(&mut facts.incident_type, incident_type);
    if !keep_service {
        keep(&mut facts.service, service);
    }
}

#[cfg(test)]
pub(super) mod tests;
