//! Texts that PostgreSQL cannot hold, or find rows by: with U+0000, or too long. SQLite could, and refuses them alike.

use serde_json::{Value, json};

use crate::deployment_webhooks::{both, fixture_of, status, to_github, to_gitlab};
use crate::harness::{Daemon, Program, SECRET, client, event_of, fixture, stdout};
use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;

/// A body of PagerDuty with another value at this place.
fn with(body: &str, pointer: &str, value: Value) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    *body.pointer_mut(pointer).unwrap() = value;
    body.to_string()
}

async fn reasons(daemon: &Daemon) -> Vec<String> {
    let quarantine = daemon.get("/api/v1/quarantine").await.json();
    let rows = quarantine["rows"].as_array().unwrap();
    rows.iter().map(|row| row["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_an_odd_id_or_type_is_in_quarantine() {
    let daemon = Daemon::start("").await;
    let (incident, ping) = (event_of("incident.triggered", "QODDTEXT01"), fixture("pagey.ping"));
    let longest = "x".repeat(512);
    daemon.expect(with(&incident, "/event/id", json!(longest)), "accepted").await;
    daemon.expect(with(&ping, "/event/event_type", json!(longest)), "ignored").await;
    for (body, part) in [(&incident, "id"), (&ping, "event_type")] {
        for odd in [json!("a\0b"), json!("a\tb"), json!(format!("{longest}x"))] {
            daemon.expect(with(body, &format!("/event/{part}"), odd), "quarantined").await;
        }
    }
    let control = "holds a control character, such as a tab or a line end";
    let expected = ["id", "type"].map(|part| {
        let long = format!("the event's {part} is longer than 512 bytes");
        let control = format!("the event's {part} {control}");
        [control.clone(), control, long]
    });
    let mut expected = expected.concat();
    expected.sort();
    let mut found = reasons(&daemon).await;
    found.sort();
    assert_eq!(found, expected);
    let retried = Program::of(&daemon).run("", &["quarantine", "retry", "--all"]);
    let printed = String::from_utf8(retried.stdout).unwrap();
    assert_eq!(printed.matches("it is still not understood, and stays").count(), 6, "{printed}");
}

#[tokio::test]
async fn an_incident_with_odd_names_counts() {
    let daemon = Daemon::start("").await;
    let incident = event_of("incident.triggered", "QODDTEXT02");
    let long = "\u{1f525}".repeat(255);
    let odd = with(&incident, "/event/data/service/summary", json!("Check\0out\tAPI"));
    let odd = with(&odd, "/event/data/priority", json!({ "summary": long }));
    let odd = with(&odd, "/event/data/teams", json!([{ "id": "PTEAM", "summary": "Pay\0" }]));
    daemon.expect(with(&odd, "/event/data/title", json!(format!("a\0{long}{long}{long}"))), "accepted").await;
    let failure = daemon.failures().await.remove(0);
    assert_eq!((&failure["services"], &failure["team"]), (&json!(["Check out API"]), &json!("Pay")));
    assert_eq!(failure["priority"], json!(long));
    assert_eq!(failure["title"], json!(format!("a\0{long}{long}{long}")), "a title is only shown");
    let severity = failure["severity"].as_str().unwrap();
    assert!(severity.len() <= 768 && severity.starts_with("\u{1f525}\u{1f525}"), "{severity}");
    let listed = daemon.get("/api/v1/failures?service=Check+out+API").await.json();
    assert_eq!(listed["failures"].as_array().unwrap().len(), 1);
    let output = Program::of(&daemon).run("", &["explain", "QODDTEXT02"]);
    assert!(stdout(&output).contains("Check out API"));
}

#[tokio::test]
async fn odd_texts_of_deployments_are_kept_or_in_quarantine() {
    let daemon = Daemon::start(&both()).await;
    let success = fixture_of("github", "deployment_status.success");
    let odd = with(&success, "/deployment_status/environment", json!("a\0b"));
    let odd = with(&odd, "/deployment/production_environment", json!(false));
    assert_eq!(status(&to_github(&daemon, &odd).await), "accepted");
    let ignored = daemon.get("/api/v1/deployments?ignored=true").await.json();
    let deployment = &ignored["deployments"][0];
    assert_eq!(deployment["env"], "a b");
    assert!(deployment["reason"].as_str().unwrap().starts_with("the environment a b is"), "{deployment}");
    let success = fixture_of("gitlab", "deployment.success");
    for odd in ["a\0b".to_owned(), "x".repeat(600)] {
        let body = with(&success, "/status", json!(odd));
        assert_eq!(status(&to_gitlab(&daemon, &body).await), "quarantined");
        let body = with(&success, "/object_kind", json!(odd));
        assert_eq!(status(&to_gitlab(&daemon, &body).await), "quarantined");
    }
    assert_eq!(reasons(&daemon).await.len(), 4);
}

#[tokio::test]
async fn the_event_api_names_the_odd_attribute() {
    let daemon = Daemon::start("").await;
    let mut failure = json!({ "services": ["a"], "started_at": 1_793_527_200 });
    let mut deployment = json!({ "service": "a", "started_at": 1_793_527_200 });
    let attributes = [
        ("/failure", &mut failure, &["services", "team", "env", "severity", "version", "id"][..]),
        ("/deployment", &mut deployment, &["service", "team", "env", "version", "id"]),
    ];
    for (path, valid, names) in attributes {
        for name in names {
            for odd in [json!("a\0b, an id of more than 16 characters"), json!("x".repeat(769))] {
                let before = valid.clone();
                valid[name] = odd;
                let answer =
                    daemon.events_api("POST", path, &json!({ "data": { "attributes": valid } })).await;
                let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
                assert_eq!(answer.status, 400);
                assert!(detail.starts_with(&format!("attribute \"{name}\" ")), "{detail}");
                *valid = before;
            }
            valid[name] = json!("x".repeat(if *name == "id" { 128 } else { 768 }));
        }
        let longest = json!({ "data": { "attributes": valid } });
        assert_eq!(daemon.events_api("POST", path, &longest).await.status, 200);
    }
    let commit = json!({ "commit_sha": "a".repeat(129), "repository_url": "https://example.com/a" });
    let body =
        json!({ "data": { "attributes": { "service": "a", "started_at": 1_793_527_200, "git": commit } } });
    assert_eq!(daemon.events_api("POST", "/deployment", &body).await.status, 400);
    let withdrawn = daemon.events_api("DELETE", "/failure/an-id-of-16-chars%00", &json!(null)).await;
    assert_eq!(withdrawn.status, 400);
}

/// A row of an index could not hold all these names.
#[tokio::test]
async fn a_failure_may_have_many_services() {
    let daemon = Daemon::start("").await;
    let services: Vec<String> = (0..100).map(|n| format!("{n:03}{}", "x".repeat(700))).collect();
    for id in ["failure-of-many-1", "failure-of-many-2"] {
        let body = json!({ "data": { "attributes": {
            "id": id, "services": services, "started_at": 1_793_527_200 } } });
        assert_eq!(daemon.events_api("POST", "/failure", &body).await.status, 200);
    }
    let listed = daemon.get(&format!("/api/v1/failures?service={}", services[99])).await.json();
    assert_eq!(listed["failures"].as_array().unwrap().len(), 2);
    assert_eq!(daemon.probe().longest_traits(), 64);
}

/// A header has no control character, because HTTP allows none.
#[tokio::test]
async fn an_odd_delivery_id_loses_no_webhook() {
    let daemon = Daemon::start("").await;
    let long = "x".repeat(4_000);
    for (n, id) in ["", "a\tb", "\u{fc}", &long].into_iter().enumerate() {
        let body = event_of("incident.triggered", &format!("QODDHEAD{n}"));
        let signature = sign(&SecretString::from(SECRET), body.as_bytes());
        let url = format!("http://{}/webhooks/pagerduty", daemon.public);
        let request = client().post(url).header("x-pagerduty-signature", signature);
        let answer = request.header("x-webhook-id", id).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{id:?}");
    }
    daemon.until_folded().await;
    assert_eq!(daemon.failures().await.len(), 4);
}

#[tokio::test]
async fn no_question_finds_a_text_with_u_0000() {
    let daemon = Daemon::start("").await;
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    for (path, status) in [
        ("/api/v1/failures?service=a%00", 400),
        ("/api/v1/deployments?team=%00", 400),
        ("/api/v1/outbox?backend=a%00", 400),
        ("/api/v1/report?service=a%00", 400),
        ("/failures?service=a%00", 400),
        ("/?service=a%00", 400),
        ("/api/v1/failures/a%00", 404),
        ("/api/v1/deployments/a%00", 404),
        ("/failures/a%00", 404),
        ("/deployments/a%00", 404),
        ("/services/a%00", 404),
        ("/teams/a%00", 404),
    ] {
        assert_eq!(daemon.get(path).await.status, status, "{path}");
    }
}
