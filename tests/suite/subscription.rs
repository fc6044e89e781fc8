//! Care for the webhook subscription, and the commands about it, with a fake of PagerDuty.

use std::time::Duration;

use pagerduty_dora::clock::Clock;
use serde_json::Value;

use crate::fake_pagerduty::{Outcome, World};
use crate::harness::{Program, SECRET, eventually};
use crate::intake::signature;
use crate::reconcile_daemon::{metric, reconciled, resolved, start};

/// All event types that failures follow from.
fn wanted() -> Vec<&'static str> {
    pagerduty_dora::sources::pagerduty::own_subscription::wanted_events().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_subscription_is_enabled_and_what_was_lost_is_read() {
    let world = World::new(1);
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    let id = world.subscribe(&url, "another-secret-of-16", &wanted());
    let now = |seconds| daemon.clock.now().saturating_add(Duration::from_secs(seconds));
    let incident = world.trigger(now(10), "checkout", "high", Some("P1"), "disk full");
    world.acknowledge(&incident, now(20));
    world.resolve(&incident, now(30));
    world.set_now(now(600));
    let mut outcomes = Vec::new();
    for webhook in world.webhooks() {
        outcomes.extend(world.deliver(&webhook).await);
    }
    assert_eq!(outcomes, [Outcome::Dropped(401); 3]);
    assert!(world.is_disabled(&id));
    eventually("the subscription is enabled", async || {
        daemon.clock.advance(Duration::from_secs(30));
        daemon.get("/healthz").await;
        (!world.is_disabled(&id)).then_some(())
    })
    .await;
    eventually("what was lost is read", async || {
        daemon.clock.advance(Duration::from_secs(5));
        let story = daemon.get(&format!("/api/v1/failures/{incident}")).await;
        (story.status == 200 && story.json()["failure"]["state"] == "completed").then_some(())
    })
    .await;
    let page = daemon.get("/").await.body;
    assert!(page.contains("Subscription") && page.contains("subscription"), "{page}");
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_only_a_person_can_switch_on_is_left_alone_and_shown() {
    const DISABLED: &str = "pagerduty_dora_subscription_disabled";
    let (world, _) = resolved();
    let id = world.subscribe("https://dora.example/webhooks/pagerduty", "a-secret-of-16-chars", &wanted());
    world.switch_off(&id);
    let (pagerduty, daemon) = start(&world, "").await;
    eventually("the state of the subscription", async || {
        (metric(&daemon, DISABLED).await > 0.5).then_some(())
    })
    .await;
    let page = daemon.get("/").await.body;
    assert!(page.contains("is switched off in PagerDuty"), "{page}");
    assert!(!pagerduty.requests().iter().any(|line| line.contains("enable")));
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_creates_and_tests_a_subscription() {
    let (world, _) = resolved();
    let (pagerduty, daemon) = start(&world, "").await;
    reconciled(&daemon).await;
    let section = format!("{}requests_per_minute = 960\n", pagerduty.section());
    let program = Program::of(&daemon);
    let command = |arguments: &[&str]| {
        let output = program.run(&section, arguments);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, _, errors) = command(&["subscription", "status"]);
    assert_eq!(status, Some(1));
    assert!(
        errors.contains("no webhook subscription of the account sends to /webhooks/pagerduty"),
        "{errors}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let file = file.to_str().unwrap();
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    let create = ["subscription", "create", "--url", &url, "--secret-file", file];
    let (status, printed, errors) = command(&create);
    assert_eq!(status, Some(0), "{printed}{errors}");
    let secret = std::fs::read_to_string(file).unwrap();
    assert!(secret.trim().len() >= 16 && !printed.contains(secret.trim()) && !errors.contains(secret.trim()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (status, _, errors) = command(&create);
    assert_eq!(status, Some(1));
    assert!(errors.contains("sends to this address already"), "{errors}");
    let elsewhere = ["subscription", "create", "--url", "https://dora.example/pd", "--secret-file", file];
    let (status, _, errors) = command(&elsewhere);
    assert_eq!(status, Some(1), "an existing file is never replaced");
    assert!(errors.contains("PagerDuty was not asked: name a file that does not exist yet"), "{errors}");
    assert!(errors.contains("does not end with /webhooks/pagerduty"), "{errors}");
    let (status, printed, errors) = command(&["subscription", "status"]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(printed.contains("last refused   none since the start of the daemon"), "{printed}");
    let wrong = signature("another-secret-of-16", "{}");
    daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], "{}").await;
    let (_, refused, _) = command(&["subscription", "status", "--format", "json"]);
    let refused: Value = serde_json::from_str(&refused).unwrap();
    assert!(refused["last_refused_at"].is_string() && refused["last_webhook_at"].is_null(), "{refused}");
    assert!(
        printed.contains("state          active") && printed.contains("all that failures follow from"),
        "{printed}"
    );
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_is_waited_for() {
    let world = World::new(1);
    let (pagerduty, daemon) = start(&world, "").await;
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    world.subscribe(&url, SECRET, &wanted());
    let section = format!("{}requests_per_minute = 960\n", pagerduty.section());
    let output = Program::of(&daemon).run(&section, &["subscription", "test"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the test event has come in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_that_is_refused_ends_the_test() {
    let world = World::new(1);
    let (pagerduty, daemon) = start(&world, "").await;
    let url = format!("http://{}/webhooks/pagerduty", daemon.public);
    world.subscribe(&url, "another-secret-of-16", &wanted());
    let section = format!("{}requests_per_minute = 960\n", pagerduty.section());
    let output = Program::of(&daemon).run(&section, &["subscription", "test"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("the daemon has refused a webhook, perhaps the test event"), "{errors}");
}
