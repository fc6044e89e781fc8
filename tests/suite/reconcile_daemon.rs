//! Reconciliation of a running daemon with a fake of PagerDuty.

use std::time::Duration;

use pagerduty_dora::clock::Clock;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use crate::fake_pagerduty::{FakePagerDuty, Fault, World};
use crate::harness::{Daemon, eventually};
use crate::intake::signature;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-19T{text}Z")).unwrap()
}

/// A world with an incident that was triggered, acknowledged and resolved.
pub(crate) fn resolved() -> (World, String) {
    let world = World::new(1);
    let incident = world.trigger(time("22:00:00.412"), "checkout", "high", Some("P1"), "disk full");
    world.acknowledge(&incident, time("22:05:00.100"));
    world.resolve(&incident, time("22:42:10.789"));
    (world, incident)
}

pub(crate) async fn start(world: &World, more: &str) -> (FakePagerDuty, Daemon) {
    world.set_now(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    let daemon = Daemon::start(&format!("{}requests_per_minute = 960\n{more}", pagerduty.section())).await;
    (pagerduty, daemon)
}

pub(crate) async fn metric(daemon: &Daemon, name: &str) -> f64 {
    let text = daemon.get("/metrics").await.body;
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

const RECONCILED: &str = "pagerduty_dora_reconciled_timestamp_seconds";
const REPAIRED: &str = "pagerduty_dora_repaired_events_total";
const FAILED: &str = "pagerduty_dora_reconciliation_failures_total";

/// Waits for the end of a look that began at the present time or later.
pub(crate) async fn reconciled(daemon: &Daemon) {
    let now = daemon.clock.now().as_seconds();
    eventually("a look at PagerDuty", async || {
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
        let at = metric(daemon, RECONCILED).await as i64;
        (at >= now).then_some(())
    })
    .await;
}

/// Lets time pass until a look has ended that began after this call.
async fn next_look(daemon: &Daemon) {
    next_look_in_steps_of(Duration::from_secs(30), daemon).await;
}

/// The same. With smaller steps, less time passes during a look.
pub(crate) async fn next_look_in_steps_of(step: Duration, daemon: &Daemon) {
    let begin = daemon.clock.now().as_seconds();
    eventually("the next look at PagerDuty", async || {
        daemon.clock.advance(step);
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
        let at = metric(daemon, RECONCILED).await as i64;
        (at > begin).then_some(())
    })
    .await;
}

async fn failure(daemon: &Daemon, incident: &str) -> Value {
    daemon.get(&format!("/api/v1/failures/{incident}")).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_resolve_is_read_at_the_start_and_its_late_webhook_has_the_exact_time() {
    let (world, incident) = resolved();
    let webhooks = world.webhooks();
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let story = failure(&daemon, &incident).await;
    assert_eq!(story["failure"]["finished_at"], "2026-11-19T22:42:10Z", "{story:#}");
    assert_eq!(story["failure"]["acknowledged_at"], "2026-11-19T22:05:00Z", "{story:#}");
    assert_eq!(story["failure"]["severity"], "P1", "{story:#}");
    let sources = |story: &Value| -> Vec<String> {
        let events = story["events"].as_array().unwrap().iter();
        events.map(|event| event["source"].as_str().unwrap().to_owned()).collect()
    };
    assert!(sources(&story).iter().all(|source| source == "pagerdutyapi"), "{story:#}");
    let repaired = metric(&daemon, REPAIRED).await;
    assert!(repaired > 2.0, "{repaired}");
    for webhook in &webhooks {
        daemon.expect(webhook.body.clone(), "accepted").await;
    }
    let story = failure(&daemon, &incident).await;
    assert_eq!(story["failure"]["finished_at"], "2026-11-19T22:42:10.789Z", "{story:#}");
    assert_eq!(story["failure"]["acknowledged_at"], "2026-11-19T22:05:00.100Z", "{story:#}");
    // The next look finds nothing new.
    next_look(&daemon).await;
    assert!((metric(&daemon, REPAIRED).await - repaired).abs() < 0.1);
    assert_eq!(pagerduty.refusals(), [""; 0]);
    assert!(daemon.get("/").await.body.contains("Incidents were compared with PagerDuty's REST API"));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_came_are_not_stored_a_second_time() {
    let (world, incident) = resolved();
    let (pagerduty, daemon) = start(&World::new(2), "").await;
    reconciled(&daemon).await;
    drop((pagerduty, daemon.stop().await));
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let read = daemon.probe().events();
    for webhook in world.webhooks() {
        daemon.expect(webhook.body, "accepted").await;
    }
    let received = daemon.probe().events();
    assert_eq!(received - read, 3);
    next_look(&daemon).await;
    assert_eq!(daemon.probe().events(), received);
    assert_eq!(failure(&daemon, &incident).await["failure"]["state"], "completed");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopen_that_only_rest_knows_is_found_soon_after_a_refused_webhook() {
    let (world, incident) = resolved();
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    world.reopen(&incident, time("23:30:00"));
    let wrong = signature("another-secret-of-16", "{}");
    let answer = daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], "{}").await;
    assert_eq!(answer.status, 401);
    let begin = daemon.clock.now();
    eventually("the reopened failure", async || {
        // In small steps: the look itself takes real time.
        daemon.clock.advance(Duration::from_millis(200));
        let story = failure(&daemon, &incident).await;
        (story["failure"]["state"] == "open" && story["failure"]["reopened"] == 1).then_some(())
    })
    .await;
    assert!(
        daemon.clock.now().duration_since(begin) < Duration::from_mins(10),
        "not after the usual 15 minutes"
    );
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_whose_webhook_shows_it_resolved_is_read_soon() {
    let world = World::new(1);
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let begin = daemon.clock.now();
    let at = |minutes| begin.saturating_add(Duration::from_mins(minutes));
    let incident = pagerduty.world.trigger(at(0), "checkout", "high", None, "disk full");
    pagerduty.world.resolve(&incident, at(1));
    pagerduty.world.set_priority(&incident, at(2), Some("P1"));
    pagerduty.world.set_now(at(6));
    for webhook in pagerduty.world.webhooks() {
        if !webhook.body.contains("\"incident.resolved\"") {
            daemon.expect(webhook.body, "accepted").await;
        }
    }
    eventually("the resolve", async || {
        // In small steps: the look itself takes real time.
        daemon.clock.advance(Duration::from_millis(200));
        let story = failure(&daemon, &incident).await;
        (story["failure"]["state"] == "completed").then_some(())
    })
    .await;
    assert!(daemon.clock.now() < at(10), "not after the usual 15 minutes");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_target_that_no_event_shows_is_read() {
    let world = World::new(1);
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let begin = daemon.clock.now();
    let at = |minutes| begin.saturating_add(Duration::from_mins(minutes));
    let [target, merged] = [at(0), at(1)].map(|at| world.trigger(at, "checkout", "high", None, "disk full"));
    world.merge(&merged, at(2), &target);
    world.set_now(at(3));
    for webhook in world.webhooks().into_iter().filter(|webhook| webhook.incident == merged) {
        daemon.expect(webhook.body, "accepted").await;
    }
    next_look(&daemon).await;
    assert_eq!(failure(&daemon, &target).await["failure"]["state"], "open");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_incident_is_kept_and_flagged() {
    let (world, _) = resolved();
    let open = world.trigger(time("23:00:00"), "search", "high", None, "slow");
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    world.delete(&open);
    next_look(&daemon).await;
    let story = failure(&daemon, &open).await;
    assert_eq!(story["failure"]["flags"], serde_json::json!(["deleted"]), "{story:#}");
    let asked = pagerduty.requests().iter().filter(|line| line.contains(&open)).count();
    // Nobody asks for it again, unless PagerDuty still lists it.
    daemon.clock.advance(Duration::from_hours(2));
    next_look(&daemon).await;
    assert_eq!(pagerduty.requests().iter().filter(|line| line.contains(&open)).count(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_shown_and_the_next_look_makes_good() {
    let (world, incident) = resolved();
    world.set_now(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    // The first requests of the comparison, and that of the care for the subscription.
    for number in 1..=4 {
        pagerduty.fail_request(number, Fault::Fails(401));
    }
    let daemon = Daemon::start(&pagerduty.section()).await;
    eventually("the first failed look", async || (metric(&daemon, FAILED).await > 0.5).then_some(())).await;
    let page = daemon.get("/").await.body;
    assert!(page.contains("<span class=\"bad\">The last attempt failed"), "{page}");
    next_look(&daemon).await;
    assert_eq!(failure(&daemon, &incident).await["failure"]["state"], "completed");
    assert!(!daemon.get("/").await.body.contains("The last attempt failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_could_not_be_read_is_read_after_a_restart() {
    let (world, incident) = resolved();
    world.set_now(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    pagerduty.fail_each(Some((&incident, Fault::Fails(403))));
    let section = format!("{}requests_per_minute = 960\n", pagerduty.section());
    let daemon = Daemon::start(&section).await;
    reconciled(&daemon).await;
    assert_eq!(daemon.get(&format!("/api/v1/failures/{incident}")).await.status, 404);
    // The last change of the incident is older than what the next look covers.
    daemon.clock.advance(Duration::from_hours(1));
    pagerduty.fail_each(None);
    let daemon = daemon.restart(&section).await;
    reconciled(&daemon).await;
    assert_eq!(failure(&daemon, &incident).await["failure"]["state"], "completed");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_of_pagerdutys_loses_nothing() {
    let world = World::new(1);
    // At PagerDuty it is an hour earlier than the daemon's clock says.
    world.set_now(time("23:00:00"));
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    let daemon = Daemon::start(&format!("{}requests_per_minute = 960\n", pagerduty.section())).await;
    reconciled(&daemon).await;
    let incident = world.trigger(time("23:05:00.100"), "checkout", "high", None, "slow");
    world.resolve(&incident, time("23:06:00.100"));
    world.set_now(time("23:16:00"));
    next_look(&daemon).await;
    assert_eq!(failure(&daemon, &incident).await["failure"]["state"], "completed");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_at_any_request_delays_the_repair_and_harms_nothing() {
    let (world, incident) = resolved();
    world.set_now(Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
    for number in 1..=8 {
        for fault in [Fault::Fails(403), Fault::HalfBody, Fault::Resets] {
            let pagerduty = FakePagerDuty::start(world.clone()).await;
            pagerduty.fail_request(number, fault);
            let daemon = Daemon::start(&format!("{}requests_per_minute = 960\n", pagerduty.section())).await;
            // An incident that cannot be read is left out of one look.
            eventually("the repaired failure", async || {
                daemon.clock.advance(Duration::from_secs(20));
                let story = failure(&daemon, &incident).await;
                (story["failure"]["finished_at"] == "2026-11-19T22:42:10Z").then_some(())
            })
            .await;
            assert_eq!(pagerduty.refusals(), [""; 0], "{number} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_just_happened_is_left_to_its_webhook() {
    let (world, incident) = resolved();
    world.set_now(time("22:42:20"));
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    let daemon = Daemon::start(&format!("{}requests_per_minute = 960\n", pagerduty.section())).await;
    reconciled(&daemon).await;
    assert_eq!(daemon.probe().events(), 0);
    for webhook in world.webhooks() {
        daemon.expect(webhook.body, "accepted").await;
    }
    world.set_now(time("23:00:00"));
    next_look(&daemon).await;
    assert_eq!(daemon.probe().events(), 3);
    assert_eq!(failure(&daemon, &incident).await["failure"]["finished_at"], "2026-11-19T22:42:10.789Z");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

/// Begins of the windows of the log that were asked for, from this request on.
fn log_windows(pagerduty: &FakePagerDuty, from: usize) -> Vec<Timestamp> {
    let requests = pagerduty.requests().split_off(from);
    let windows = requests.iter().filter(|line| line.starts_with("GET /log_entries"));
    let begin = |line: &String| {
        let (_, rest) = line.split_once("since=").unwrap();
        Timestamp::parse(&rest.split('&').next().unwrap().replace("%3A", ":")).unwrap()
    };
    windows.map(begin).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_pause_the_store_remembers_how_far_a_look_has_come() {
    let (pagerduty, daemon) = start(&World::new(1), "").await;
    reconciled(&daemon).await;
    let world = &pagerduty.world;
    let mut incidents = Vec::new();
    for hours in [1, 25, 49] {
        let at = daemon.clock.now().saturating_add(Duration::from_hours(hours));
        let incident = world.trigger(at, "checkout", "high", None, "slow");
        world.resolve(&incident, at.saturating_add(Duration::from_mins(20)));
        incidents.push(incident);
    }
    world.set_now(daemon.clock.now().saturating_add(Duration::from_hours(72)));
    let from = pagerduty.requests().len();
    // In the middle of the three days. Other loops send requests, too, at any moment.
    for number in 12..=20 {
        pagerduty.fail_request(from + number, Fault::Fails(401));
    }
    daemon.clock.advance(Duration::from_hours(72));
    eventually("the failed look", async || {
        daemon.clock.advance(Duration::from_secs(30));
        (metric(&daemon, FAILED).await > 0.5).then_some(())
    })
    .await;
    let first = log_windows(&pagerduty, from);
    let from = pagerduty.requests().len();
    next_look(&daemon).await;
    let second = log_windows(&pagerduty, from);
    assert!(first[0] < second[0], "{first:?} {second:?}");
    assert!(second.len() > 3 && second.len() < 14, "{second:?}");
    for incident in &incidents {
        assert_eq!(failure(&daemon, incident).await["failure"]["state"], "completed");
    }
    assert_eq!(pagerduty.refusals(), [""; 0]);
}
