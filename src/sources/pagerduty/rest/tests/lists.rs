//! Pages, windows, and the times in answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Reply, Seen, Server};
use super::{at, client};
use crate::sources::pagerduty::rest::{LogKind, RestError};

/// The entries of a page, from all entries of a list.
fn page(key: &str, all: &[Value], seen: &Seen) -> Reply {
    assert_eq!(seen.query["limit"], "100");
    let rest = all.get(seen.offset()..).unwrap_or_default();
    Reply::json(&json!({ key: rest.iter().take(100).collect::<Vec<_>>(), "more": rest.len() > 100 }))
}

fn log_entry(id: usize, kind: &str, created_at: &str) -> Value {
    json!({"id": format!("R{id}"), "type": format!("{kind}_log_entry"), "created_at": created_at})
}

#[tokio::test]
async fn a_log_is_read_to_its_end_and_told_from_its_beginning() {
    let mut entries = vec![
        log_entry(252, "resolve", "2026-11-01T12:00:00+02:00"),
        log_entry(251, "reach_ack_limit", "2026-11-01T10:00:00Z"),
    ];
    entries.extend((3..251).rev().map(|id| log_entry(id, "annotate", "2026-11-01T09:30:00.000Z")));
    entries.push(log_entry(2, "unacknowledge", "2026-11-01T04:10:00-05:00"));
    entries.push(log_entry(1, "acknowledge", "2026-11-01T09:00:00Z"));
    entries.push(log_entry(0, "trigger", "2026-11-01T09:00:00Z"));
    // One entry comes in between two requests.
    let server = Server::start(move |number, seen| {
        let shown = if number == 0 { &entries[1..] } else { &entries[..] };
        page("log_entries", shown, seen)
    })
    .await;
    let (client, _) = client(&server);
    let log = client.log_of("Q1").await.unwrap();
    assert_eq!(log.len(), 252, "{log:?}");
    let kinds: Vec<LogKind> = log[..4].iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [LogKind::Trigger, LogKind::Acknowledge, LogKind::Unacknowledge, LogKind::Other]);
    assert_eq!((log[2].at, log[251].at), (at("2026-11-01T09:10:00Z"), at("2026-11-01T10:00:00Z")));
    assert!(log.is_sorted_by_key(|entry| entry.at));
    let seen = server.seen();
    assert_eq!(seen.iter().map(Seen::offset).collect::<Vec<_>>(), [0, 100, 200]);
    for seen in seen {
        assert_eq!(seen.line, "GET /incidents/Q1/log_entries");
        assert_eq!([&seen.query["is_overview"], &seen.query["time_zone"]], ["false", "UTC"]);
    }
}

#[tokio::test]
async fn a_wrong_time_is_reported_with_its_key() {
    let entry = log_entry(1, "trigger", "yesterday");
    let server = Server::start(move |_, seen| page("log_entries", std::slice::from_ref(&entry), seen)).await;
    let (client, _) = client(&server);
    let Err(RestError::UnexpectedForm { problem, .. }) = client.log_of("Q1").await else { panic!() };
    assert!(problem.starts_with("log_entries[0].created_at: is not an RFC 3339 time"), "{problem}");
}

#[tokio::test]
async fn a_log_that_is_longer_than_pagerduty_lists_is_an_error() {
    let server = Server::start(|_, seen| {
        let entry = log_entry(seen.offset(), "annotate", "2026-11-01T09:00:00Z");
        Reply::json(&json!({"log_entries": [entry], "more": true}))
    })
    .await;
    let (client, _) = client(&server);
    let error = client.log_of("Q1").await.unwrap_err();
    assert!(error.to_string().contains("more than 10,000 entries in the log of incident Q1"), "{error}");
    assert_eq!((server.seen().len(), server.seen()[99].offset()), (100, 9_900));
}

#[tokio::test]
async fn notes_are_told_from_the_oldest_and_may_be_empty() {
    let server = Server::start(|_, _| {
        Reply::json(&json!({"notes": [
            {"id": "N2", "content": "deployment: 7", "created_at": "2026-11-01T12:00:00+01:00", "user": null},
            {"id": "N1", "content": null, "created_at": "2026-11-01T10:59:59Z"},
        ]}))
    })
    .await;
    let (client, _) = client(&server);
    let notes = client.notes_of("Q1").await.unwrap();
    let shown: Vec<_> = notes.iter().map(|note| (note.id.as_str(), note.content.as_str())).collect();
    assert_eq!(shown, [("N1", ""), ("N2", "deployment: 7")]);
    assert_eq!(notes[1].at, at("2026-11-01T11:00:00Z"));
    assert_eq!(server.seen()[0].line, "GET /incidents/Q1/notes");
}

#[tokio::test]
async fn related_changes_have_their_reason() {
    let server = Server::start(|_, _| {
        Reply::json(&json!({"change_events": [
            {"id": "C1", "timestamp": "2026-11-01T09:58:00.315+0000", "summary": "Deploy 7", "source": null,
             "services": [{"id": "PSVC001", "type": "service_reference"}],
             "correlation_reason": {"reason": "most_recent"}},
            {"id": "C2", "timestamp": "2026-11-01T09:00:00Z"},
        ]}))
    })
    .await;
    let (client, _) = client(&server);
    let changes = client.related_change_events("Q1").await.unwrap();
    assert_eq!(changes[0].at, at("2026-11-01T09:58:00.315Z"));
    assert_eq!((changes[0].services.join(","), changes[0].source.as_ref()), ("PSVC001".to_owned(), None));
    let reasons: Vec<_> = changes.iter().map(|change| change.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("most_recent"), None]);
    assert_eq!(server.seen()[0].line, "GET /incidents/Q1/related_change_events");
}

#[tokio::test]
async fn texts_of_related_changes_have_no_credentials_and_are_short() {
    let server = Server::start(|_, _| {
        let named = json!({"id": "PSVC001", "summary": "Checkout API"});
        let change = json!({
            "id": "C1", "timestamp": "2026-11-01T09:58:00Z", "source": " \t",
            "summary": format!("from https://user:secret@git.example/shop {}", "x".repeat(5_000)),
            "services": vec![named; 101],
        });
        Reply::json(&json!({"change_events": vec![change; 101]}))
    })
    .await;
    let (client, _) = client(&server);
    let changes = client.related_change_events("Q1").await.unwrap();
    assert_eq!((changes.len(), changes[0].services.len()), (100, 100));
    let summary = changes[0].summary.as_deref().unwrap();
    assert!(summary.starts_with("from https://git.example/shop xxx"), "{summary}");
    assert_eq!((summary.chars().count(), changes[0].source.as_ref()), (1_024, None));
    assert_eq!(changes[0].services[0], "Checkout API");
}

/// Seconds between `since` and `until` of a request. Both have to be in UTC.
fn window_seconds(seen: &Seen) -> i64 {
    assert_eq!(seen.query["time_zone"], "UTC");
    let [since, until] = ["since", "until"].map(|key| {
        assert!(seen.query[key].ends_with('Z'), "{}", seen.query[key]);
        at(&seen.query[key])
    });
    until.as_seconds() - since.as_seconds()
}

#[tokio::test]
async fn a_window_with_too_many_log_entries_is_halved() {
    let server = Server::start(|_, seen| {
        // Two seconds or more have too many entries, and name no incident of the others.
        let is_full = window_seconds(seen) > 1;
        let id = if is_full { "QFULL".to_owned() } else { seen.query["since"].clone() };
        let entries = json!([{"incident": {"id": id}}, {"incident": {"id": id}}, {"incident": null}]);
        Reply::json(&json!({"log_entries": entries, "more": is_full}))
    })
    .await;
    let (client, _) = client(&server);
    let (since, until) = (at("2026-11-01T09:00:00.250Z"), at("2026-11-01T09:00:02.001Z"));
    let ids = client.touched_incidents(since, until).await.unwrap();
    let seconds = ["2026-11-01T09:00:00Z", "2026-11-01T09:00:01Z", "2026-11-01T09:00:02Z"];
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), [&seconds[..], &["QFULL"]].concat());
    let seen = server.seen();
    assert_eq!((seen[0].line.as_str(), seen[0].query["is_overview"].as_str()), ("GET /log_entries", "true"));
    assert_eq!([&seen[0].query["since"], &seen[0].query["until"]], [seconds[0], "2026-11-01T09:00:03Z"]);
    // The whole window, its first second, the other two together, and each of them.
    assert_eq!((seen.len(), seen[99].offset(), seen[100].offset()), (100 + 1 + 100 + 2, 9_900, 0));
}

#[tokio::test]
async fn a_second_with_too_many_entries_is_an_error() {
    let server = Server::start(|_, _| Reply::json(&json!({"log_entries": [], "more": true}))).await;
    let (client, _) = client(&server);
    let (since, until) = (at("2026-11-01T09:00:00Z"), at("2026-11-01T09:00:01Z"));
    let error = client.touched_incidents(since, until).await.unwrap_err();
    let expected =
        "more than 10,000 entries in the second from 2026-11-01T09:00:00Z, and PagerDuty lists no more";
    assert!(matches!(error, RestError::WindowTooFull { .. }));
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn created_incidents_are_asked_for_in_windows_that_are_halved() {
    let server = Server::start(|_, seen| {
        let total = if window_seconds(seen) > 8 * 86_400 { 2_001 } else { 2_000 };
        // The list has the incident of the moment at which the window ends.
        let incidents = ["since", "until"]
            .map(|key| json!({"id": seen.query[key].get(..10), "created_at": seen.query[key]}));
        Reply::json(&json!({"incidents": incidents, "more": false, "total": total}))
    })
    .await;
    let (client, _) = client(&server);
    let (since, until) = (at("2026-09-01T00:00:00Z"), at("2026-11-05T00:00:00Z"));
    let part = client.created_incidents(since, until).await.unwrap();
    assert_eq!(part.until, at("2026-09-08T12:00:00Z"));
    let ids: Vec<&str> = part.incidents.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(ids, ["2026-09-01"]);
    let last = client.created_incidents(at("2026-10-31T00:00:00Z"), until).await.unwrap();
    assert_eq!((last.until, last.incidents.len()), (until, 2));
    let seen = server.seen();
    let hours: Vec<i64> = seen.iter().map(|seen| window_seconds(seen) / 3_600).collect();
    assert_eq!(hours, [720, 360, 180, 120]);
    for seen in seen {
        assert_eq!(seen.line, "GET /incidents");
        assert_eq!([&seen.query["sort_by"], &seen.query["total"]], ["created_at:asc", "true"]);
        assert!(!seen.query.contains_key("statuses[]"));
    }
}

#[tokio::test]
async fn a_second_with_more_incidents_than_pagerduty_lists_is_an_error() {
    let server =
        Server::start(|_, _| Reply::json(&json!({"incidents": [], "more": true, "total": 10_001}))).await;
    let (client, _) = client(&server);
    let (since, until) = (at("2026-09-01T00:00:00Z"), at("2026-09-01T01:00:00Z"));
    let error = client.created_incidents(since, until).await.unwrap_err();
    assert!(error.to_string().contains("in the second from 2026-09-01T00:00:00Z"), "{error}");
}

#[tokio::test]
async fn analytics_are_read_page_by_page_up_to_a_whole_second() {
    let all: Vec<Value> = (0..5_000)
        .map(|number| {
            let created_at = at("2026-09-01T00:00:00Z").saturating_add(Duration::from_secs(number / 1_500));
            json!({"id": format!("Q{number:04}"), "created_at": created_at.to_string()})
        })
        .collect();
    let server = Server::start(move |_, seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body["filters"]["created_at_start"], "2026-09-01T00:00:00Z");
        let after = body["starting_after"].as_str().map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        let page = &all[after..all.len().min(after + 1_000)];
        let last = (after + page.len()).to_string();
        Reply::json(&json!({"data": page, "more": after + 1_000 < all.len(), "last": last}))
    })
    .await;
    let (client, _) = client(&server);
    let (since, until) = (at("2026-09-01T00:00:00Z"), at("2026-09-02T00:00:00Z"));
    let part = client.incidents_from_analytics(since, until).await.unwrap();
    assert_eq!((part.incidents.len(), part.until), (1_500, at("2026-09-01T00:00:01Z")));
    assert!(server.seen().iter().all(|seen| seen.line == "POST /analytics/raw/incidents"));
}

#[tokio::test]
async fn nothing_is_asked_for_an_empty_window() {
    let server = Server::in_turn(vec![|| Reply::text(500, "")]).await;
    let (client, _) = client(&server);
    let noon = at("2026-11-01T12:00:00Z");
    for since in [noon, at("2026-11-01T12:00:01Z")] {
        assert!(client.touched_incidents(since, noon).await.unwrap().is_empty());
        assert!(client.created_incidents(since, noon).await.unwrap().incidents.is_empty());
        assert!(client.incidents_from_analytics(since, noon).await.unwrap().incidents.is_empty());
    }
    assert!(server.seen().is_empty());
}
