//! The webhook route: each of its answers, and the requests of attackers.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Daemon, SECRET, event_of, fixture};
use pagerduty_dora::sources::pagerduty::signature::sign;

pub(crate) fn signature(secret: &str, body: &str) -> String {
    sign(&secret.to_owned().into(), body.as_bytes())
}

/// The head of a signed webhook, for tests that write it themselves.
fn head(body: &str, fields: &str) -> String {
    let signed = signature(SECRET, body);
    format!(
        "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\nx-pagerduty-signature: {signed}\r\n{fields}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_new_event_is_accepted_and_on_the_disk() {
    let daemon = Daemon::start("").await;
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    assert_eq!(daemon.probe().events(), 1);
    assert_eq!(daemon.probe().last_received_at_ns(), 1_795_132_800_000_000_000);
}

#[tokio::test]
async fn rule_2_the_same_event_with_other_spacing_is_a_duplicate() {
    let daemon = Daemon::start("").await;
    let body = fixture("incident.triggered");
    daemon.expect(body.clone(), "accepted").await;
    daemon.expect(body.clone(), "duplicate").await;
    let value: Value = serde_json::from_str(&body).unwrap();
    daemon.expect(value.to_string(), "duplicate").await;
    let mut unknown_field = value.clone();
    unknown_field["event"]["data"]["colour"] = json!("red");
    daemon.expect(unknown_field.to_string(), "duplicate").await;
    assert_eq!(daemon.probe().duplicates_of_type("incident.triggered"), 3);
    assert_eq!(daemon.probe().events(), 1);
}

#[tokio::test]
async fn rule_2_other_facts_under_a_known_id_are_quarantined() {
    let daemon = Daemon::start("").await;
    daemon.expect(fixture("incident.triggered"), "accepted").await;
    let other = fixture("incident.triggered").replace("above 5 %", "above 50 %");
    daemon.expect(other, "quarantined").await;
    let failures = daemon.failures().await;
    assert_eq!(failures[0]["title"], "checkout: error rate above 5 %");
    assert_eq!(daemon.probe().quarantined_because("seen before"), 1);
}

#[tokio::test]
async fn rule_4_a_creation_in_the_year_9999_counts_as_absent_and_is_quarantined() {
    let daemon = Daemon::start("").await;
    let mut body: Value = serde_json::from_str(&fixture("incident.triggered")).unwrap();
    body["event"]["data"]["created_at"] = "9999-12-31T23:59:59Z".into();
    let answer = daemon.deliver(body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("accepted")));
    assert!(answer.json()["detail"].as_str().unwrap().contains("quarantined"));
    let failure = &daemon.failures().await[0];
    assert_eq!(failure["started_at"], body["event"]["occurred_at"]);
    assert_eq!(failure["flags"], json!([]));
    assert_eq!(daemon.probe().quarantined_because("9999"), 1);
    daemon.expect(body.to_string(), "duplicate").await;
    assert_eq!(daemon.probe().quarantined(), 1);
}

#[tokio::test]
async fn a_title_that_was_cut_within_a_character_is_accepted() {
    let daemon = Daemon::start("").await;
    let body = fixture("incident.triggered").replace("above 5 %", "above 5 % \\ud83d");
    daemon.expect(body.clone(), "accepted").await;
    assert_eq!(daemon.failures().await[0]["title"], "checkout: error rate above 5 % \u{fffd}");
    daemon.expect(body, "duplicate").await;
}

#[tokio::test]
async fn signed_bodies_that_are_not_understood_are_quarantined() {
    let daemon = Daemon::start("").await;
    let with = |pointer: &str, value: Value| {
        let mut body: Value = serde_json::from_str(&fixture("incident.resolved")).unwrap();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let bodies = [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        "[".repeat(400_000),
        "{\"event\":{}}".to_owned(),
        "{\"event\":{\"id\":\"1\",\"id\":\"2\",\"event_type\":\"x\",\"occurred_at\":\"2026-11-01T00:00:00Z\"}}".to_owned(),
        "{\"event\":{\"id\":\"\\ud800\",\"event_type\":\"x\",\"occurred_at\":\"2026-11-01T00:00:00Z\"}}".to_owned(),
        "[[\"1\",\"pagey.ping\",\"2026-11-01T00:00:00Z\",null]]".to_owned(),
        "{\"event\":[\"1\",\"pagey.ping\",\"2026-11-01T00:00:00Z\",null]}".to_owned(),
        with("/event/id", json!("")),
        with("/event/id", json!(7)),
        with("/event/event_type", Value::Null),
        with("/event/occurred_at", json!("yesterday")),
        with("/event/occurred_at", json!("1999-12-31T00:00:00Z")),
        with("/event/occurred_at", json!("2262-04-11T00:00:00Z")),
        with("/event/data/created_at", json!("1970-01-01T00:00:00Z")),
        with("/event/data", Value::Null),
        with("/event/data/id", Value::Null),
        with("/event/data/id", json!("a b")),
    ];
    for body in &bodies {
        daemon.expect(body.clone(), "quarantined").await;
    }
    assert_eq!(daemon.probe().quarantined(), i64::try_from(bodies.len()).unwrap());
    assert!(daemon.failures().await.is_empty());
}

#[tokio::test]
async fn invalid_utf8_is_quarantined_even_in_unknown_fields() {
    let daemon = Daemon::start("").await;
    let text = fixture("incident.resolved").replacen("\"event\"", "\"unheard_of\": \"?\", \"event\"", 1);
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    daemon.expect(bytes, "quarantined").await;
    daemon.expect(text, "accepted").await;
}

#[tokio::test]
async fn an_event_about_no_incident_leaves_nothing_to_fold() {
    let daemon = Daemon::start("").await;
    daemon.expect(fixture("pagey.ping"), "ignored").await;
    assert_eq!(daemon.probe().unfolded(), 0, "otherwise its body could never be removed");
}

#[tokio::test]
async fn a_half_closed_connection_is_answered() {
    let daemon = Daemon::start("").await;
    let body = event_of("incident.triggered", "QHALFCLOSED");
    let request = head(&body, &format!("content-length: {}", body.len())) + &body;
    let mut stream = TcpStream::connect(daemon.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer:?}");
}

#[tokio::test]
async fn every_field_may_be_null_or_of_another_shape() {
    let daemon = Daemon::start("").await;
    let whole: Value = serde_json::from_str(&fixture("incident.resolved")).unwrap();
    let fields: Vec<String> = whole["event"]["data"].as_object().unwrap().keys().cloned().collect();
    for (n, field) in fields.iter().filter(|field| !["id", "type"].contains(&field.as_str())).enumerate() {
        for (m, value) in
            [Value::Null, json!(7), json!([[]]), json!({ "id": {} }), json!(true), json!("\u{0}")]
                .into_iter()
                .enumerate()
        {
            let mut body = whole.clone();
            body["event"]["id"] = json!(format!("E{n}-{m}"));
            body["event"]["data"][field] = value;
            daemon.expect(body.to_string(), "accepted").await;
        }
    }
    assert_eq!(daemon.failures().await.len(), 1);
}

#[tokio::test]
async fn unsigned_webhooks_are_refused() {
    let daemon = Daemon::start("").await;
    let body = fixture("incident.triggered");
    let wrong = signature("another-secret-of-16", &body);
    let cases: [&[(&str, &str)]; 4] = [
        &[],
        &[("x-pagerduty-signature", "v1=nonsense")],
        &[("x-pagerduty-signature", &wrong)],
        &[("x-pagerduty-signature", "v1="), ("x-pagerduty-signature", &wrong)],
    ];
    for headers in cases {
        let answer = daemon.deliver_with(headers, body.clone()).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("unverified")), "{answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().ends_with('.'));
    }
    assert_eq!(daemon.probe().events(), 0);
}

#[tokio::test]
async fn a_wrong_signature_is_answered_503_if_configured() {
    let daemon = Daemon::start("[pagerduty]\nunverified = \"retry\"").await;
    let body = fixture("incident.triggered");
    let wrong = signature("another-secret-of-16", &body);
    let answer = daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], body.clone()).await;
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (503, "5"));
    let malformed = daemon.deliver_with(&[("x-pagerduty-signature", "v1=x")], body).await;
    assert_eq!(malformed.status, 401);
}

#[tokio::test]
async fn legacy_webhooks_are_refused_with_advice() {
    let daemon = Daemon::start("").await;
    for body in [include_str!("../../fixtures/legacy/v1.json"), include_str!("../../fixtures/legacy/v2.json")]
    {
        let answer = daemon.deliver_with(&[], body).await;
        assert_eq!(answer.status, 401);
        assert!(answer.json()["detail"].as_str().unwrap().contains("V3"), "{answer:?}");
    }
}

#[tokio::test]
async fn size_is_checked_before_encoding_and_encoding_before_the_signature() {
    let daemon = Daemon::start("").await;
    let gzip: &[(&str, &str)] = &[("content-encoding", "gzip")];
    let largest = " ".repeat(512 * 1024);
    assert_eq!(daemon.deliver_with(&[], format!("{largest} ")).await.status, 413);
    assert_eq!(daemon.deliver_with(gzip, format!("{largest} ")).await.status, 413);
    assert_eq!(daemon.deliver_with(gzip, largest.clone()).await.status, 415);
    assert_eq!(daemon.deliver_with(&[], largest.clone()).await.status, 401);
    daemon.expect(largest, "quarantined").await;
    let identity = fixture("incident.triggered");
    let signed = signature(SECRET, &identity);
    let headers = [("content-encoding", "identity"), ("x-pagerduty-signature", signed.as_str())];
    assert_eq!(daemon.deliver_with(&headers, identity.clone()).await.status, 202);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let daemon = Daemon::start("").await;
    let base = format!("http://{}", daemon.public);
    let not_found = daemon.client.get(format!("{base}/metrics")).send().await.unwrap();
    assert_eq!(not_found.status(), 404, "the admin routes are not on the public listener");
    let wrong_method = daemon.client.get(format!("{base}/webhooks/pagerduty")).send().await.unwrap();
    assert_eq!(
        (wrong_method.status().as_u16(), &wrong_method.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
}

#[tokio::test]
async fn a_trailing_slash_does_not_matter() {
    for (configuration, path) in [
        ("", "/webhooks/pagerduty/"),
        ("[pagerduty]\npath = \"/hook/\"", "/hook"),
        ("[pagerduty]\npath = \"/hook\"", "/hook/"),
    ] {
        let daemon = Daemon::start(configuration).await;
        let body = fixture("incident.triggered");
        let request = daemon.client.post(format!("http://{}{path}", daemon.public));
        let request = request.header("x-pagerduty-signature", signature(SECRET, &body)).body(body);
        assert_eq!(request.send().await.unwrap().status(), 202, "{path}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_accepted() {
    let daemon = Daemon::start("").await;
    let body = event_of("incident.triggered", "QCHUNKED");
    let (first, rest) = body.split_at(100);
    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", first.len(), rest.len());
    let raw = head(&body, "connection: close\r\ntransfer-encoding: chunked") + &chunks;
    let answer = crate::slow::exchange(daemon.public, raw.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test]
async fn rules_4_6_and_14_hold_end_to_end() {
    let daemon = Daemon::start("").await;
    // A resolve alone is a complete failure.
    daemon.expect(event_of("incident.resolved", "QALONE"), "accepted").await;
    // Without created_at and a trigger, the start is a guess. An end before the start is moved to the start.
    let mut vague: Value = serde_json::from_str(&event_of("incident.acknowledged", "QVAGUE")).unwrap();
    vague["event"]["data"]["created_at"] = Value::Null;
    daemon.expect(vague.to_string(), "accepted").await;
    let mut backwards: Value = serde_json::from_str(&event_of("incident.resolved", "QBACKWARDS")).unwrap();
    backwards["event"]["data"]["created_at"] = json!("2026-11-01T11:00:00Z");
    daemon.expect(backwards.to_string(), "accepted").await;
    let mut future: Value = serde_json::from_str(&event_of("incident.triggered", "QFUTURE")).unwrap();
    future["event"]["occurred_at"] = json!("2036-11-01T11:00:00Z");
    daemon.expect(future.to_string(), "accepted").await;

    let failures = daemon.failures().await;
    let of = |incident: &str| failures.iter().find(|failure| failure["incident"] == incident).unwrap();
    let alone = of("QALONE");
    assert_eq!((&alone["state"], &alone["time_to_restore_seconds"]), (&json!("completed"), &json!(2530.5)));
    assert_eq!(of("QVAGUE")["flags"], json!(["approximate"]));
    assert_eq!(of("QBACKWARDS")["flags"], json!(["end_before_start"]));
    assert_eq!(of("QBACKWARDS")["time_to_restore_seconds"], json!(0.0));
    assert_eq!(of("QFUTURE")["flags"], json!(["in_the_future"]));
}
