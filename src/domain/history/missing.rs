//! Which of the events that were read from a source's API tell something new.

use super::{History, NamedIn, OpenPeriod};
use crate::domain::event::{Event, Merge, Priority, Reference};
use crate::domain::timestamp::Timestamp;

/// Everything that a failure can be evaluated from. Two histories with the same conclusions give the same failure.
#[derive(Debug, PartialEq)]
struct Conclusions<'a> {
    number: Option<&'a i64>,
    texts: [Option<&'a String>; 4],
    services: [Option<Identity<'a>>; 2],
    teams: Option<Vec<Identity<'a>>>,
    priority: Option<&'a Priority>,
    times: [Option<Timestamp>; 4],
    merge: Option<&'a Merge>,
    open_periods: Vec<OpenPeriod>,
    named_deployments: Option<(&'a [String], NamedIn)>,
    is_empty: bool,
    is_deleted: bool,
}

/// Identity of a service or a team: id and name, else its address. The address alone may differ: PagerDuty's
/// webhooks and its API name different pages.
#[derive(Debug, PartialEq)]
struct Identity<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    url: Option<&'a str>,
}

impl<'a> From<&'a Reference> for Identity<'a> {
    fn from(Reference { id, name, url }: &'a Reference) -> Self {
        let url = url.as_deref().filter(|_| id.is_none());
        Self { id: id.as_deref(), name: name.as_deref(), url }
    }
}

/// Number of events above which all are stored. An incident has a few; comparing thousands would take long.
const MOST_COMPARED: usize = 100;

impl History {
    /// The smallest part of these events from which the same follows as from all of them. Events that are known
    /// already, and those that change nothing, are left out.
    ///
    /// Reading an incident once more gives mostly events whose facts the source has sent. Without this, each would be
    /// stored once more.
    pub fn missing(&self, read: Vec<Event>, received_at: Timestamp) -> Vec<Event> {
        if read.len() > MOST_COMPARED {
            return read;
        }
        let complete = self.with(&read, received_at);
        let mut missing = read;
        // The last ones first: they have the newest facts, so that what was true before them need not be kept.
        for index in (0..missing.len()).rev() {
            let left_out = missing.remove(index);
            if self.with(&missing, received_at).conclusions() != complete.conclusions() {
                missing.insert(index, left_out);
            }
        }
        missing
    }

    fn with(&self, events: &[Event], received_at: Timestamp) -> Self {
        let mut history = self.clone();
        for event in events {
            history.insert(event, received_at);
        }
        history
    }

    fn conclusions(&self) -> Conclusions<'_> {
        Conclusions {
            number: self.latest(|facts| facts.number.as_ref()),
            texts: [
                self.latest(|facts| facts.title.as_ref()),
                self.latest(|facts| facts.url.as_ref()),
                self.latest(|facts| facts.urgency.as_ref()),
                self.latest(|facts| facts.incident_type.as_ref()),
            ],
            services: [
                self.latest(|facts| facts.service.as_ref()).map(Identity::from),
                self.earliest(|facts| facts.service.as_ref()).map(Identity::from),
            ],
            teams: self
                .latest(|facts| facts.teams.as_ref())
                .map(|teams| teams.iter().map(Identity::from).collect()),
            priority: self.latest(|facts| facts.priority.as_ref()),
            times: [
                self.created_at(),
                self.triggered_at(),
                self.acknowledged_at(),
                self.acknowledged_before_first_end(),
            ],
            merge: self.merge(),
            open_periods: self.open_periods(),
            named_deployments: self.named_deployments(),
            is_empty: self.is_empty(),
            is_deleted: self.is_deleted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{EventKind, Origin, Snapshot};
    use crate::domain::history::tests::{event, history, second};

    fn read(id: &str, kind: EventKind, at: i64, facts: Snapshot) -> Event {
        Event { origin: Origin::Read, ..event(id, kind, at, facts) }
    }

    /// An event that was sent a fraction of a second after this second.
    fn sent(id: &str, kind: EventKind, at: i64, facts: Snapshot) -> Event {
        let event = event(id, kind, at, facts);
        let fraction = std::time::Duration::from_millis(789);
        Event { occurred_at: event.occurred_at.saturating_add(fraction), ..event }
    }

    fn ids(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.id.as_str()).collect()
    }

    fn titled(title: &str) -> Snapshot {
        Snapshot { title: Some(title.to_owned()), ..Snapshot::default() }
    }

    /// The events of a life that are sent, and those that are read of the same life.
    fn life() -> (Vec<Event>, Vec<Event>) {
        let none = Snapshot::default;
        let sent = vec![
            sent("S0", EventKind::Triggered, 0, titled("a")),
            sent("S1", EventKind::Acknowledged, 10, none()),
            sent("S2", EventKind::Resolved, 20, none()),
            sent("S3", EventKind::Reopened, 30, none()),
            sent("S4", EventKind::Resolved, 40, titled("b")),
        ];
        let just_before = |event: Event| Event {
            occurred_at: event.occurred_at.saturating_sub(std::time::Duration::from_nanos(1)),
            ..event
        };
        let read = vec![
            read("R0", EventKind::Triggered, 0, none()),
            read("R1", EventKind::Acknowledged, 10, none()),
            read("R2", EventKind::Resolved, 20, none()),
            just_before(read("R3", EventKind::ImpliedReopen, 40, none())),
            read("R4", EventKind::Resolved, 40, none()),
            read("R5", EventKind::Routed, 90, titled("b")),
        ];
        (sent, read)
    }

    #[test]
    fn what_was_sent_is_not_stored_again() {
        let (sent, read) = life();
        assert_eq!(ids(&history(&sent).missing(read, second(100))), [""; 0]);
    }

    #[test]
    fn each_lost_event_is_repaired_and_a_second_reading_adds_nothing() {
        let (sent, read) = life();
        let complete = history(&sent);
        for lost in 0..sent.len() {
            let mut known = sent.clone();
            known.remove(lost);
            let known = history(&known);
            let missing = known.missing(read.clone(), second(100));
            let repaired = known.with(&missing, second(100));
            assert_eq!(ids(&repaired.missing(read.clone(), second(100))), [""; 0], "{lost}");
            let ends = |history: &History| {
                let open_periods = history.open_periods();
                let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_seconds);
                open_periods.iter().map(|period| seconds(period.resolved_at)).collect::<Vec<_>>()
            };
            assert_eq!(ends(&repaired), ends(&complete), "{lost}");
            let approximate = repaired.open_periods().iter().any(|period| period.is_start_unknown);
            assert_eq!(approximate, lost == 3, "only the time of a reopen is not known: {lost}");
            // The lost event arrives later.
            let late = repaired.with(&sent[lost..=lost], second(100));
            assert_eq!(late.conclusions(), complete.conclusions(), "{lost}");
        }
    }

    #[test]
    fn without_any_event_everything_that_decides_is_read() {
        let (_, read) = life();
        let missing = History::default().missing(read, second(100));
        assert_eq!(ids(&missing), ["R0", "R1", "R2", "R3", "R4", "R5"]);
    }

    #[test]
    fn the_time_of_an_implied_reopen_may_be_told_by_a_later_event() {
        let (_, read) = life();
        let reopened_at = Snapshot { reopened_at: Some(second(30)), ..Snapshot::default() };
        let resolved = sent("S4", EventKind::Resolved, 40, reopened_at);
        let told = History::default().with(&read, second(100)).with(&[resolved], second(100));
        let periods = told.open_periods();
        assert_eq!((periods.len(), periods[1].reopened_at), (2, Some(second(30))));
        assert!(!periods[1].is_start_unknown);
    }
}
