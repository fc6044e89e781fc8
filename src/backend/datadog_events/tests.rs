//! Tests of the events as Datadog gets them.

use super::*;
use crate::domain::failure::tests::completed;

const FIRST: RevisionContext = RevisionContext { revision: 1, is_correction: false };

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn open() -> Evaluated {
    let mut evaluated = completed();
    evaluated.failure.state = FailureState::Open;
    evaluated.failure.finished_at = None;
    evaluated.failure.time_to_restore_seconds = None;
    evaluated
}

#[test]
fn a_failure_as_datadog_gets_it_at_its_start_and_at_its_end() {
    let mut evaluated = completed();
    evaluated.failure.deployment = Some("deployment:half-past-9".to_owned());
    evaluated.failure.deployment_version = Some("1.42.0".to_owned());
    let second = RevisionContext { revision: 2, is_correction: true };
    let events = [event(&open(), FIRST, true), event(&evaluated, second, true)];
    insta::assert_snapshot!(events.map(|event| format!("{event:#}")).join("\n"));
}

#[test]
fn a_failure_that_does_not_count_any_more_is_ok_and_says_why() {
    let third = RevisionContext { revision: 3, is_correction: true };
    let [mut ignored, mut merged] = [completed(), open()];
    ignored.failure.state = FailureState::Ignored;
    ignored.failure.reason = Some("low urgency is noise".to_owned());
    merged.failure.state = FailureState::Merged;
    merged.failure.merged_into = Some("QTARGET001".to_owned());
    let shown = [ignored, merged].map(|evaluated| {
        let event = event(&evaluated, third, true);
        let attributes = &event["data"]["attributes"];
        assert!(attributes.get("timestamp").is_none(), "{attributes}");
        let inner = &attributes["attributes"];
        format!("{} {}\n{}", inner["status"], attributes["message"], inner["custom"]["dora"])
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn what_is_unknown_is_not_made_up() {
    let [mut ended, mut ignored] = [open(), completed()];
    ended.failure.state = FailureState::Completed;
    let message = message(&ended.failure);
    assert!(message.contains(". It ended at an unknown time.") && !message.contains("has not"), "{message}");
    ignored.failure.state = FailureState::Ignored;
    ignored.failure.reason = None;
    let message = super::message(&ignored.failure);
    assert!(message.starts_with("The failure does not count any more: it is ignored. "), "{message}");
}

#[test]
fn a_timestamp_is_sent_only_while_datadog_accepts_it() {
    let (start, end) = (completed().failure.started_at, completed().failure.finished_at.unwrap());
    let sent = |evaluated: &Evaluated, now: Timestamp| {
        let dated = dated(event(evaluated, FIRST, true), now);
        dated["data"]["attributes"].get("timestamp").map(|at| time(at.as_str().unwrap()))
    };
    let after = |at: Timestamp, minutes: u64| at.saturating_add(std::time::Duration::from_mins(minutes));
    assert_eq!(sent(&open(), start), Some(start));
    assert_eq!(sent(&open(), after(start, 17 * 60)), Some(start));
    assert_eq!(sent(&open(), after(start, 17 * 60 + 1)), None);
    assert_eq!(sent(&completed(), end), Some(end));
    assert!(end > after(start, 1), "the end is later than the start");
    let late = after(start, 17 * 60 + 1);
    assert_eq!(sent(&completed(), late), None, "the event at the start had the time of its receipt");
    let ahead = start.saturating_sub(std::time::Duration::from_mins(1));
    assert_eq!(sent(&open(), ahead), None, "a clock that is wrong");
}

#[test]
fn a_correction_is_not_earlier_than_what_it_corrects() {
    let has_time = |evaluated: &Evaluated, revision, is_correction, sends_open| {
        let event = event(evaluated, RevisionContext { revision, is_correction }, sends_open);
        event["data"]["attributes"].get("timestamp").is_some()
    };
    assert!(has_time(&open(), 1, false, true) && has_time(&completed(), 1, false, false));
    assert!(has_time(&completed(), 2, true, true), "the end after the start");
    assert!(has_time(&completed(), 3, false, false), "Datadog has no earlier revision");
    assert!(!has_time(&completed(), 2, true, false), "a corrected end");
    assert!(!has_time(&open(), 2, true, true), "reopened");
    assert!(!has_time(&completed(), 3, true, true), "ended again");
}

#[test]
fn each_answer_about_the_key_is_told() {
    const API: &str = "https://api.datadoghq.com";
    let words = || "HTTP 200: {\"valid\":true}".to_owned();
    let refused = || "HTTP 403: Forbidden".to_owned();
    let probes = [
        of_key(API, Ok((Some(true), words()))),
        of_key(API, Ok((Some(false), refused()))),
        of_key(API, Ok((None, "HTTP 404".to_owned()))),
        of_key(API, Err(Probe::Unusable("cannot be reached (refused): check url".to_owned()))),
    ];
    insta::assert_debug_snapshot!(probes);
}

#[test]
fn two_long_ids_have_two_keys() {
    let key = |last: &str| {
        let mut evaluated = completed();
        let id = format!("{}{last}", "x".repeat(127));
        evaluated.failure.id = crate::domain::id::FailureId::parse(&id).unwrap();
        event(&evaluated, FIRST, false)["data"]["attributes"]["aggregation_key"].as_str().unwrap().to_owned()
    };
    assert_ne!(key("1"), key("2"));
    assert_eq!(key("1").len(), 100);
}
