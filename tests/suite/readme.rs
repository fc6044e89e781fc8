//! The first steps of `README.md`: the configuration there fits the webhooks and the deployment there.

use pagerduty_dora::config::Config;
use pagerduty_dora::domain::forwarding::FailuresSent;
use pagerduty_dora::domain::mark_address::MarksBy;
use serde_json::{Value, json};

use crate::harness::{Daemon, KEY, fixture};

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The text between two others.
fn between(text: &'static str, begin: &str, end: &str) -> &'static str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{begin} is missing"));
    rest.split_once(end).unwrap_or_else(|| panic!("{end} is missing")).0
}

#[tokio::test]
async fn the_first_steps_lead_to_a_rate() {
    let added = between(README, "cat >> config.toml <<'END'\n", "\nEND\n");
    // README reads the key from the environment.
    let key = "{ env = \"EVENTS_API_KEY\" }";
    assert!(added.contains(key), "{added}");
    let daemon = Daemon::start(&added.replace(key, &format!("{{ value = \"{KEY}\" }}"))).await;
    let sent = between(README, "send --now ", "--url").split_whitespace().filter(|word| *word != "\\");
    for file in sent {
        let event_type = file.strip_prefix("fixtures/pagerduty/").and_then(|file| file.strip_suffix(".json"));
        daemon.expect(fixture(event_type.unwrap()), "accepted").await;
    }
    // The deployment in README uses the current time.
    let attributes = between(README, "-d '", "\n}}}'").split_once("\"attributes\": {").unwrap().1;
    let service = attributes.split('"').nth(3).unwrap();
    let deployed = json!({ "service": service, "started_at": "2026-11-01T09:42:00Z" });
    let answer =
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployed } })).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let failures = daemon.failures().await;
    assert_eq!((&failures[0]["state"], failures.len()), (&json!("completed"), 1));
    assert_eq!(failures[0]["attribution"], "service entry");
    let report = daemon.get("/api/v1/report?since=30d").await.json();
    let rate = &report["rows"][0]["change_failure_rate"];
    assert_eq!((rate, &report["rows"][0]["unmatched_incidents"]), (&json!(1.0), &json!(0)));
}

#[test]
fn the_example_names_the_service_of_the_recorded_webhooks() {
    let example = between(EXAMPLE, "# pagerduty = \"", "\"");
    let recorded: Value = serde_json::from_str(&fixture("incident.triggered")).unwrap();
    assert_eq!(recorded["event"]["data"]["service"]["id"], example);
}

#[test]
fn the_configuration_for_datadog_after_december_can_be_used() {
    const PAGE: &str = include_str!("../../docs/datadog-after-2026.md");
    assert!(PAGE.starts_with("# Datadog after December 2026\n"));
    let config = Config::parse(between(PAGE, "```toml\n", "```")).unwrap();
    let names =
        config.backend_entries().into_iter().map(|entry| (entry.name, entry.failures, entry.marks_by));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            ("datadog".to_owned(), FailuresSent::None, Some(MarksBy::Version)),
            ("datadog-events".to_owned(), FailuresSent::OpenToo, None),
            ("datadog-metrics".to_owned(), FailuresSent::Completed, None),
        ]
    );
    assert!(config.warnings().is_empty());
    assert!(README.contains("(docs/datadog-after-2026.md)"));
}
