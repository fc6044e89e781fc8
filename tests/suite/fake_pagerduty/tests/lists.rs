//! Windows, zones, filters and pages of lists.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Api, each};
use crate::fake_pagerduty::World;
use crate::harness::time;

/// Incidents by their titles, which are the days on which they were created. It is the end of November.
async fn with_days(days: &[&str]) -> Api {
    let world = World::new(3);
    for day in days {
        world.trigger(time(&format!("{day}T12:00:00.500Z")), "checkout", "high", None, day);
    }
    world.set_now(time("2026-11-30T00:00:00Z"));
    Api::of(world).await
}

#[tokio::test]
async fn the_window_of_incidents_is_a_month_and_at_most_six() {
    let days = ["2026-04-01", "2026-09-15", "2026-10-29", "2026-10-31", "2026-11-29"];
    let api = with_days(&days).await;
    for (query, expected) in [
        ("", &days[3..]),
        ("?since=2026-09-01T00:00:00Z", &days[1..2]),
        ("?until=2026-10-31T00:00:00Z", &days[2..3]),
        ("?since=2026-09-01T00:00:00Z&until=2026-11-30T00:00:00Z", &days[1..]),
        ("?since=2026-04-01T00:00:00Z&until=2026-10-01T00:00:00Z", &days[..2]),
        ("?since=2026-04-01T00:00:00Z&until=2026-10-01T00:00:01Z", &[]),
        ("?date_range=all&since=2026-11-01T00:00:00Z", &days[..]),
        // The first second of the window belongs to it, and the last one does not.
        ("?since=2026-09-15T12:00:00Z&until=2026-10-29T12:00:00Z", &days[1..2]),
    ] {
        let answer = api.get(&format!("/incidents{query}")).await;
        assert_eq!(each(&answer["incidents"], "title"), expected, "{query}");
    }
}

#[tokio::test]
async fn times_without_an_offset_are_the_accounts() {
    let api = with_days(&["2026-11-10"]).await;
    for (since, expected) in [
        ("2026-11-10T04:00:00", 1),
        ("2026-11-10T04:00:01", 0),
        ("2026-11-10T12:00:00Z", 1),
        ("2026-11-10T13:00:00%2B01:00", 1),
        ("2026-11-10T13:00:01%2B01:00", 0),
        ("2026-11-10", 1),
        ("2026-11-11", 0),
    ] {
        // `time_zone` does not change how a time is read.
        let answer = api.get(&format!("/incidents?since={since}&time_zone=UTC")).await;
        assert_eq!(answer["incidents"].as_array().unwrap().len(), expected, "{since}");
    }
    for (query, expected) in [
        ("?", "2026-11-10T04:00:00-08:00"),
        ("?time_zone=UTC", "2026-11-10T12:00:00Z"),
        ("?time_zone=America/Los_Angeles", "2026-11-10T04:00:00-08:00"),
    ] {
        let answer = api.get(&format!("/incidents{query}")).await;
        assert_eq!(answer["incidents"][0]["created_at"], expected, "{query}");
        let answer = api.get(&format!("/log_entries{query}")).await;
        assert_eq!(answer["log_entries"][0]["created_at"], expected, "{query}");
    }
}

#[tokio::test]
async fn incidents_are_filtered_and_sorted() {
    let world = World::new(4);
    let at = |second: u32| time(&format!("2026-11-10T12:00:{second:02}Z"));
    let first = world.trigger(at(1), "checkout", "high", None, "first");
    let second = world.trigger(at(2), "search", "low", None, "second");
    let third = world.trigger(at(3), "checkout", "low", None, "third");
    world.acknowledge(&second, at(4));
    world.resolve(&third, at(5));
    let api = Api::of(world).await;
    let service = &api.get(&format!("/incidents/{first}")).await["incident"]["service"]["id"];
    let service = service.as_str().unwrap();
    for (query, expected) in [
        ("statuses%5B%5D=triggered&statuses%5B%5D=resolved".to_owned(), vec!["first", "third"]),
        ("urgencies%5B%5D=low".to_owned(), vec!["second", "third"]),
        (format!("service_ids%5B%5D={service}"), vec!["first", "third"]),
        ("sort_by=created_at:desc".to_owned(), vec!["third", "second", "first"]),
        ("sort_by=urgency:desc,incident_number:desc".to_owned(), vec!["third", "second", "first"]),
        ("sort_by=resolved_at:asc".to_owned(), vec!["first", "second", "third"]),
    ] {
        let answer = api.get(&format!("/incidents?{query}")).await;
        assert_eq!(each(&answer["incidents"], "title"), expected, "{query}");
    }
}

#[tokio::test]
async fn lists_have_pages_and_end_at_ten_thousand() {
    let world = World::new(5);
    let begin = time("2026-11-10T12:00:00Z");
    for second in 0..10_050 {
        world.trigger(begin.saturating_add(Duration::from_secs(second)), "a", "low", None, "b");
    }
    let api = Api::of(world).await;
    let page = async |path: &str, key: &str| {
        let answer = api.get(path).await;
        (answer[key].as_array().unwrap().len(), answer["more"].clone(), answer["total"].clone())
    };
    assert_eq!(page("/incidents", "incidents").await, (25, json!(true), Value::Null));
    let last = "/incidents?limit=100&offset=9900&total=true";
    assert_eq!(page(last, "incidents").await, (100, json!(true), json!(10_050)));
    assert_eq!(api.refused("/incidents?limit=100&offset=9901").await, (400, 2002));
    let log = "/log_entries?is_overview=true&limit=100&offset=";
    assert_eq!(page(&format!("{log}9900"), "log_entries").await, (100, json!(true), Value::Null));
    assert_eq!(api.refused(&format!("{log}10000")).await, (400, 2002));
    let window = "since=2026-11-10T12:00:00Z&until=2026-11-10T12:00:40Z&offset=20&limit=30";
    assert_eq!(page(&format!("/log_entries?is_overview=true&{window}"), "log_entries").await.0, 20);
    assert_eq!(page(&format!("/incidents?{window}"), "incidents").await, (20, json!(false), Value::Null));
    assert_eq!(api.pagerduty.refusals().len(), 2, "a page that PagerDuty does not have is a mistake");
}
