use super::*;
use crate::domain::event::{AboutIncident, EventSubject, Origin, Reference};
use crate::domain::id::IncidentId;
use crate::domain::source_name::SourceName;
use proptest::prelude::*;

const KINDS: [EventKind; 10] = [
    EventKind::Triggered,
    EventKind::Acknowledged,
    EventKind::Unacknowledged,
    EventKind::PriorityUpdated,
    EventKind::ServiceUpdated,
    EventKind::TypeChanged,
    EventKind::Resolved,
    EventKind::Reopened,
    EventKind::Routed,
    EventKind::ImpliedReopen,
];

pub(super) fn second(n: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + n).unwrap()
}

pub(super) fn event(id: &str, kind: EventKind, at: i64, facts: Snapshot) -> Event {
    let incident = IncidentId::parse(&SourceName::new("pagerduty"), "Q1").unwrap();
    let subject = AboutIncident { incident, kind, snapshot: Some(Box::new(facts)), deployment: None };
    let occurred_at = second(at);
    Event {
        id: id.into(),
        event_type: String::new(),
        occurred_at,
        origin: Origin::Sent,
        subject: Some(EventSubject::Incident(subject)),
    }
}

pub(super) fn history(events: &[Event]) -> History {
    let mut history = History::default();
    for event in events {
        history.insert(event, second(1_000));
    }
    history
}

/// Results of all functions of a history.
fn results(history: &History) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        history.latest(|s| s.title.as_ref()),
        history.latest(|s| s.priority.as_ref()),
        history.latest(|s| s.created_at.as_ref()),
        history.latest(|s| s.service.as_ref()),
        history.earliest(|s| s.service.as_ref()),
        history.first_seen_at(),
        history.triggered_at(),
        history.acknowledged_before_first_end(),
        history.deciding_resolve().map(|s| &s.merge),
        history.open_periods(),
        history.in_the_future(),
    )
}

fn facts() -> impl Strategy<Value = Snapshot> {
    let text = || prop::option::of("[a-c]");
    (text(), text(), prop::option::of(0i64..30), prop::option::of(0i64..30), 0..4usize).prop_map(
        |(title, service, created_at, reopened_at, status)| Snapshot {
            title,
            service: service.map(|id| Reference { id: Some(id), ..Reference::default() }),
            created_at: created_at.map(second),
            reopened_at: reopened_at.map(second),
            status: ["triggered", "acknowledged", "resolved", "new"].get(status).map(|&s| s.into()),
            ..Snapshot::default()
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..KINDS.len(), 0i64..30, facts(), any::<bool>());
    prop::collection::vec(one, 1..9).prop_map(|list| {
        let number = |(n, (kind, at, facts, is_read))| Event {
            origin: if is_read { Origin::Read } else { Origin::Sent },
            ..event(&format!("E{n}"), KINDS[kind], at, facts)
        };
        list.into_iter().enumerate().map(number).collect()
    })
}

proptest! {
    /// Order, duplicates, restarts and dropped facts change nothing.
    #[test]
    fn history_is_a_set(
        (sorted, shuffled) in events().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle())),
        repeated in any::<prop::sample::Index>(),
    ) {
        let mut arrival = shuffled;
        arrival.push(arrival[repeated.index(arrival.len())].clone());
        let mut stored = History::default();
        for event in &arrival {
            stored.insert(event, second(1_000));
            stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        }
        prop_assert_eq!(&stored, &history(&sorted));
        prop_assert_eq!(results(&stored), results(&unreduced(&sorted)));
    }
}

/// History of the same events without dropped facts.
fn unreduced(events: &[Event]) -> History {
    let mut entries: Vec<_> = events
        .iter()
        .map(|event| {
            let subject = event.about_incident().unwrap();
            let facts = *subject.snapshot.clone().unwrap();
            let (kind, origin) = (subject.kind, event.origin);
            Entry { at: event.occurred_at, kind, id: event.id.clone(), origin, facts }
        })
        .collect();
    entries.sort_by(|a, b| a.position().cmp(&b.position()));
    History { entries, ..History::default() }
}

fn open_period(reopened_at: Option<i64>, resolved_at: Option<i64>) -> OpenPeriod {
    OpenPeriod {
        reopened_at: reopened_at.map(second),
        resolved_at: resolved_at.map(second),
        is_start_unknown: false,
    }
}

#[test]
fn rule_5_the_last_resolve_without_a_later_reopen_ends_it() {
    let none = Snapshot::default;
    let mut events = vec![
        event("A", EventKind::Triggered, 0, none()),
        event("B", EventKind::Acknowledged, 1, none()),
        event("C", EventKind::Resolved, 5, none()),
        event("D", EventKind::Resolved, 7, none()),
    ];
    assert_eq!(history(&events).open_periods(), [open_period(None, Some(7))]);
    events.push(event("E", EventKind::Reopened, 9, none()));
    let reopened = [open_period(None, Some(7)), open_period(Some(9), None)];
    assert_eq!(history(&events).open_periods(), reopened);
    assert!(history(&events).deciding_resolve().is_none());
}

#[test]
fn rule_7_a_lost_reopen_is_seen_in_a_later_event() {
    let open =
        Snapshot { status: Some("acknowledged".into()), reopened_at: Some(second(7)), ..Snapshot::default() };
    let events = [
        event("A", EventKind::Triggered, 0, Snapshot::default()),
        event("B", EventKind::Resolved, 5, Snapshot::default()),
        event("C", EventKind::Acknowledged, 9, open.clone()),
        event("D", EventKind::Routed, 10, open),
        event("E", EventKind::Resolved, 12, Snapshot::default()),
    ];
    let expected = [open_period(None, Some(5)), open_period(Some(7), Some(12))];
    assert_eq!(history(&events).open_periods(), expected);
}

fn reopened_at(time: i64, status: &str) -> Snapshot {
    Snapshot { status: Some(status.into()), reopened_at: Some(second(time)), ..Snapshot::default() }
}

#[test]
fn rule_7_a_reopen_whose_resolve_never_came_counts() {
    let none = Snapshot::default;
    let expected = [open_period(None, None), open_period(Some(7), Some(12))];
    let resolved = || event("Z", EventKind::Resolved, 12, none());
    for (shown, events) in [
        (
            "by its own event",
            vec![event("A", EventKind::Triggered, 0, none()), event("B", EventKind::Reopened, 7, none())],
        ),
        ("alone", vec![event("B", EventKind::Reopened, 7, none())]),
        (
            "by a later event",
            vec![
                event("A", EventKind::Triggered, 0, none()),
                event("C", EventKind::Acknowledged, 9, reopened_at(7, "acknowledged")),
            ],
        ),
        (
            "by all of them, once",
            vec![
                event("A", EventKind::Triggered, 0, none()),
                event("B", EventKind::Reopened, 7, reopened_at(7, "triggered")),
                event("C", EventKind::Acknowledged, 9, reopened_at(7, "acknowledged")),
                event("D", EventKind::Resolved, 11, reopened_at(7, "resolved")),
            ],
        ),
        (
            "by two events of one moment",
            vec![event("B", EventKind::Reopened, 7, none()), event("C", EventKind::Reopened, 7, none())],
        ),
    ] {
        let events = [events, vec![resolved()]].concat();
        assert_eq!(history(&events).open_periods(), expected, "{shown}");
    }
    let by_the_resolve = [
        event("A", EventKind::Triggered, 0, none()),
        event("D", EventKind::Resolved, 12, reopened_at(7, "resolved")),
    ];
    assert_eq!(history(&by_the_resolve).open_periods(), expected);
}

#[test]
fn rule_7_a_reopen_that_was_seen_before_its_event_counts_once() {
    let events = [
        event("A", EventKind::Resolved, 5, Snapshot::default()),
        event("B", EventKind::Routed, 8, reopened_at(7, "triggered")),
        event("C", EventKind::Reopened, 9, Snapshot::default()),
        event("D", EventKind::Resolved, 12, Snapshot::default()),
    ];
    assert_eq!(history(&events).open_periods(), [open_period(None, Some(5)), open_period(Some(7), Some(12))]);
}

#[test]
fn many_events_with_replaced_facts_are_not_kept() {
    let title = |n: i64| Snapshot { title: Some(format!("title {n}")), ..Snapshot::default() };
    let events: Vec<_> =
        (0..500).map(|n| event(&format!("E{n:04}"), EventKind::Routed, n, title(n))).collect();
    let history = history(&events);
    assert_eq!(history.entries.len(), 2);
    assert_eq!(history.latest(|s| s.title.as_ref()).unwrap(), "title 499");
}

fn hint(id: &str, at: i64, deployment: NamedDeployment) -> Event {
    let incident = IncidentId::parse(&SourceName::new("pagerduty"), "Q1").unwrap();
    let subject =
        AboutIncident { incident, kind: EventKind::Mentioned, snapshot: None, deployment: Some(deployment) };
    let occurred_at = second(at);
    Event {
        id: id.into(),
        event_type: String::new(),
        occurred_at,
        origin: Origin::Sent,
        subject: Some(EventSubject::Incident(subject)),
    }
}

#[test]
fn the_last_named_deployment_counts_in_any_order() {
    let note = |text: &str| NamedDeployment::Note(Some(text.to_owned()));
    let field = |value: Option<&str>| NamedDeployment::Field(value.map(str::to_owned).into_iter().collect());
    let notes = [hint("1", 0, note("v1")), hint("2", 5, note("v2"))];
    let fields = [hint("3", 1, field(Some("v3"))), hint("4", 9, field(None))];
    let named = |events: &[&Event]| {
        let mut history = History::default();
        let changed: Vec<bool> = events.iter().map(|event| history.insert(event, second(100))).collect();
        (history.named_deployments().map(|(names, by)| (names.join(","), by)), changed)
    };
    let [v1, v2] = &notes;
    let [v3, emptied] = &fields;
    let last_note = Some(("v2".to_owned(), NamedIn::Note));
    assert_eq!(named(&[v1, v2, v2]), (last_note.clone(), vec![true, true, false]));
    assert_eq!(named(&[v2, v1]), (last_note.clone(), vec![true, false]));
    assert_eq!(named(&[v3, v2]).0, Some(("v3".to_owned(), NamedIn::Field)));
    // With an emptied field, the notes decide.
    assert_eq!(named(&[emptied, v2, v3]).0, last_note);
}
