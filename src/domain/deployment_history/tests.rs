use proptest::prelude::*;
use strum::VariantArray as _;

use super::*;
use crate::domain::deployment_event::AboutDeployment;
use crate::domain::event::{EventSubject, Origin};
use crate::domain::id::SourceDeploymentId;
use crate::domain::source_name::SourceName;

pub(in crate::domain) fn second(n: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + n).unwrap()
}

pub(in crate::domain) fn event(id: &str, state: DeploymentState, at: i64, facts: DeploymentFacts) -> Event {
    let deployment = SourceDeploymentId::new(&SourceName::new("github"), "github.com", 7).unwrap();
    Event {
        id: id.to_owned(),
        event_type: String::new(),
        occurred_at: second(at),
        origin: Origin::Sent,
        subject: Some(EventSubject::Deployment(Box::new(AboutDeployment { deployment, state, facts }))),
    }
}

pub(in crate::domain) fn history<'a>(events: impl IntoIterator<Item = &'a Event>) -> DeploymentHistory {
    let mut history = DeploymentHistory::default();
    for event in events {
        history.insert(event);
    }
    history
}

/// Start and end in seconds, with the reasons.
fn span(events: &[Event]) -> Option<String> {
    let history = history(events);
    let shown = |moment: &Moment<'_>| {
        let seconds = moment.at.as_seconds() - second(0).as_seconds();
        format!("{seconds} ({}, {})", moment.event.unwrap_or("-"), moment.because)
    };
    history.span().map(|span| format!("{} to {}", shown(&span.start), shown(&span.end)))
}

fn plain(id: &str, state: DeploymentState, at: i64) -> Event {
    event(id, state, at, DeploymentFacts::default())
}

fn created(id: &str, state: DeploymentState, at: i64, created_at: i64) -> Event {
    let facts = DeploymentFacts { created_at: Some(second(created_at)), ..DeploymentFacts::default() };
    event(id, state, at, facts)
}

#[test]
fn a_deployment_lasts_from_the_first_event_in_progress_to_the_first_success() {
    use DeploymentState::{Failed, InProgress, Queued, Succeeded, Waiting};
    let events = [
        created("a", Waiting, 0, 0),
        created("b", Queued, 500, 0),
        created("c", InProgress, 510, 0),
        created("d", InProgress, 520, 0),
        created("e", Succeeded, 600, 0),
        created("f", Succeeded, 700, 0),
        created("g", Failed, 800, 0),
    ];
    insta::assert_snapshot!(
        span(&events).unwrap(),
        @"510 (c, the first event of the running deployment) to 600 (e, the first success)"
    );
    assert_eq!(span(&events[..4]), None);
}

#[test]
fn a_lost_start_is_the_creation_or_the_end() {
    use DeploymentState::{InProgress, Succeeded};
    insta::assert_snapshot!(
        span(&[created("e", Succeeded, 600, 30)]).unwrap(),
        @"30 (-, the creation of the deployment: no event of the running deployment has arrived) to 600 (e, the first success)"
    );
    insta::assert_snapshot!(
        span(&[plain("e", Succeeded, 600)]).unwrap(),
        @"600 (e, the end: no event of the running deployment has arrived) to 600 (e, the first success)"
    );
    // A second run of a deployment that has succeeded is no start of it.
    assert_eq!(
        span(&[plain("e", Succeeded, 600), plain("f", InProgress, 700)]),
        span(&[plain("e", Succeeded, 600)])
    );
}

#[test]
fn an_inactive_deployment_counts_only_with_a_success() {
    use DeploymentState::{Failed, InProgress, Inactive, Succeeded};
    let (start, success, inactive) =
        (plain("c", InProgress, 510), plain("e", Succeeded, 600), plain("i", Inactive, 9_000));
    let all = [start.clone(), success, inactive.clone()];
    assert_eq!(span(&all), span(&all[..2]));
    assert_eq!(span(&[start.clone(), inactive.clone()]), None);
    assert_eq!(span(&[start, plain("f", Failed, 600), inactive]), None);
}

#[test]
fn the_event_that_made_it_a_success_decides_its_facts() {
    use DeploymentState::{Failed, InProgress, Succeeded};
    let named = |environment: Option<&str>, job: Option<&str>| DeploymentFacts {
        environment: environment.map(str::to_owned),
        job: job.map(str::to_owned),
        ..DeploymentFacts::default()
    };
    let events = [
        event("a", InProgress, 1, named(Some("staging"), Some("first"))),
        event("b", Succeeded, 2, named(Some("production"), None)),
        event("c", Failed, 3, named(Some("other"), Some("last"))),
    ];
    assert_eq!(history(&events).facts(), named(Some("production"), Some("last")));
    assert_eq!(history(&events[..1]).facts(), named(Some("staging"), Some("first")));
}

#[test]
fn events_of_the_same_second_are_ordered_by_state() {
    use DeploymentState::{InProgress, Succeeded};
    let history = history(&[plain("2", InProgress, 1), plain("1", Succeeded, 1)]);
    assert_eq!(history.state(), Some(Succeeded));
    assert_eq!(history.span().map(|span| span.start.event == Some("2")), Some(true));
}

#[test]
fn a_history_stays_small() {
    let facts = |n: i64| DeploymentFacts { job: Some(format!("job {n}")), ..DeploymentFacts::default() };
    let events: Vec<Event> =
        (0..500).map(|n| event(&n.to_string(), DeploymentState::InProgress, n, facts(n))).collect();
    assert!(history(&events).entries.len() <= 2);
}

/// The same results from all events, without dropped facts.
#[derive(Debug, PartialEq)]
struct Results {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    state: Option<DeploymentState>,
    facts: DeploymentFacts,
}

fn naive(events: &[Event]) -> Results {
    let mut events: Vec<(&Event, &AboutDeployment)> =
        events.iter().map(|event| (event, event.about_deployment().unwrap())).collect();
    events.sort_by_key(|(event, about)| {
        (event.occurred_at, about.state.rank(), event.id.len(), event.id.clone())
    });
    let first = |state| events.iter().find(|(_, about)| about.state == state);
    let time = |state| first(state).map(|(event, _)| event.occurred_at);
    let deciding = first(DeploymentState::Succeeded);
    let mut by_precedence: Vec<&DeploymentFacts> = deciding.iter().map(|(_, about)| &about.facts).collect();
    by_precedence.extend(events.iter().rev().map(|(_, about)| &about.facts));
    let environment = by_precedence.iter().find_map(|facts| facts.environment.clone());
    let job = by_precedence.iter().find_map(|facts| facts.job.clone());
    let created_at = by_precedence.iter().find_map(|facts| facts.created_at);
    let end = time(DeploymentState::Succeeded);
    let start = end.map(|end| {
        let begun = time(DeploymentState::InProgress).filter(|at| *at <= end);
        begun.or(created_at.filter(|at| *at <= end)).unwrap_or(end)
    });
    Results {
        start,
        end,
        state: events.last().map(|(_, about)| about.state),
        facts: DeploymentFacts { environment, job, created_at, ..DeploymentFacts::default() },
    }
}

fn folded(events: &[Event]) -> Results {
    let history = history(events);
    let span = history.span();
    Results {
        start: span.as_ref().map(|span| span.start.at),
        end: span.as_ref().map(|span| span.end.at),
        state: history.state(),
        facts: history.facts(),
    }
}

fn any_event() -> impl Strategy<Value = (DeploymentState, i64, DeploymentFacts)> {
    let text = prop::option::of("[ab]");
    let facts =
        (text.clone(), text, prop::option::of(0..12_i64)).prop_map(|(environment, job, created_at)| {
            DeploymentFacts {
                environment,
                job,
                created_at: created_at.map(second),
                ..DeploymentFacts::default()
            }
        });
    (prop::sample::select(DeploymentState::VARIANTS), 0..12_i64, facts)
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(any_event(), 0..10).prop_map(|events| {
        let with_id = |(n, (state, at, facts)): (usize, _)| event(&format!("{n}"), state, at, facts);
        events.into_iter().enumerate().map(with_id).collect()
    })
}

/// Events, each as it was sent, as it was read, or both. The two may have other facts.
fn any_told_twice() -> impl Strategy<Value = Vec<(Option<Event>, Option<Event>)>> {
    prop::collection::vec((any_event(), any_event(), 0..3_u8), 0..8).prop_map(|told| {
        let both = |(n, ((state, at, facts), (_, _, other_facts), choice)): (usize, _)| {
            let sent = event(&format!("{n}"), state, at, facts);
            let read = Event { origin: Origin::Read, ..event(&format!("{n}"), state, at, other_facts) };
            (Some(sent).filter(|_| choice != 0), Some(read).filter(|_| choice != 1))
        };
        told.into_iter().enumerate().map(both).collect()
    })
}

/// The event that counts, with the facts of both.
fn merged(sent: Option<&Event>, read: Option<&Event>) -> Event {
    let mut merged = sent.or(read).unwrap().clone();
    if let (Some(EventSubject::Deployment(about)), Some(read)) = (&mut merged.subject, read) {
        about.facts.fill_from(&read.about_deployment().unwrap().facts);
    }
    merged
}

#[test]
fn an_api_without_exact_times_tells_the_beginning_of_an_id() {
    use DeploymentState::{InProgress, Succeeded};
    let read = |id, state, at| Event { origin: Origin::Read, ..plain(id, state, at) };
    let (sent, read_start) = (plain("d:7:running:T1", InProgress, 10), read("d:7:running", InProgress, 9));
    let end = read("d:7:success", Succeeded, 20);
    for order in [[&sent, &read_start, &end], [&read_start, &end, &sent], [&end, &read_start, &sent]] {
        let events: Vec<Event> = order.into_iter().cloned().collect();
        assert_eq!(folded(&events).start, Some(second(10)), "the time that was sent counts");
        assert_eq!(folded(&events).end, Some(second(20)));
    }
    // The beginning of a number is another number.
    let events = [read("d:7", InProgress, 9), plain("d:70", InProgress, 10), plain("d:8", Succeeded, 20)];
    assert_eq!(folded(&events).start, Some(second(9)));
}

proptest! {
    #[test]
    fn any_order_and_duplicates_give_the_results_of_the_naive_model(
        (events, order) in any_events().prop_flat_map(|events| {
            let twice: Vec<Event> = events.iter().chain(&events).cloned().collect();
            (Just(events), Just(twice).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(folded(&order), naive(&events));
        prop_assert_eq!(history(&order), history(&events));
    }

    #[test]
    fn an_event_that_was_sent_counts_in_place_of_the_one_that_was_read(
        (merged, order) in any_told_twice().prop_flat_map(|told| {
            let merged: Vec<Event> = told.iter().map(|(sent, read)| merged(sent.as_ref(), read.as_ref())).collect();
            let all: Vec<Event> = told.into_iter().flat_map(|(sent, read)| sent.into_iter().chain(read)).collect();
            (Just(merged), Just(all).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(folded(&order), naive(&merged));
    }

    #[test]
    fn a_stored_history_takes_later_events(events in any_events(), at in 0..10_usize) {
        let at = at.min(events.len());
        let stored = serde_json::to_string(&history(&events[..at])).unwrap();
        let mut read: DeploymentHistory = serde_json::from_str(&stored).unwrap();
        for event in &events[at..] {
            read.insert(event);
        }
        prop_assert_eq!(read, history(&events));
    }

    #[test]
    fn an_event_that_changes_nothing_says_so(events in any_events()) {
        let mut history = history(&events);
        let before = history.clone();
        for event in &events {
            prop_assert!(!history.insert(event));
        }
        prop_assert_eq!(history, before);
    }
}
