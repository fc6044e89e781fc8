//! Changes that PagerDuty relates to an incident: asked for once, shown, and without effect.

use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::fake_pagerduty::{FakePagerDuty, World};
use crate::harness::{Backend, Daemon, Program, eventually, stdout, time};
use crate::json_schema::Schemas;
use crate::reconcile_daemon::next_look_in_steps_of;

/// The minute of an hour on the evening before the tests' present time, midnight.
fn at(hour: u32, minute: u32) -> Timestamp {
    time(&format!("2026-11-19T{hour:02}:{minute:02}:00.412Z"))
}

/// Adds an incident with a related change, which ends at this minute of an hour.
fn resolved(world: &World, hour: u32, minute: u32) -> String {
    let incident = world.trigger(at(hour, 0), "checkout", "high", Some("P1"), "disk full");
    world.resolve(&incident, at(hour, minute));
    world.relate_change(&incident, at(hour - 1, 58), "most_recent", "checkout 1.42.0 deployed");
    incident
}

async fn start(world: &World) -> (FakePagerDuty, String) {
    world.set_now(time("2026-11-20T00:00:00Z"));
    let pagerduty = FakePagerDuty::start(world.clone()).await;
    let section = format!("{}requests_per_minute = 960\n", pagerduty.section());
    (pagerduty, section)
}

/// A daemon that had all webhooks of the world before it first asks.
async fn start_with(world: &World, section: &str) -> Daemon {
    let daemon = Daemon::start("").await;
    deliver(&daemon, world).await;
    daemon.restart(section).await
}

async fn deliver(daemon: &Daemon, world: &World) {
    for webhook in world.webhooks() {
        daemon.deliver(webhook.body).await;
    }
    daemon.until_folded().await;
}

async fn story(daemon: &Daemon, incident: &str) -> Value {
    daemon.get(&format!("/api/v1/failures/{incident}")).await.json()
}

/// Number of requests for the changes of an incident.
fn asked(pagerduty: &FakePagerDuty, incident: &str) -> usize {
    let path = format!("/incidents/{incident}/related_change_events");
    pagerduty.requests().iter().filter(|line| line.contains(&path)).count()
}

/// Number of requests for the changes of any incident.
fn asked_of_any(pagerduty: &FakePagerDuty) -> usize {
    pagerduty.requests().iter().filter(|line| line.contains("/related_change_events")).count()
}

/// Lets time pass until the changes of an incident are known. The steps are small: on a slow machine, the incident must
/// not grow too old meanwhile.
async fn told(daemon: &Daemon, incident: &str) -> Value {
    eventually("the related changes", async || {
        daemon.clock.advance(Duration::from_secs(2));
        let mut story = story(daemon, incident).await;
        (!story["related_changes"].is_null()).then(|| story["related_changes"].take())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_changes_of_a_completed_failure_are_asked_for_once_and_shown() {
    let world = World::new(1);
    let incident = resolved(&world, 22, 42);
    world.relate_change(&incident, at(20, 0), "related_service", "search 7 deployed");
    let open = world.trigger(at(23, 0), "search", "high", None, "slow");
    let (pagerduty, section) = start(&world).await;
    let daemon = start_with(&world, &section).await;
    let changes = told(&daemon, &incident).await;
    let first = json!({
        "id": changes[0]["id"], "at": "2026-11-19T21:58:00.412Z", "summary": "checkout 1.42.0 deployed",
        "source": "deploy", "services": ["checkout"], "reason": "most_recent",
    });
    assert_eq!((&changes[0], changes.as_array().unwrap().len()), (&first, 2));
    let answer = story(&daemon, &incident).await;
    let document = daemon.get("/openapi.json").await.json();
    let schema = json!({ "$ref": "#/components/schemas/Story" });
    assert_eq!(Schemas::of_answers(&document).check(&schema, &answer), Ok(()));

    let program = Program::of(&daemon);
    let printed = stdout(&program.run("", &["explain", &incident]));
    let page = daemon.get(&format!("/failures/{incident}")).await.body;
    for part in
        ["Changes that PagerDuty relates to this incident", "decide neither", "checkout 1.42.0 deployed"]
    {
        assert!(printed.contains(part) && page.contains(part), "{part} in {printed} and {page}");
    }
    assert!(printed.contains("related service") && page.contains("related service"), "{printed} {page}");
    let printed = stdout(&program.run("", &["explain", &incident, "--format", "json"]));
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["related_changes"], changes);

    // Neither a reopen nor a restart leads to another request.
    world.reopen(&incident, at(23, 10));
    world.resolve(&incident, at(23, 20));
    world.relate_change(&incident, at(23, 9), "intelligent", "too late to be shown");
    deliver(&daemon, &world).await;
    let daemon = daemon.restart(&section).await;
    let other = resolved(&world, 21, 30);
    deliver(&daemon, &world).await;
    told(&daemon, &other).await;
    assert_eq!([&incident, &other, &open].map(|id| asked(&pagerduty, id)), [1, 1, 0]);
    assert_eq!(story(&daemon, &incident).await["related_changes"], changes);
    assert!(!daemon.get(&format!("/failures/{open}")).await.body.contains("Changes that PagerDuty"));
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_change_neither_figures_nor_forwarding_and_need_the_api() {
    let mut backend = Backend::start().await;
    let world = World::new(1);
    let incident = resolved(&world, 22, 42);
    let without_api = backend.entry("metrics");
    let daemon = Daemon::start(&without_api).await;
    deliver(&daemon, &world).await;
    backend.next().await;
    daemon.until(|store| store.sent() == 1).await;
    daemon.clock.advance(Duration::from_hours(1));
    let seen = async |daemon: &Daemon| {
        let mut story = story(daemon, &incident).await;
        let changes = story["related_changes"].take();
        let report = daemon.get("/api/v1/report?since=2026-11-01&until=2026-11-20").await.json();
        let outbox = daemon.get("/api/v1/outbox").await.json();
        (changes, (story, report["rows"].clone(), report["total"].clone(), outbox))
    };
    let (none, before) = seen(&daemon).await;
    assert_eq!((none, before.1.as_array().map(Vec::len)), (Value::Null, Some(1)));

    let (pagerduty, section) = start(&world).await;
    let daemon = daemon.restart(&format!("{section}{without_api}")).await;
    told(&daemon, &incident).await;
    let (changes, after) = seen(&daemon).await;
    assert_eq!(changes[0]["reason"], "most_recent");
    assert_eq!(after, before);
    assert!(backend.is_quiet());
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_see_changes_is_asked_again_a_day_later() {
    for (status, before_the_pause) in [(402, 1), (403, 3)] {
        let world = World::new(1);
        let incidents: Vec<String> = (10..15).map(|hour| resolved(&world, hour, 42)).collect();
        for incident in &incidents {
            world.refuse_changes(incident, Some(status));
        }
        let (pagerduty, section) = start(&world).await;
        let daemon = start_with(&world, &section).await;
        eventually("the refusals", async || {
            daemon.clock.advance(Duration::from_secs(1));
            daemon.get("/healthz").await;
            (asked_of_any(&pagerduty) >= before_the_pause).then_some(())
        })
        .await;
        // The reconciliation waits for the same clock and the same limit of requests.
        for _ in 0..4 {
            daemon.clock.advance(Duration::from_hours(2));
            next_look_in_steps_of(Duration::from_secs(5), &daemon).await;
        }
        assert_eq!(asked_of_any(&pagerduty), before_the_pause, "{status}");
        for incident in &incidents {
            assert_eq!(story(&daemon, incident).await["related_changes"], Value::Null);
            world.refuse_changes(incident, None);
        }
        daemon.clock.advance(Duration::from_hours(24));
        for incident in &incidents {
            assert_eq!(told(&daemon, incident).await[0]["reason"], "most_recent");
        }
        assert_eq!(asked_of_any(&pagerduty), before_the_pause + incidents.len(), "{status}");
        assert_eq!(pagerduty.refusals(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_without_an_answer_is_not_asked_for_again() {
    let world = World::new(1);
    let [known, forbidden, missing, odd] = [10, 11, 12, 13].map(|hour| resolved(&world, hour, 42));
    for (incident, status) in [(&forbidden, 403), (&missing, 404), (&odd, 400)] {
        world.refuse_changes(incident, Some(status));
    }
    let (pagerduty, section) = start(&world).await;
    let daemon = start_with(&world, &section).await;
    // The answer to one incident shows that only the other one was refused. This is saved after the answer.
    daemon.until_as_time_passes(Duration::from_secs(2), |store| store.asked_for_changes() == 4).await;
    assert_eq!(story(&daemon, &known).await["related_changes"][0]["reason"], "most_recent");
    let daemon = daemon.restart(&section).await;
    let later = resolved(&world, 9, 42);
    deliver(&daemon, &world).await;
    told(&daemon, &later).await;
    for incident in [&forbidden, &missing, &odd] {
        assert_eq!(asked(&pagerduty, incident), 1);
        assert_eq!(story(&daemon, incident).await["related_changes"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_is_repeated_and_holds_up_no_other() {
    let world = World::new(1);
    let [older, newer] = [20, 21].map(|hour| resolved(&world, hour, 42));
    // The client itself repeats a request that is answered 5xx, after real seconds. 401 is handled in the same way here.
    world.refuse_changes(&newer, Some(401));
    let (pagerduty, section) = start(&world).await;
    let daemon = start_with(&world, &section).await;
    told(&daemon, &older).await;
    assert!(asked(&pagerduty, &newer) >= 1);
    assert_eq!(story(&daemon, &newer).await["related_changes"], Value::Null);
    world.refuse_changes(&newer, None);
    told(&daemon, &newer).await;
    assert_eq!(asked(&pagerduty, &older), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_completed_failures_that_ended_lately_are_asked_for() {
    let world = World::new(1);
    let ended = |day: u32| {
        let at = |hour: u32| time(&format!("2026-11-{day:02}T{hour:02}:00:00Z"));
        let incident = world.trigger(at(10), "checkout", "high", None, "disk full");
        world.resolve(&incident, at(11));
        incident
    };
    let [old, recent] = [16, 17].map(ended);
    let ignored = world.trigger(at(10, 0), "checkout", "low", None, "noise");
    world.resolve(&ignored, at(10, 1));
    let [source, target] = [12, 13].map(|hour| world.trigger(at(hour, 0), "checkout", "high", None, "slow"));
    world.merge(&source, at(13, 10), &target);
    world.resolve(&target, at(13, 20));
    let (pagerduty, section) = start(&world).await;
    let rule = "[[rule]]\nname = \"low\"\nurgency = [\"low\"]\naction = \"ignore\"\n";
    let daemon = Daemon::start(&format!("{section}{rule}")).await;
    let sent = json!({ "data": { "attributes": {
        "id": "pagerduty:sent-by-a-script", "services": ["checkout"],
        "started_at": "2026-11-19T20:00:00Z", "finished_at": "2026-11-19T21:00:00Z",
    } } });
    assert_eq!(daemon.events_api("POST", "/failure", &sent).await.status, 200);
    deliver(&daemon, &world).await;
    assert_eq!(told(&daemon, &recent).await, json!([]));
    // A round begins when the one before has ended.
    let of_next_round = resolved(&world, 9, 42);
    deliver(&daemon, &world).await;
    told(&daemon, &of_next_round).await;
    assert_eq!(asked(&pagerduty, &target), 1);
    for incident in [&old, &ignored, &source, "sent-by-a-script"] {
        assert_eq!(asked(&pagerduty, incident), 0, "{incident}");
    }
    // An empty list has no section.
    assert!(!stdout(&Program::of(&daemon).run("", &["explain", &recent])).contains("PagerDuty relates"));
    assert!(!daemon.get(&format!("/failures/{recent}")).await.body.contains("PagerDuty relates"));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_strangers_are_shown_harmlessly() {
    let hostile =
        "</td><script>alert(1)</script>\u{1b}[31m \u{202e}gnitide https://bot:hunter2@git.example/x";
    let world = World::new(1);
    let incident = resolved(&world, 22, 42);
    world.relate_change(&incident, at(22, 0), "</td><script>\u{1b}]0;", hostile);
    world.relate_change(&incident, at(22, 1), "intelligent", &"W".repeat(10_000));
    let (_pagerduty, section) = start(&world).await;
    let daemon = start_with(&world, &section).await;
    let changes = told(&daemon, &incident).await;
    assert_eq!(changes[2]["summary"].as_str().unwrap().len(), 1_024);
    let page = daemon.get(&format!("/failures/{incident}")).await.body;
    assert!(page.contains("&lt;/td&gt;&lt;script&gt;alert(1)"), "{page}");
    let program = Program::of(&daemon);
    let printed = stdout(&program.run("", &["explain", &incident]));
    assert!(printed.contains("</td><script>"), "{printed}");
    let json = stdout(&program.run("", &["explain", &incident, "--format", "json"]));
    for text in [&page, &printed, &json] {
        assert!(!text.contains("hunter2") && text.contains("git.example/x"), "{text}");
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
    }
    assert!(!page.contains("<script"), "{page}");
}
