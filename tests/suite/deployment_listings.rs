//! `deployments`, `explain DEPLOYMENT`, `/api/v1/deployments`: deployments with the failures that they caused and fixed.

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::deployments::deploy;
use crate::harness::{Backend, Daemon, KEY, Program, event_of, stdout};
use crate::store_probe::Probe;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A failed deployment, the rollback that fixed it, a deployment of another team, and one that a note names.
async fn daemon_with_deployments(configuration: &str) -> Daemon {
    let daemon = Daemon::start(configuration).await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:one-of-eight" })).await;
    let git = json!({ "commit_sha": COMMIT, "repository_url": "https://github.com/acme/checkout" });
    let half_past = json!({
        "id": "deployment:half-past-9", "finished_at": "2026-11-01T09:35:00Z", "team": "payments", "git": git,
        "custom_tags": ["tier:1"],
    });
    deploy(&daemon, "v2", "09:30", half_past).await;
    deploy(&daemon, "v1", "10:20", json!({ "id": "deployment:rolled-back" })).await;
    let search =
        json!({ "id": "deployment:of-search-1", "service": "Search", "team": "search", "env": "staging" });
    deploy(&daemon, "v7", "09:40", search).await;
    // Created at 10:00, resolved at 10:42.
    daemon.expect(event_of("incident.resolved", "QAUTOMATIC"), "accepted").await;
    daemon.expect(event_of("incident.resolved", "QNAMED0001"), "accepted").await;
    let note = changed("incident.annotated", "QNAMED0001", "01KB-NOTE-1", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
        event["data"]["content"] = "deployment: V1".into();
    });
    daemon.expect(note, "accepted").await;
    daemon
}

/// An answer without the values that depend on the present time. The clock of a command is not that of the daemon.
fn timeless(mut answer: Value) -> Value {
    fn without_pending(deployment: &mut Value) {
        deployment.as_object_mut().unwrap().remove("pending").unwrap();
    }
    if let Some(listed) = answer.get_mut("deployments") {
        listed.as_array_mut().unwrap().iter_mut().for_each(without_pending);
    } else {
        without_pending(&mut answer["deployment"]);
        answer["why"].as_array_mut().unwrap().retain(|why| why["about"] != "pending");
    }
    answer
}

async fn ids(daemon: &Daemon, query: &str) -> Vec<String> {
    let page = daemon.get(&format!("/api/v1/deployments{query}")).await.json();
    let listed = page["deployments"].as_array().unwrap_or_else(|| panic!("{page}"));
    listed.iter().map(|one| one["id"].as_str().unwrap().replace("deployment:", "")).collect()
}

#[tokio::test]
async fn a_deployment_has_the_fields_of_the_contract() {
    let daemon = daemon_with_deployments("").await;
    let page = daemon.get("/api/v1/deployments").await.json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&page).unwrap());
}

#[tokio::test]
async fn deployments_are_filtered_and_paged() {
    let daemon = daemon_with_deployments("").await;
    let all = ["rolled-back", "of-search-1", "half-past-9", "one-of-eight"];
    assert_eq!(ids(&daemon, "").await, all);
    for (query, expected) in [
        ("?service=Search", &["of-search-1"][..]),
        ("?service=nobody", &[]),
        ("?env=production", &["rolled-back", "half-past-9", "one-of-eight"]),
        ("?team=payments", &["half-past-9"]),
        ("?team=payments&env=staging", &[]),
        ("?since=2026-11-01T09:40:00Z", &["rolled-back", "of-search-1"]),
        ("?failed=true", &["half-past-9", "one-of-eight"]),
        ("?failed=false", &["rolled-back", "of-search-1"]),
        ("?failed=true&service=Checkout%20API&since=2026-11-01T09:00:00Z", &["half-past-9"]),
        ("?ignored=true", &[]),
    ] {
        assert_eq!(ids(&daemon, query).await, expected, "{query}");
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=3".to_owned());
    for _ in 0..3 {
        let page = daemon.get(&format!("/api/v1/deployments{query}")).await.json();
        seen.extend(ids(&daemon, &query).await);
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&cursor={next}");
    }
    assert_eq!(seen, all);
    for (query, word) in [("?since=soon", "since"), ("?cursor=x", "cursor"), ("?failed=perhaps", "failed")] {
        let answer = daemon.get(&format!("/api/v1/deployments{query}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad_query")));
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }
}

#[tokio::test]
async fn a_deployment_stays_pending_while_the_link_window_lasts() {
    let daemon = Daemon::start("").await;
    let at = json!({ "started_at": "2026-11-19T00:00:01Z", "id": "deployment:pending-1" });
    deploy(&daemon, "v1", "08:00", at).await;
    let pending =
        async || daemon.get("/api/v1/deployments").await.json()["deployments"][0]["pending"].clone();
    assert_eq!(pending().await, true);
    daemon.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(pending().await, false);
}

#[tokio::test]
async fn a_failure_that_goes_takes_the_failed_deployment_with_it() {
    let daemon = Daemon::start("").await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:one-of-eight" })).await;
    let sent = json!({ "data": { "attributes": {
        "id": "a-failure-of-the-api", "services": ["Checkout API"], "started_at": "2026-11-01T10:00:00Z",
    } } });
    daemon.events_api("POST", "/failure", &sent).await;
    assert_eq!(ids(&daemon, "?failed=true").await, ["one-of-eight"]);
    daemon.events_api("DELETE", "/failure/a-failure-of-the-api", &Value::Null).await;
    assert!(ids(&daemon, "?failed=true").await.is_empty());
    assert_eq!(daemon.get("/api/v1/deployments").await.json()["deployments"][0]["failed"], false);
}

#[tokio::test]
async fn the_commands_print_what_the_api_answers() {
    let backend = Backend::start().await;
    let marks =
        format!("deployments = true\nchange_failures = true\napplication_key = {{ value = \"{KEY}\" }}\n");
    let configuration = backend.entry("metrics") + &marks;
    let daemon = daemon_with_deployments(&configuration).await;
    daemon.until(Probe::is_drained).await;
    let program = Program::of(&daemon);
    let run = |arguments: &[&str]| stdout(&program.run(&configuration, arguments));
    let json = |text: &str| timeless(serde_json::from_str(text).unwrap());

    let failed = json(&run(&["deployments", "--failed", "--format", "json"]));
    assert_eq!(failed, timeless(daemon.get("/api/v1/deployments?failed=true").await.json()));
    let story = json(&run(&["explain", "deployment:half-past-9", "--format", "json"]));
    let answer = timeless(daemon.get("/api/v1/deployments/deployment:half-past-9").await.json());
    assert_eq!(story, answer);
    assert_eq!((&answer["events"], answer["attempts"].as_array().unwrap().len()), (&json!([]), 2));

    let texts = [
        run(&["deployments"]),
        run(&["explain", "deployment:half-past-9"]),
        run(&["explain", "deployment:rolled-back"]),
        run(&["explain", "QAUTOMATIC"]),
    ];
    let texts = texts.join("\n----\n\n");
    let timeless: Vec<&str> = texts.lines().filter(|line| !line.starts_with("pending ")).collect();
    insta::assert_snapshot!(timeless.join("\n"));
}

#[tokio::test]
async fn a_deployment_is_found_by_a_part_of_its_id_or_by_its_commit() {
    let daemon = daemon_with_deployments("").await;
    let program = Program::of(&daemon);
    let upper = COMMIT.to_uppercase();
    for text in
        ["deployment:half-past-9", "Deployment:HALF", "depl\u{2026}past-9", COMMIT, &upper, &COMMIT[..7]]
    {
        let answer = daemon.get(&format!("/api/v1/deployments/{text}")).await.json();
        assert_eq!(answer["deployment"]["id"], "deployment:half-past-9", "{text}: {answer}");
        let explained = stdout(&program.run("", &["explain", text]));
        let heading = "Deployment deployment:half-past-9: Checkout API v2 to production\n";
        assert!(explained.starts_with(heading), "{text}: {explained}");
    }
    for text in ["deployment:half-past-99", &COMMIT[..6], "QAUTOMATIC", "%ff"] {
        let answer = daemon.get(&format!("/api/v1/deployments/{text}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("not_found")), "{text}");
    }
    let several = daemon.get("/api/v1/deployments/deployment:o").await;
    let detail = several.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("deployment:of-search-1, deployment:one-of-eight"), "{detail}");
}

#[tokio::test]
async fn an_id_that_matches_several_lists_failures_and_deployments() {
    let daemon = daemon_with_deployments("").await;
    deploy(&daemon, "v9", "07:00", json!({ "id": "QAUTO-and-not-matic" })).await;
    let output = Program::of(&daemon).run("", &["explain", "qauto"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let listed: Vec<&str> =
        stderr.lines().filter_map(|line| line.strip_prefix("pagerduty-dora:   ")).collect();
    let expected = ["pagerduty:QAUTOMATIC", "QAUTO-and-not-matic (a deployment: Checkout API v9)"];
    assert_eq!(listed, expected, "{stderr}");
}

#[tokio::test]
async fn a_deployment_keeps_the_time_at_which_its_values_were_first_received() {
    let daemon = Daemon::start("").await;
    let id = json!({ "id": "deployment:sent-again-1" });
    let source = async || {
        let story = daemon.get("/api/v1/deployments/deployment:sent-again-1").await.json();
        story["why"][0]["because"].as_str().unwrap().to_owned()
    };
    deploy(&daemon, "v1", "08:00", id.clone()).await;
    daemon.clock.advance(std::time::Duration::from_mins(1));
    deploy(&daemon, "v1", "08:00", id.clone()).await;
    assert!(source().await.ends_with("2026-11-20T00:00:00Z"), "{}", source().await);
    deploy(&daemon, "v2", "08:00", id).await;
    assert!(source().await.ends_with("2026-11-20T00:01:00Z"), "{}", source().await);
}
