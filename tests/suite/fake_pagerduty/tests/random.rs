//! Random histories and losses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::json;

use super::{Api, with_incident};
use crate::fake_pagerduty::{
    Webhook, World, irreplaceable_webhooks, random_world, random_world_with_silent_changes, webhooks_lost,
};
use crate::harness::time;

const SEEDS: u64 = 200;

#[test]
fn a_seed_repeats_its_world_and_its_losses() {
    for seed in [0, 1, u64::MAX] {
        let (one, other) = (random_world(seed), random_world(seed));
        assert_eq!(one.webhooks(), other.webhooks());
        assert_eq!(webhooks_lost(&one, seed), webhooks_lost(&other, seed));
    }
}

#[test]
fn random_worlds_have_every_kind_of_change() {
    let worlds: Vec<World> = (0..SEEDS).map(random_world).collect();
    let webhooks: Vec<Webhook> = worlds.iter().flat_map(World::webhooks).collect();
    let types: BTreeSet<&str> = webhooks.iter().map(|webhook| webhook.event_type).collect();
    assert_eq!(types.len(), 10, "{types:?}");
    assert!(webhooks.iter().any(|webhook| webhook.body.contains("merge_resolve_reason")));
    let counts: BTreeSet<usize> = worlds.iter().map(|world| world.incidents().len()).collect();
    assert_eq!(counts, BTreeSet::from([1, 2, 3, 4]));
}

#[test]
fn changes_of_an_incident_are_two_seconds_apart() {
    for world in (0..SEEDS).flat_map(|seed| [random_world(seed), random_world_with_silent_changes(seed)]) {
        let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
        for webhook in world.webhooks() {
            if let Some(before) = last.insert(webhook.incident, webhook.occurred_at) {
                assert!(webhook.occurred_at >= before.saturating_add(Duration::from_secs(2)), "{before}");
            }
        }
    }
}

#[test]
fn losses_drop_double_delay_and_reorder() {
    let (mut has_dropped, mut has_doubled, mut has_reordered, mut has_all) = (false, false, false, false);
    for seed in 0..SEEDS {
        let world = random_world(seed);
        let (sent, arrived) = (world.webhooks(), webhooks_lost(&world, seed));
        assert!(arrived.iter().all(|webhook| sent.contains(webhook)));
        let ids: BTreeSet<&str> = arrived.iter().map(|webhook| webhook.event_id.as_str()).collect();
        has_dropped |= ids.len() < sent.len();
        has_all |= ids.len() == sent.len();
        has_doubled |= ids.len() < arrived.len();
        has_reordered |= !arrived.is_sorted_by(|one, other| one.event_id <= other.event_id);
    }
    assert!(has_dropped && has_all && has_doubled && has_reordered);
}

#[test]
fn rest_cannot_replace_reopens_and_merges_that_later_changes_hide() {
    let (world, id) = with_incident();
    let at = |minute: u32| time(&format!("2026-11-01T10:{minute:02}:00Z"));
    let target = world.trigger(at(1), "search", "high", None, "disk full");
    world.merge(&id, at(2), &target);
    assert_eq!(irreplaceable_webhooks(&world), [], "REST shows the merge");
    world.reopen(&id, at(3));
    world.set_priority(&id, at(4), None);
    let hidden = || -> Vec<String> {
        irreplaceable_webhooks(&world).into_iter().map(|webhook| webhook.event_id).collect()
    };
    let all = world.webhooks();
    let (of_merge, reopened) = (&all[2].event_id, &all[3].event_id);
    assert_eq!(hidden(), [of_merge.as_str()], "REST shows the reopen");
    world.resolve(&id, at(5));
    assert_eq!(hidden(), [of_merge.as_str(), reopened]);
}

#[tokio::test]
async fn rest_agrees_with_the_last_webhook_of_each_incident() {
    for seed in 0..20 {
        let api = Api::of(random_world(seed)).await;
        let mut last: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        for webhook in api.pagerduty.world.webhooks() {
            let body: serde_json::Value = serde_json::from_str(&webhook.body).unwrap();
            if body["event"]["data"]["type"] == "incident" {
                last.insert(webhook.incident, body["event"]["data"].clone());
            }
        }
        for id in api.pagerduty.world.incidents() {
            let incident = &api.get(&format!("/incidents/{id}")).await["incident"];
            for key in ["id", "status", "title", "urgency", "created_at", "teams", "resolve_reason"] {
                assert_eq!(incident[key], last[&id][key], "seed {seed}, {id}: {key}");
            }
            // Its page differs.
            assert_eq!(incident["service"]["id"], last[&id]["service"]["id"], "seed {seed}, {id}");
            assert_eq!(incident["priority"]["name"], last[&id]["priority"]["summary"], "seed {seed}, {id}");
            let is_resolved = incident["status"] == json!("resolved");
            assert_eq!(incident["resolved_at"].is_string(), is_resolved, "seed {seed}, {id}");
        }
        assert_eq!(api.pagerduty.refusals(), [""; 0]);
    }
}
