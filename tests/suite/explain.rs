//! `explain` and `/api/v1/failures/{id}`: the reasons for the values of a failure.

use std::process::Output;

use serde_json::json;

use crate::harness::{Backend, Daemon, Program, event_of, stdout, story};
use crate::store_probe::Probe;

const CONFIGURATION: &str = r#"
[failure.severity]
P1 = "SEV-1"

[[rule]]
name = "reminders are noise"
urgency = ["low"]
title = ['expires in \d+ days']
action = "ignore"

[[service]]
pagerduty = "PSVC001"
services = ["checkout"]
team = "payments"
"#;

/// Runs `explain` while the daemon runs.
fn explain(program: &Program, configuration: &str, arguments: &[&str]) -> Output {
    program.run(configuration, &[&["explain"], arguments].concat())
}

/// A daemon with the demo's story, and its configuration. Each webhook is delivered once all earlier rows were sent.
async fn daemon_with_story() -> (Daemon, String) {
    let backend = Backend::start().await;
    let configuration = format!("{CONFIGURATION}{}", backend.entry("metrics"));
    let daemon = Daemon::start(&configuration).await;
    for webhook in story() {
        daemon.deliver(webhook).await;
        daemon.until(Probe::is_drained).await;
    }
    (daemon, configuration)
}

#[tokio::test]
async fn each_value_has_its_reason() {
    let (daemon, configuration) = daemon_with_story().await;
    let program = Program::of(&daemon);
    let ids = [
        "Q0PLAIN0STORY1",
        "Q0AGAIN0STORY5",
        "Q0STILL0STORY6",
        "Q0NOISE0STORY7",
        "Q0MERGE0STORY8",
        "Q0TARGT0STORY9",
    ];
    let stories = ids.map(|id| stdout(&explain(&program, &configuration, &[id])));
    insta::assert_snapshot!(stories.join("\n----\n\n"));
}

#[tokio::test]
async fn the_command_and_the_api_agree() {
    let (daemon, configuration) = daemon_with_story().await;
    let program = Program::of(&daemon);
    for id in ["Q0AGAIN0STORY5", "pagerduty:Q0AGAIN0STORY5"] {
        let arguments = [id, "--format", "json"];
        let printed = stdout(&explain(&program, &configuration, &arguments));
        let answer = daemon.get(&format!("/api/v1/failures/{id}")).await;
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), answer.json());
        assert_eq!(answer.json()["attempts"].as_array().unwrap().len(), 3);
    }
    assert_eq!(daemon.get("/api/v1/failures/QUNKNOWN").await.status, 404);
    let unknown = explain(&program, &configuration, &["QUNKNOWN"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("QUNKNOWN"));
}

#[tokio::test]
async fn another_configuration_leads_to_advice_to_reevaluate() {
    let (daemon, configuration) = daemon_with_story().await;
    let program = Program::of(&daemon);
    let other = configuration.replace("\"checkout\"", "\"cart\"");
    let explained = |configuration| stdout(&explain(&program, configuration, &["Q0PLAIN0STORY1"]));
    assert!(explained(&other).contains("reevaluate"));
    assert!(!explained(&configuration).contains("reevaluate"));
}

#[tokio::test]
async fn notes_and_submitted_failures_are_explained_too() {
    let daemon = Daemon::start("").await;
    daemon.expect(event_of("incident.annotated", "QNOTEONLY0001"), "accepted").await;
    let story = daemon.get("/api/v1/failures/QNOTEONLY0001").await.json();
    assert_eq!((&story["failure"], story["events"].as_array().unwrap().len()), (&json!(null), 1));
    let sent = json!({ "data": { "attributes": {
        "id": "sent-by-a-script-1", "services": ["checkout"], "started_at": 1_793_491_200_u64,
    } } });
    daemon.events_api("POST", "/failure", &sent).await;
    let story = daemon.get("/api/v1/failures/sent-by-a-script-1").await.json();
    assert_eq!(story["why"][0]["because"], "as it was sent to the event API");
}

#[tokio::test]
async fn a_unique_prefix_of_an_id_is_enough_in_upper_or_lower_case() {
    let (daemon, configuration) = daemon_with_story().await;
    let deployment = json!({ "data": { "attributes": {
        "id": "Release-checkout-2026-11-02", "service": "checkout", "started_at": 1_793_491_200_u64,
        "version": "1.42.0",
    } } });
    daemon.events_api("POST", "/deployment", &deployment).await;
    let program = Program::of(&daemon);
    let explained = |id: &str| explain(&program, &configuration, &[id]);
    let whole = stdout(&explained("Q0NOISE0STORY7"));
    for id in ["q0noise0story7", "Q0NOI", "PagerDuty:q0noise", " Q0NOISE ", "Q0NO…ORY7", "q0no...y7"] {
        assert_eq!(stdout(&explained(id)), whole, "{id}");
    }
    assert!(whole.contains("Not sent to any backend: an ignored failure does not count."), "{whole}");

    for id in ["q0noise0story7", "Q0NOI", "Q0NO%E2%80%A6ORY7"] {
        let answer = daemon.get(&format!("/api/v1/failures/{id}")).await;
        assert_eq!(answer.json()["failure"]["id"], "pagerduty:Q0NOISE0STORY7", "{id}");
        assert_eq!(daemon.get(&format!("/failures/{id}")).await.status, 200, "{id}");
    }
    for (id, word) in [("Q0M", "pagerduty:Q0MERGE0STORY8"), ("release-", "No failure")] {
        let answer = daemon.get(&format!("/api/v1/failures/{id}")).await;
        assert_eq!(answer.status, 404, "{id}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }

    let ambiguous = explained("Q0M");
    let stderr = String::from_utf8_lossy(&ambiguous.stderr);
    assert_eq!(ambiguous.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("pagerduty:Q0MERGE0STORY8") && !stderr.contains("Q0NOISE"), "{stderr}");

    let release = stdout(&explained("release-"));
    let heading = "Deployment Release-checkout-2026-11-02: checkout 1.42.0 to production\n";
    assert!(release.starts_with(heading), "{release}");
    for nothing in ["", "%", "Q_", "0STORY7"] {
        assert_eq!(explained(nothing).status.code(), Some(1), "{nothing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_backend_that_was_sent_nothing_has_a_reason() {
    let daemon = Daemon::start("[failure]\nsettle = \"1h\"\n").await;
    daemon.expect(event_of("incident.resolved", "QBEFORE00001"), "accepted").await;
    let not_forwarded = async |daemon: &Daemon, id: &str| {
        daemon.get(&format!("/api/v1/failures/{id}")).await.json()["not_forwarded"].clone()
    };
    let none = json!(["Not sent to any backend: no [[backend]] is configured."]);
    assert_eq!(not_forwarded(&daemon, "QBEFORE00001").await, none);

    let backend = Backend::start().await;
    let other = backend.entry("other");
    let configuration = format!(
        "[failure]\nsettle = \"100d\"\n{}\n{other}\nservices = [\"search\"]\n",
        backend.entry("metrics")
    );
    let daemon = daemon.restart_after(&configuration, || {}).await;
    let reasons = not_forwarded(&daemon, "QBEFORE00001").await;
    let reasons: Vec<&str> =
        reasons.as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].starts_with("Not sent to backend metrics: the failure was completed before"),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("Not sent to backend other: its `services` do not name "), "{reasons:?}");

    daemon.expect(event_of("incident.resolved", "QSETTLES0001"), "accepted").await;
    let reasons = not_forwarded(&daemon, "QSETTLES0001").await;
    let waits = "Not sent to backend metrics yet: it waits for failure.settle, until ";
    assert!(reasons[0].as_str().unwrap().starts_with(waits), "{reasons}");
    let program = Program::of(&daemon);
    let printed = stdout(&explain(&program, &configuration, &["QSETTLES0001"]));
    assert!(printed.contains(waits), "{printed}");
}
