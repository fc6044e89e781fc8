use super::*;
use crate::domain::event::{AboutIncident, Event, EventKind, EventSubject, Merge, Origin, Snapshot};
use crate::domain::rule::{Rule, RuleAction};
use crate::domain::source_name::SourceName;

fn second(n: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + n).unwrap()
}

fn id(incident: &str) -> IncidentId {
    IncidentId::parse(&SourceName::new("pagerduty"), incident).unwrap()
}

/// An event of an incident at second `at`. The snapshot shows the incident.
fn event(incident: &str, kind: EventKind, at: i64, snapshot: Snapshot) -> Event {
    let subject =
        AboutIncident { incident: id(incident), kind, snapshot: Some(Box::new(snapshot)), deployment: None };
    let event_id = format!("{incident}-{kind:?}-{at}");
    Event {
        id: event_id,
        event_type: String::new(),
        occurred_at: second(at),
        origin: Origin::Sent,
        subject: Some(EventSubject::Incident(subject)),
    }
}

fn triggered(incident: &str, at: i64) -> Event {
    // PagerDuty's created_at has whole seconds, so it is before the event.
    event(
        incident,
        EventKind::Triggered,
        at,
        Snapshot { created_at: Some(second(at - 1)), ..Snapshot::default() },
    )
}

fn resolved(incident: &str, at: i64) -> Event {
    event(incident, EventKind::Resolved, at, Snapshot::default())
}

fn merged(incident: &str, at: i64, target: &str) -> Event {
    let merge = Some(Merge { into: Some(id(target)) });
    event(incident, EventKind::Resolved, at, Snapshot { merge, ..Snapshot::default() })
}

fn policy() -> Policy {
    Policy { default_env: "production".into(), ..Policy::default() }
}

/// Failures that follow from these events.
fn failures(policy: &Policy, events: &[Event]) -> BTreeMap<String, Failure> {
    let mut group = Group::new();
    for event in events {
        let incident = event.about_incident().unwrap().incident.clone();
        group.entry(incident).or_default().insert(event, second(1_000));
    }
    let evaluated = evaluate_group(&group, policy);
    evaluated.into_iter().map(|(incident, evaluated)| (incident.to_string(), evaluated.failure)).collect()
}

/// Failure of the only incident in these events.
fn failure(policy: &Policy, events: &[Event]) -> Failure {
    failures(policy, events).into_values().next().unwrap()
}

#[test]
fn rule_1_the_id_is_the_incidents_with_a_prefix() {
    let failure = failure(&policy(), &[triggered("Q3YON8WNWTZMRQ", 0)]);
    assert_eq!(failure.id.as_str(), "pagerduty:Q3YON8WNWTZMRQ");
    assert_eq!((failure.source.as_str(), failure.incident.as_deref()), ("pagerduty", Some("Q3YON8WNWTZMRQ")));
}

#[test]
fn rule_4_each_kind_of_start_has_its_fallback() {
    let acknowledged = |at| event("Q1", EventKind::Acknowledged, at, Snapshot::default());
    let started = |start, events: &[Event]| {
        let failure = failure(&Policy { start, ..policy() }, events);
        (failure.started_at, failure.flags)
    };
    let whole = [triggered("Q1", 10), acknowledged(20), resolved("Q1", 30)];
    assert_eq!(started(Start::Created, &whole), (second(9), vec![]));
    assert_eq!(started(Start::Triggered, &whole), (second(10), vec![]));
    assert_eq!(started(Start::Acknowledged, &whole), (second(20), vec![]));
    let late = [triggered("Q1", 10), resolved("Q1", 30), acknowledged(40)];
    assert_eq!(started(Start::Acknowledged, &late), (second(9), vec![]));
    let undated = [event("Q1", EventKind::Triggered, 10, Snapshot::default()), resolved("Q1", 30)];
    assert_eq!(started(Start::Created, &undated), (second(10), vec![]));
    assert_eq!(started(Start::Created, &[resolved("Q1", 30)]), (second(30), vec![Flag::Approximate]));
}

#[test]
fn rule_6_a_resolve_alone_is_enough() {
    let snapshot = Snapshot { created_at: Some(second(0)), ..Snapshot::default() };
    let failure = failure(&policy(), &[event("Q1", EventKind::Resolved, 90, snapshot)]);
    assert_eq!((failure.state, failure.time_to_restore_seconds), (FailureState::Completed, Some(90.0)));
    assert_eq!(failure.flags, []);
}

#[test]
fn rule_7_a_reopened_incident_is_timed_by_wall_clock_or_active_time() {
    let reopened = event("Q1", EventKind::Reopened, 60, Snapshot::default());
    let story = [triggered("Q1", 1), resolved("Q1", 30), reopened, resolved("Q1", 80)];
    let wall_clock = failure(&policy(), &story);
    assert_eq!((wall_clock.finished_at, wall_clock.reopened), (Some(second(80)), 1));
    assert_eq!((wall_clock.time_to_restore_seconds, wall_clock.active_seconds), (Some(80.0), Some(50.0)));
    let active_time = Policy { reopened: Reopened::ActiveTime, ..policy() };
    let failure = failure(&active_time, &story);
    assert_eq!((failure.finished_at, failure.time_to_restore_seconds), (Some(second(80)), Some(50.0)));
}

#[test]
fn rule_8_the_target_of_a_chain_takes_the_earliest_start() {
    let story = [
        triggered("QA", 1),
        triggered("QB", 11),
        triggered("QC", 21),
        merged("QA", 30, "QB"),
        merged("QB", 40, "QC"),
        resolved("QC", 100),
    ];
    let found = failures(&policy(), &story);
    assert_eq!(found["QC"].started_at, second(0));
    assert_eq!(
        (found["QC"].merged.clone(), found["QC"].state),
        (vec!["QA".into(), "QB".into()], FailureState::Completed)
    );
    for (source, target) in [("QA", "QB"), ("QB", "QC")] {
        assert_eq!(
            (found[source].state, &found[source].merged_into),
            (FailureState::Merged, &Some(target.to_owned()))
        );
    }
}

#[test]
fn rule_8_in_a_cycle_the_earliest_counts() {
    let story = [triggered("QA", 11), triggered("QB", 1), merged("QA", 30, "QB"), merged("QB", 40, "QA")];
    let found = failures(&policy(), &story);
    assert_eq!((found["QB"].state, &found["QB"].flags), (FailureState::Completed, &vec![Flag::MergeCycle]));
    assert_eq!((found["QB"].merged.clone(), &found["QB"].merged_into), (vec!["QA".into()], &None));
    assert_eq!(found["QA"].state, FailureState::Merged);
    let into_itself = [triggered("QA", 1), merged("QA", 30, "QA")];
    assert_eq!(failure(&policy(), &into_itself).state, FailureState::Completed);
}

#[test]
fn rule_8_a_merge_into_an_unseen_target_is_flagged() {
    let found = failure(&policy(), &[triggered("QA", 1), merged("QA", 30, "QB")]);
    assert_eq!((found.state, found.flags), (FailureState::Merged, vec![Flag::MergeTargetUnseen]));
    let reopened = event("QA", EventKind::Reopened, 60, Snapshot::default());
    let found = failure(&policy(), &[triggered("QA", 1), merged("QA", 30, "QB"), reopened]);
    assert_eq!((found.state, found.merged_into), (FailureState::Open, None), "a reopen undoes the merge");
}

#[test]
fn rule_10_the_last_priority_makes_the_severity() {
    let prioritised = |at, priority| {
        let snapshot = Snapshot { priority: Some(priority), ..Snapshot::default() };
        event("Q1", EventKind::PriorityUpdated, at, snapshot)
    };
    let named = |name: &str| Priority::Named(name.to_owned());
    let severities = BTreeMap::from([("P1".to_owned(), "SEV-1".to_owned())]);
    let policy = Policy { severities, ..policy() };
    let severity = |events: &[Event]| failure(&policy, events).severity;
    assert_eq!(
        severity(&[prioritised(1, named("P3")), prioritised(2, named("P1"))]).as_deref(),
        Some("SEV-1")
    );
    assert_eq!(severity(&[prioritised(2, named("P3")), prioritised(1, named("P1"))]).as_deref(), Some("P3"));
    assert_eq!(severity(&[prioritised(1, named("P1")), prioritised(2, Priority::Erased)]), None);
    assert_eq!(severity(&[prioritised(1, named("P\t1"))]).as_deref(), Some("P 1"));
    assert_eq!(severity(&[prioritised(1, named(&"x".repeat(800)))]).map(|name| name.len()), Some(768));
}

#[test]
fn rule_11_an_ignored_merged_incident_does_not_move_the_start() {
    let urgent = |incident: &str, at: i64, urgency: &str| {
        let snapshot = Snapshot {
            created_at: Some(second(at)),
            urgency: Some(urgency.to_owned()),
            ..Snapshot::default()
        };
        event(incident, EventKind::Triggered, at, snapshot)
    };
    let noise = Rule {
        name: "noise".into(),
        urgency: vec!["low".into()],
        priority: vec![],
        service: vec![],
        team: vec![],
        title: vec![],
        incident_type: vec![],
        action: RuleAction::Ignore,
    };
    let policy = Policy { rules: vec![noise], ..policy() };
    let story = |source: &str, target: &str| {
        let events =
            [urgent("QA", 0, source), urgent("QB", 20, target), merged("QA", 30, "QB"), resolved("QB", 90)];
        failures(&policy, &events).remove("QB").unwrap()
    };
    assert_eq!((story("low", "high").started_at, story("high", "high").started_at), (second(20), second(0)));
    assert_eq!(story("high", "low").state, FailureState::Completed, "one member counts, so the group counts");
    assert_eq!(story("low", "low").reason.as_deref(), Some("noise"));
}

#[test]
fn rule_14_an_end_before_the_start_is_moved_to_it() {
    let failure = failure(&policy(), &[triggered("Q1", 100), resolved("Q1", 50)]);
    assert_eq!((failure.started_at, failure.finished_at), (second(99), Some(second(99))));
    assert_eq!((failure.time_to_restore_seconds, failure.flags), (Some(0.0), vec![Flag::EndBeforeStart]));
}

#[test]
fn rule_7_a_missing_resolve_leaves_the_active_time_unknown() {
    let events =
        [triggered("Q1", 1), event("Q1", EventKind::Reopened, 500, Snapshot::default()), resolved("Q1", 600)];
    let wall_clock = failure(&policy(), &events);
    assert_eq!((wall_clock.reopened, wall_clock.flags), (1, vec![Flag::Approximate]));
    assert_eq!((wall_clock.active_seconds, wall_clock.time_to_restore_seconds), (None, Some(600.0)));
    let by_active_time = Policy { reopened: Reopened::ActiveTime, ..policy() };
    let active_time = failure(&by_active_time, &events);
    assert_eq!((active_time.active_seconds, active_time.time_to_restore_seconds), (None, None));
    assert_eq!((active_time.state, active_time.finished_at), (FailureState::Completed, Some(second(600))));
    let still_open = failure(&by_active_time, &events[..2]);
    assert_eq!((still_open.state, still_open.flags), (FailureState::Open, vec![Flag::Approximate]));
}
