//! Webhooks of a world, compared with the fixtures.

use pagerduty_dora::sources::pagerduty::payload;
use serde_json::{Value, json};

use super::with_incident;
use crate::fake_pagerduty::World;
use crate::harness::{Daemon, fixture, time};

/// Every change once. The second incident is merged into the first one.
fn every_change() -> (World, String, String) {
    let (world, id) = with_incident();
    let at = |seconds: u32| time(&format!("2026-11-01T10:{:02}:{:02}.250Z", seconds / 60, seconds % 60));
    let merged = world.trigger(at(1), "search", "low", None, "disk full");
    world.acknowledge(&id, at(10));
    world.unacknowledge(&id, at(20));
    world.escalate(&id, at(30));
    world.set_priority(&id, at(40), Some("P2"));
    world.move_to(&id, at(50), "payments");
    let note = world.add_note(&id, at(60), "deployment: checkout-1.42.0");
    world.edit_note(&id, at(70), &note, "deployment: checkout-1.43.0");
    world.delete_note(&id, at(80), &note);
    world.set_fields(
        &id,
        at(90),
        &[("deployment", json!("checkout-1.42.0")), ("regions", json!(["eu", "us"]))],
    );
    world.set_title(&id, at(100), "vip: checkout down");
    world.set_urgency(&id, at(110), "low");
    world.merge(&merged, at(120), &id);
    world.resolve(&id, at(130));
    world.reopen(&id, at(140));
    world.set_priority(&id, at(150), None);
    (world, id, merged)
}

fn bodies(world: &World) -> Vec<Value> {
    world.webhooks().iter().map(|webhook| serde_json::from_str(&webhook.body).unwrap()).collect()
}

/// Compares types and keys. A null stands for any type.
fn compare_shapes(path: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(found), Value::Object(expected)) => {
            let keys = |object: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = object.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(found), keys(expected), "{path}");
            for (key, value) in found {
                compare_shapes(&format!("{path}.{key}"), value, &expected[key]);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            for (found, expected) in found.iter().zip(expected) {
                compare_shapes(path, found, expected);
            }
        }
        _ => assert_eq!(std::mem::discriminant(found), std::mem::discriminant(expected), "{path}"),
    }
}

#[test]
fn webhooks_have_the_shapes_of_the_fixtures() {
    for body in bodies(&every_change().0) {
        let event_type = body["event"]["event_type"].as_str().unwrap();
        let mut expected: Value = serde_json::from_str(&fixture(event_type)).unwrap();
        let mut found = body.clone();
        // Several agents and types of values are possible.
        for body in [&mut found, &mut expected] {
            body["event"]["agent"] = Value::Null;
            if let Some(value) = body.pointer_mut("/event/data/custom_fields/0/value") {
                *value = Value::Null;
            }
        }
        compare_shapes(event_type, &found["event"], &expected["event"]);
    }
}

#[test]
fn changes_that_pagerduty_tells_have_one_webhook_each() {
    let (world, ..) = every_change();
    let told: Vec<&str> = world.webhooks().iter().map(|webhook| webhook.event_type).collect();
    let expected = [
        "incident.triggered",
        "incident.triggered",
        "incident.acknowledged",
        "incident.unacknowledged",
        "incident.escalated",
        "incident.priority_updated",
        "incident.service_updated",
        "incident.annotated",
        "incident.custom_field_values.updated",
        "incident.resolved",
        "incident.resolved",
        "incident.reopened",
        "incident.priority_updated",
    ];
    assert_eq!(told, expected);
}

#[test]
fn event_ids_grow_and_incident_ids_differ_between_worlds() {
    let (world, ..) = every_change();
    let ids: Vec<String> = world.webhooks().iter().map(|webhook| webhook.event_id.clone()).collect();
    assert!(ids.is_sorted_by(|earlier, later| earlier < later), "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 26), "{ids:?}");
    let at = time("2026-11-01T10:00:00Z");
    let incidents: Vec<String> =
        (0..3).map(|seed| World::new(seed).trigger(at, "a", "low", None, "b")).collect();
    assert!(incidents.is_sorted_by(|one, other| one < other), "{incidents:?}");
    assert!(incidents.iter().all(|id| id.len() == 14 && id.starts_with('Q')), "{incidents:?}");
}

#[test]
fn times_have_the_precision_that_pagerduty_has() {
    let (world, ..) = every_change();
    let bodies = bodies(&world);
    let [triggered, .., reopened, _] = bodies.as_slice() else { panic!("{bodies:?}") };
    assert_eq!(triggered["event"]["occurred_at"], "2026-11-01T10:00:00.412Z");
    assert_eq!(triggered["event"]["data"]["created_at"], "2026-11-01T10:00:00Z");
    assert_eq!(reopened["event"]["data"]["reopened_at"], "2026-11-01T10:02:20Z");
    assert_eq!(reopened["event"]["occurred_at"], "2026-11-01T10:02:21.292Z");
}

#[test]
fn a_merge_names_its_target_until_the_incident_is_reopened() {
    let (world, id, merged) = every_change();
    let reasons = |world: &World| -> Vec<Value> {
        bodies(world).iter().map(|body| body["event"]["data"]["resolve_reason"].clone()).collect()
    };
    let of_merge = &reasons(&world)[9];
    assert_eq!(
        (&of_merge["type"], &of_merge["incident"]["id"]),
        (&json!("merge_resolve_reason"), &json!(id))
    );
    world.reopen(&merged, time("2026-11-01T11:00:00Z"));
    assert_eq!(reasons(&world).last(), Some(&Value::Null));
}

#[test]
#[should_panic(expected = "is not later than the last one")]
fn changes_of_an_incident_are_in_order() {
    let (world, id) = with_incident();
    world.acknowledge(&id, time("2026-11-01T10:00:00.412Z"));
}

#[test]
#[should_panic(expected = "is resolved")]
fn a_resolved_incident_cannot_be_acknowledged() {
    let (world, id) = with_incident();
    world.resolve(&id, time("2026-11-01T10:00:01Z"));
    world.acknowledge(&id, time("2026-11-01T10:00:02Z"));
}

#[tokio::test]
async fn the_program_understands_every_webhook() {
    let (world, id, merged) = every_change();
    let daemon = Daemon::start("").await;
    for webhook in world.webhooks() {
        let heading = payload::heading(webhook.body.as_bytes()).unwrap();
        assert_eq!((heading.id, heading.occurred_at), (webhook.event_id, Some(webhook.occurred_at)));
        daemon.expect(webhook.body, "accepted").await;
    }
    let failures = daemon.failures().await;
    let failure = |incident: &str| failures.iter().find(|failure| failure["incident"] == incident).unwrap();
    assert_eq!((&failure(&id)["state"], &failure(&merged)["state"]), (&json!("open"), &json!("merged")));
    daemon.stop().await.unwrap();
}
