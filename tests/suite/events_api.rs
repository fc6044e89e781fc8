//! The Datadog-compatible event API: failures.

use serde_json::json;

use crate::harness::{Backend, Daemon, client, event_of};

#[tokio::test]
async fn a_failure_is_kept_replaced_and_forwarded() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    let open = json!({ "data": { "attributes": {
        "id": "deploy-1234567890", "services": ["checkout"], "started_at": 1_793_527_200 } } });
    let answer = daemon.events_api("POST", "/failure", &open).await;
    let expected = json!({ "data": { "id": "deploy-1234567890", "type": "dora_failure" } });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert!(backend.is_quiet(), "it has no end yet");

    let done = json!({ "data": { "attributes": {
        "id": "deploy-1234567890", "services": ["checkout"], "started_at": 1_793_527_200,
        "finished_at": "2026-11-01T10:10:00Z", "severity": "High", "custom_tags": ["a:b"] } } });
    assert_eq!(daemon.events_api("POST", "/incident", &done).await.status, 200);
    let sent = backend.next().await.attributes();
    assert_eq!(sent["finished_at"], json!(1_793_527_800_000_000_000_i64));
    assert_eq!(sent["custom_tags"], json!(["a:b"]));
    let failures = daemon.failures().await;
    assert_eq!((failures.len(), &failures[0]["source"]), (1, &json!("api")));
    assert_eq!(failures[0]["time_to_restore_seconds"], json!(600.0));

    assert_eq!(daemon.events_api("DELETE", "/failure/deploy-1234567890", &json!(null)).await.status, 202);
    assert!(daemon.failures().await.is_empty());
    assert_eq!(backend.next().await.attributes().get("finished_at"), None);
    assert_eq!(daemon.events_api("DELETE", "/failure/deploy-1234567890", &json!(null)).await.status, 202);
}

#[tokio::test]
async fn a_trailing_slash_does_not_matter() {
    let daemon = Daemon::start("").await;
    let failure = json!({ "data": { "attributes": {
        "id": "deploy-1234567890", "services": ["checkout"], "started_at": 1_793_527_200 } } });
    for path in ["/failure/", "/incident/"] {
        assert_eq!(daemon.events_api("POST", path, &failure).await.status, 200, "{path}");
    }
    let deployment = json!({ "data": { "attributes": {
        "service": "checkout", "started_at": 1_793_527_200, "finished_at": 1_793_527_300 } } });
    assert_eq!(daemon.events_api("POST", "/deployment/", &deployment).await.status, 200);
    assert_eq!(daemon.events_api("DELETE", "/failure/deploy-1234567890/", &json!(null)).await.status, 202);
    assert!(daemon.failures().await.is_empty());
}

#[tokio::test]
async fn requests_without_a_valid_key_are_refused() {
    let daemon = Daemon::start("").await;
    let url = format!("http://{}/api/v2/dora/failure", daemon.public);
    for key in [None, Some(""), Some("wrong")] {
        let mut request = client().post(&url).body("{}");
        if let Some(key) = key {
            request = request.header("dd-api-key", key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.text().await.unwrap(), "{\"errors\":[\"Forbidden\"]}");
    }
}

#[tokio::test]
async fn errors_have_the_form_of_datadogs() {
    let daemon = Daemon::start("").await;
    let answer = daemon.events_api("POST", "/failure", &json!({ "data": {} })).await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["title"]), (400, &json!("Bad Request")));
}

#[tokio::test]
async fn the_failure_of_an_incident_cannot_be_overwritten() {
    let daemon = Daemon::start("").await;
    daemon.expect(event_of("incident.triggered", "QTAKEN01"), "accepted").await;
    let body = json!({ "data": { "attributes": {
        "id": "pagerduty:QTAKEN01", "team": "a", "started_at": 1_793_527_200 } } });
    assert_eq!(daemon.events_api("POST", "/failure", &body).await.status, 400);
    assert_eq!(daemon.events_api("DELETE", "/failure/pagerduty:QTAKEN01", &body).await.status, 400);
    // In the other order the incident's own events replace the submitted failure.
    let body = json!({ "data": { "attributes": {
        "id": "pagerduty:QLATER01", "team": "a", "started_at": 1_793_527_200 } } });
    assert_eq!(daemon.events_api("POST", "/failure", &body).await.status, 200);
    daemon.expect(event_of("incident.triggered", "QLATER01"), "accepted").await;
    let failures = daemon.failures().await;
    assert!(failures.iter().all(|failure| failure["source"] == "pagerduty"), "{failures:?}");
}

#[tokio::test]
async fn requests_are_counted_and_a_refused_key_is_shown() {
    let daemon = Daemon::start("").await;
    let deployment = json!({ "data": { "attributes": { "service": "a", "started_at": 1_793_527_200 } } });
    let failure = json!({ "data": { "attributes": { "team": "a", "started_at": 1_793_527_200 } } });
    assert_eq!(daemon.events_api("POST", "/deployment", &deployment).await.status, 200);
    assert_eq!(daemon.events_api("POST", "/incident", &failure).await.status, 200);
    assert_eq!(daemon.events_api("POST", "/failure", &json!({})).await.status, 400);
    assert_eq!(daemon.events_api("DELETE", "/failure/an-id-of-16-chars", &json!(null)).await.status, 202);
    daemon.clock.advance(std::time::Duration::from_secs(1));
    let url = format!("http://{}/api/v2/dora/deployment", daemon.public);
    let refused = client().post(&url).header("dd-api-key", "wrong").body("{}").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["connection"]),
        (403, &"close".parse().unwrap())
    );
    let text = daemon.get("/metrics").await.body;
    for (kind, status, count) in [
        ("deployment", "accepted", 1),
        ("failure", "accepted", 1),
        ("failure", "invalid", 1),
        ("withdrawal", "accepted", 1),
        ("deployment", "forbidden", 1),
        ("failure", "forbidden", 0),
    ] {
        let labels = format!("{{kind=\"{kind}\",status=\"{status}\"}}");
        let line = format!("pagerduty_dora_events_api_requests_total{labels} {count}");
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("pagerduty_dora_last_deployment_timestamp_seconds 1793527200.0\n"), "{text}");
    let page = daemon.get("/").await.body;
    assert!(page.contains("<span class=\"bad\">A request was refused"), "{page}");
    daemon.clock.advance(std::time::Duration::from_hours(25));
    let page = daemon.get("/").await.body;
    assert!(page.contains("<span class=\"\">A request was refused"), "no such request for a day: {page}");
    daemon.events_api("POST", "/deployment", &deployment).await;
    let page = daemon.get("/").await.body;
    assert!(
        !page.contains("A request was refused") && page.contains("The last request was accepted"),
        "{page}"
    );
}

#[tokio::test]
async fn an_api_that_is_off_says_so() {
    let daemon = Daemon::start("[events_api]\nkeys = []").await;
    let off = json!({ "errors": ["the event API is off: set [events_api] keys"] });
    for (method, path) in [
        ("POST", "/deployment"),
        ("POST", "/failure"),
        ("POST", "/incident"),
        ("DELETE", "/failure/an-id-of-16-chars"),
    ] {
        let answer = daemon.events_api(method, path, &json!({})).await;
        assert_eq!((answer.status, answer.json()), (404, off.clone()), "{method} {path}");
    }
    assert_eq!(daemon.events_api("POST", "/nothing", &json!({})).await.json()["error"], "not_found");
    let page = daemon.get("/").await.body;
    assert!(page.contains("<span class=\"bad\">Off, but a request came"), "{page}");
    daemon.clock.advance(std::time::Duration::from_hours(25));
    let page = daemon.get("/").await.body;
    assert!(page.contains("<span class=\"\">Off, but a request came"), "no such request for a day: {page}");
}

#[tokio::test]
async fn credentials_in_addresses_are_neither_kept_nor_sent() {
    let mut backend = Backend::start().await;
    let configuration = format!(
        "{}deployments = true\n[[service]]\npagerduty = \"PSVC001\"\nservices = [\"checkout\"]\n\
         repository_url = \"https://ci:S3CR3T@host/a\"\ntags = [\"repo:https://S3CR3T@host/a\"]\n",
        backend.entry("metrics")
    );
    let daemon = Daemon::start(&configuration).await;
    let attributes = |more: serde_json::Value| {
        let mut attributes = json!({
            "id": "credentials-in-here", "started_at": 1_793_527_200, "finished_at": 1_793_527_300,
            "custom_tags": ["repo:https://S3CR3T@host/a"], "team": "https://S3CR3T@host/a",
            "version": "https://host/a?private_token=S3CR3T",
            "git": { "repository_url": "S3CR3T:x@host/a", "commit_sha": "a".repeat(40) },
        });
        attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "data": { "attributes": attributes } })
    };
    let deployment = attributes(json!({ "service": "checkout" }));
    assert_eq!(daemon.events_api("POST", "/deployment", &deployment).await.status, 200);
    let failure = attributes(json!({ "services": "checkout", "name": "cannot clone https://S3CR3T@host/a" }));
    assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
    daemon.expect(event_of("incident.resolved", "QSECRETS01"), "accepted").await;
    for _ in 0..3 {
        let sent = backend.next().await;
        assert!(!String::from_utf8_lossy(&sent.bytes).contains("S3CR3T"), "{:?}", sent.attributes());
    }
    for (text, is_stored) in [("S3CR3T", false), ("QSECRETS01", true)] {
        assert_eq!(daemon.probe().contains(text), is_stored, "{text}");
    }
}

#[tokio::test]
async fn each_error_names_its_attribute() {
    let daemon = Daemon::start("").await;
    for (path, attributes, attribute, hint) in [
        ("/failure", json!({ "team": "a" }), "started_at", "missing"),
        ("/failure", json!({ "team": "a", "started_at": "1793527200" }), "started_at", "without quotes"),
        (
            "/incident",
            json!({ "team": "a", "started_at": 1_793_527_200, "finished_at": "9" }),
            "finished_at",
            "quotes",
        ),
        ("/deployment", json!({ "service": "", "started_at": 1_793_527_200 }), "service", "missing"),
        ("/deployment", json!({ "service": "a", "started_at": 2_793_527_200_i64 }), "started_at", "future"),
    ] {
        let answer = daemon.events_api("POST", path, &json!({ "data": { "attributes": attributes } })).await;
        let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{detail}");
        assert!(detail.contains(&format!("\"{attribute}\"")) && detail.contains(hint), "{detail}");
    }
}
