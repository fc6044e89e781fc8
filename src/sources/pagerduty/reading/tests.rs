use super::*;
use crate::domain::event::Origin;
use crate::domain::history::History;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-01T{text}Z")).unwrap()
}

fn log(entries: &[(LogKind, &str)]) -> Vec<LogEntry> {
    entries.iter().map(|&(kind, at)| LogEntry { id: at.to_owned(), kind, at: time(at) }).collect()
}

fn incident(status: &str, more: &Value) -> Value {
    let mut incident = json!({
        "id": "Q1", "type": "incident", "incident_number": 7, "title": "checkout is slow", "status": status,
        "created_at": "2026-11-01T10:00:00Z", "urgency": "high", "priority": {"summary": "P1"},
        "service": {"id": "PSVC001", "summary": "Checkout API"}, "resolve_reason": null,
    });
    for (key, value) in more.as_object().unwrap() {
        incident[key] = value.clone();
    }
    incident
}

fn reading(incident: Value, log: Vec<LogEntry>, notes: Vec<Note>) -> Reading {
    let found = Some(FoundIncident { incident, log, notes });
    Reading { incident: IncidentId::parse(&NAME, "Q1").unwrap(), at: time("12:00:00"), found }
}

fn history(reading: &Reading) -> History {
    let mut history = History::default();
    for read in reading.events().unwrap() {
        assert_eq!(read.event.origin, Origin::Read);
        assert_eq!(stored(&read.body).as_ref(), Some(&read.event));
        history.insert(&read.event, time("12:00:01"));
    }
    history
}

fn types(reading: &Reading) -> Vec<(String, String)> {
    let events = reading.events().unwrap();
    let mut types: Vec<(Timestamp, String)> =
        events.iter().map(|read| (read.event.occurred_at, read.event.event_type.clone())).collect();
    types.sort();
    types.into_iter().map(|(at, event_type)| (at.to_string()[11..].to_owned(), event_type)).collect()
}

#[test]
fn a_resolved_incident_is_read_with_its_facts() {
    let resolved = incident("resolved", &json!({"resolved_at": "2026-11-01T10:30:00Z"}));
    let entries = [
        (LogKind::Trigger, "10:00:00"),
        (LogKind::Acknowledge, "10:05:00"),
        (LogKind::Resolve, "10:30:00"),
        (LogKind::Other, "10:40:00"),
    ];
    let history = history(&reading(resolved, log(&entries), Vec::new()));
    assert_eq!(history.acknowledged_at(), Some(time("10:05:00")));
    assert_eq!(history.latest(|facts| facts.number.as_ref()), Some(&7));
    assert_eq!(history.open_periods().last().unwrap().resolved_at, Some(time("10:30:00")));
}

#[test]
fn a_reopen_is_told_by_the_time_of_the_last_change() {
    let open = incident("triggered", &json!({"last_status_change_at": "2026-11-01T11:00:00Z"}));
    let reading =
        reading(open, log(&[(LogKind::Trigger, "10:00:00"), (LogKind::Resolve, "10:30:00")]), Vec::new());
    let periods = history(&reading).open_periods();
    assert_eq!((periods.len(), periods[1].reopened_at), (2, Some(time("11:00:00"))));
    assert!(!periods[1].is_start_unknown);
}

#[test]
fn a_reopen_before_a_later_entry_is_implied() {
    let resolved = incident("resolved", &json!({"resolved_at": "2026-11-01T11:30:00Z"}));
    let entries = [
        (LogKind::Trigger, "10:00:00"),
        (LogKind::Resolve, "10:30:00"),
        (LogKind::Acknowledge, "11:10:00"),
        (LogKind::Resolve, "11:30:00"),
    ];
    let reading = reading(resolved, log(&entries), Vec::new());
    let periods = history(&reading).open_periods();
    let [first, second] = periods.as_slice() else { panic!("{periods:?}") };
    assert_eq!((first.resolved_at, second.resolved_at), (Some(time("10:30:00")), Some(time("11:30:00"))));
    assert!(second.is_start_unknown && second.reopened_at < Some(time("11:10:00")));
}

#[test]
fn a_merge_belongs_to_the_last_resolve() {
    let reason = json!({"type": "merge_resolve_reason", "incident": {"id": "Q2"}});
    let merged =
        incident("resolved", &json!({"resolved_at": "2026-11-01T10:30:00Z", "resolve_reason": reason}));
    let history = history(&reading(merged, log(&[(LogKind::Resolve, "10:30:00")]), Vec::new()));
    assert_eq!(history.merge_target().map(IncidentId::as_str), Some("Q2"));
}

#[test]
fn notes_and_fields_are_read_as_they_are_now() {
    let note = |id: &str, at: &str, content: &str| Note {
        id: id.to_owned(),
        at: time(at),
        content: content.to_owned(),
    };
    let named = |notes: Vec<Note>, more: Value| {
        let history = history(&reading(incident("triggered", &more), Vec::new(), notes));
        history.named_deployments().map(|(names, _)| names.to_vec())
    };
    let notes = vec![
        note("N2", "10:20:00", "Resolution Note: deployment: v2"),
        note("N1", "10:10:00", "deployment: v1"),
        note("N3", "10:30:00", "looked at it"),
    ];
    assert_eq!(named(notes.clone(), json!({})), Some(vec!["v2".to_owned()]));
    assert_eq!(named(Vec::new(), json!({})), None);
    let field = json!({"custom_fields": [{"name": "deployment", "type": "field_value", "value": "v3"}]});
    assert_eq!(named(notes, field), Some(vec!["v3".to_owned()]));
}

#[test]
fn a_fact_has_the_same_id_in_each_reading() {
    let open = incident("triggered", &json!({}));
    let first = reading(open, log(&[(LogKind::Trigger, "10:00:00")]), Vec::new());
    let later = Reading { at: time("13:00:00"), ..first.clone() };
    let ids = |reading: &Reading| reading.events().unwrap().remove(0).event.id;
    assert_eq!(ids(&first), "Q1:incident.triggered:2026-11-01T10:00:00Z");
    assert_eq!(ids(&first), ids(&later));
    assert_eq!(types(&first).last().unwrap().0, "12:00:00Z");
}

#[test]
fn a_deleted_incident_is_said() {
    let deleted = Reading { found: None, ..reading(json!({}), Vec::new(), Vec::new()) };
    assert!(history(&deleted).is_deleted());
}

#[test]
fn a_status_that_is_missing_or_unknown_tells_nothing() {
    for status in [json!(null), json!("paused")] {
        let resolved = incident("resolved", &json!({"resolved_at": "2026-11-01T10:30:00Z"}));
        let known = reading(resolved, log(&[(LogKind::Resolve, "10:30:00")]), Vec::new());
        let mut history = history(&known);
        let odd = reading(incident("", &json!({"status": status})), Vec::new(), Vec::new());
        for read in odd.events().unwrap() {
            history.insert(&read.event, time("12:00:01"));
        }
        assert_eq!(history.open_periods().last().unwrap().resolved_at, Some(time("10:30:00")), "{status}");
    }
}

#[test]
fn an_answer_that_is_older_than_a_resolve_reopens_nothing() {
    let open = incident("triggered", &json!({"last_status_change_at": "2026-11-01T10:00:00Z"}));
    let mut history = history(&reading(open, log(&[(LogKind::Trigger, "10:00:00")]), Vec::new()));
    let resolved = incident("resolved", &json!({"resolved_at": "2026-11-01T11:59:50Z"}));
    for read in reading(resolved, Vec::new(), Vec::new()).events().unwrap() {
        history.insert(&read.event, time("12:00:01"));
    }
    assert_eq!(history.open_periods().len(), 1);
    assert_eq!(history.open_periods()[0].resolved_at, Some(time("11:59:50")));
}

#[test]
fn a_merge_that_is_seen_later_counts() {
    let times = json!({"resolved_at": "2026-11-01T10:30:00Z"});
    let mut history = history(&reading(incident("resolved", &times), Vec::new(), Vec::new()));
    assert_eq!(history.merge_target(), None);
    let reason = json!({"type": "merge_resolve_reason", "incident": {"id": "Q2"}});
    let merged =
        incident("resolved", &json!({"resolved_at": "2026-11-01T10:30:00Z", "resolve_reason": reason}));
    for read in reading(merged, Vec::new(), Vec::new()).events().unwrap() {
        history.insert(&read.event, time("12:00:01"));
    }
    assert_eq!(history.merge_target().map(IncidentId::as_str), Some("Q2"));
}

#[test]
fn an_incident_that_is_found_again_is_not_deleted() {
    let found = reading(incident("triggered", &json!({})), Vec::new(), Vec::new());
    let deleted = Reading { found: None, at: time("11:00:00"), ..found.clone() };
    let mut history = history(&deleted);
    for read in found.events().unwrap() {
        history.insert(&read.event, time("12:00:01"));
    }
    assert!(!history.is_deleted());
}
