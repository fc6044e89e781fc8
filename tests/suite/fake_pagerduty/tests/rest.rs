//! Answers of REST about one incident, and analytics.

use serde_json::{Value, json};

use super::{Api, each, with_incident};
use crate::fake_pagerduty::{TOKEN, World};
use crate::harness::time;

#[tokio::test]
async fn an_incident_has_its_present_state_in_whole_seconds() {
    let (world, id) = with_incident();
    world.set_fields(&id, time("2026-11-01T10:01:00.900Z"), &[("deployment", json!("checkout-1.42.0"))]);
    world.resolve(&id, time("2026-11-01T10:42:10.500Z"));
    let api = Api::of(world).await;
    let path = format!("/incidents/{id}");
    let resolved = &api.get(&path).await["incident"];
    assert_eq!(resolved["created_at"], "2026-11-01T10:00:00Z");
    assert_eq!(resolved["resolved_at"], "2026-11-01T10:42:10Z");
    assert_eq!(resolved["updated_at"], "2026-11-01T10:42:10Z");
    assert_eq!(resolved["assignments"], json!([]));
    assert_eq!(resolved["custom_fields"], Value::Null);
    let with_fields = &api.get(&format!("{path}?include%5B%5D=custom_fields")).await["incident"];
    assert_eq!(with_fields["custom_fields"][0]["value"], "checkout-1.42.0");

    api.pagerduty.world.reopen(&id, time("2026-11-01T11:00:00.700Z"));
    let reopened = &api.get(&path).await["incident"];
    assert_eq!((&reopened["status"], &reopened["resolved_at"]), (&json!("triggered"), &Value::Null));
    assert_eq!(reopened["last_status_change_at"], "2026-11-01T11:00:00Z");
    assert_eq!(reopened.get("reopened_at"), None, "REST does not have it");
    let number = reopened["incident_number"].as_u64().unwrap();
    assert_eq!(api.get(&format!("/incidents/{number}")).await["incident"]["id"], json!(id));
}

#[tokio::test]
async fn a_deleted_incident_is_404_and_still_in_the_log() {
    let (world, id) = with_incident();
    let api = Api::of(world).await;
    api.pagerduty.world.delete(&id);
    for path in ["", "/log_entries", "/notes", "/related_change_events"] {
        assert_eq!(api.refused(&format!("/incidents/{id}{path}")).await, (404, 2100), "{path}");
    }
    assert_eq!(api.get("/incidents").await["incidents"], json!([]));
    let log = api.get("/log_entries?is_overview=true&time_zone=UTC").await;
    assert_eq!(log["log_entries"][0]["incident"]["id"], json!(id));
    assert_eq!(api.pagerduty.refusals(), [""; 0], "a deleted incident is no mistake of the client");
}

#[tokio::test]
async fn notes_are_as_they_are_now() {
    let (world, id) = with_incident();
    let first = world.add_note(&id, time("2026-11-01T10:01:00.900Z"), "deployment: a-1");
    let second = world.add_note(&id, time("2026-11-01T10:02:00Z"), "to be deleted");
    world.edit_note(&id, time("2026-11-01T10:03:00Z"), &first, "deployment: a-2");
    world.delete_note(&id, time("2026-11-01T10:04:00Z"), &second);
    let api = Api::of(world).await;
    let notes = &api.get(&format!("/incidents/{id}/notes")).await["notes"];
    assert_eq!(each(notes, "id"), [first]);
    assert_eq!(each(notes, "content"), ["deployment: a-2"]);
    assert_eq!(each(notes, "created_at"), ["2026-11-01T10:01:00Z"]);
}

#[tokio::test]
async fn the_log_has_no_reopens_merges_and_moves() {
    let (world, id) = with_incident();
    let at = |minute: u32| time(&format!("2026-11-01T10:{minute:02}:00.600Z"));
    world.acknowledge(&id, at(1));
    world.unacknowledge(&id, at(2));
    world.escalate(&id, at(3));
    world.set_priority(&id, at(4), None);
    world.move_to(&id, at(5), "search");
    world.add_note(&id, at(6), "rolled back");
    world.resolve(&id, at(7));
    world.reopen(&id, at(8));
    let target = world.trigger(at(9), "search", "high", None, "disk full");
    world.merge(&id, at(10), &target);
    let api = Api::of(world.clone()).await;
    let path = format!("/incidents/{id}/log_entries?time_zone=UTC&limit=100");
    let log = &api.get(&path).await["log_entries"];
    let expected = [
        ("resolve_log_entry", "2026-11-01T10:07:00Z"),
        ("annotate_log_entry", "2026-11-01T10:06:00Z"),
        ("priority_change_log_entry", "2026-11-01T10:04:00Z"),
        ("escalate_log_entry", "2026-11-01T10:03:00Z"),
        ("unacknowledge_log_entry", "2026-11-01T10:02:00Z"),
        ("acknowledge_log_entry", "2026-11-01T10:01:00Z"),
        ("notify_log_entry", "2026-11-01T10:00:00Z"),
        ("trigger_log_entry", "2026-11-01T10:00:00Z"),
    ];
    let found: Vec<_> = each(log, "type").into_iter().zip(each(log, "created_at")).collect();
    assert_eq!(found, expected);
    let overview = &api.get(&format!("{path}&is_overview=true")).await["log_entries"];
    assert_eq!(overview.as_array().unwrap().len(), expected.len() - 1, "no notification");

    world.logs_merges();
    world.reopen(&id, at(11));
    world.merge(&id, at(12), &target);
    assert_eq!(api.get(&path).await["log_entries"][0]["created_at"], "2026-11-01T10:12:00Z");
}

#[tokio::test]
async fn changes_of_other_tools_are_related_to_an_incident() {
    let (world, id) = with_incident();
    world.relate_change(&id, time("2026-11-01T09:58:00Z"), "most_recent", "checkout 1.42.0 deployed");
    let api = Api::of(world).await;
    let answer = api.get(&format!("/incidents/{id}/related_change_events?limit=10")).await;
    let change = &answer["change_events"][0];
    assert_eq!(change["summary"], "checkout 1.42.0 deployed");
    assert_eq!(change["correlation_reason"]["reason"], "most_recent");

    api.pagerduty.world.refuse_changes(&id, Some(403));
    assert_eq!(api.refused(&format!("/incidents/{id}/related_change_events")).await, (403, 2010));
    assert_eq!(api.pagerduty.refusals(), [""; 0], "a missing right is no mistake of the client");
}

#[tokio::test]
async fn analytics_are_a_day_behind_and_paged_by_a_cursor() {
    let world = World::new(1);
    let at = |day: u32| time(&format!("2026-11-{day:02}T10:00:00Z"));
    let ids: Vec<String> =
        (1..=20).map(|day| world.trigger(at(day), "checkout", "high", None, "disk full")).collect();
    world.set_now(time("2026-11-20T12:00:00Z"));
    let api = Api::of(world.clone()).await;
    let mut seen = Vec::new();
    let mut body =
        json!({ "limit": 8, "order": "asc", "filters": { "created_at_start": "2026-11-02T00:00:00Z" } });
    loop {
        let answer = api.answer("POST", "/analytics/raw/incidents", Some(&body)).await.json();
        seen.extend(each(&answer["data"], "id").into_iter().map(str::to_owned));
        if answer["more"] != json!(true) {
            break;
        }
        body["starting_after"] = answer["last"].clone();
    }
    assert_eq!(seen, ids[1..19], "the incident of the last day is missing");

    world.has_no_analytics();
    let answer = api.answer("POST", "/analytics/raw/incidents", Some(&body)).await;
    assert_eq!(answer.status, 403);
    assert_eq!(api.pagerduty.refusals(), [""; 0], "a plan without analytics is no mistake of the client");
}

#[tokio::test]
async fn a_daemon_is_configured_with_its_address_and_token() {
    let api = Api::of(World::new(1)).await;
    let section: toml::Table = api.pagerduty.section().parse().unwrap();
    let (url, token) = (&section["pagerduty"]["api"]["url"], &section["pagerduty"]["api"]["token"]["value"]);
    assert_eq!((url.as_str(), token.as_str()), (Some(api.pagerduty.url().as_str()), Some(TOKEN)));
}
