//! Requirements of each backend for a request, taken from its documentation and schemas.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{SIGNING_SECRET, cdevents_schema};
use crate::harness::{Request, time};
use crate::json_schema::Schemas;

fn no_nulls(value: &Value) {
    match value {
        Value::Null => panic!("a null is sent"),
        Value::Array(values) => values.iter().for_each(no_nulls),
        Value::Object(fields) => fields.values().for_each(no_nulls),
        _ => {}
    }
}

fn only(value: &Value, allowed: &[&str]) {
    for key in value.as_object().unwrap().keys() {
        assert!(allowed.contains(&key.as_str()), "{key} in {value}");
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

/// `EventCreateRequestPayload` of the Events API v2, for an alert.
pub(super) fn datadog_event(body: &Value) {
    no_nulls(body);
    only(body, &["data"]);
    only(&body["data"], &["attributes", "type"]);
    assert_eq!(body["data"]["type"], "event");
    let attributes = &body["data"]["attributes"];
    only(
        attributes,
        &[
            "aggregation_key",
            "attributes",
            "category",
            "integration_id",
            "message",
            "tags",
            "timestamp",
            "title",
        ],
    );
    assert_eq!(
        (&attributes["category"], &attributes["integration_id"]),
        (&"alert".into(), &"custom-events".into())
    );
    assert!(
        is_text(&attributes["title"])
            && is_text(&attributes["message"])
            && is_text(&attributes["aggregation_key"])
    );
    assert!(attributes["tags"].as_array().unwrap().len() <= 100);
    let inner = &attributes["attributes"];
    only(inner, &["custom", "links", "priority", "status"]);
    assert!(["error", "ok"].contains(&inner["status"].as_str().unwrap()));
    for link in inner["links"].as_array().into_iter().flatten() {
        only(link, &["category", "title", "url"]);
        assert!(is_text(&link["url"]) && is_text(&link["title"]) && link["category"] == "resource", "{link}");
    }
}

/// `DORAFailureRequestAttributes`.
pub(super) fn datadog(attributes: &Value) {
    only(
        attributes,
        &[
            "custom_tags",
            "env",
            "finished_at",
            "git",
            "id",
            "name",
            "services",
            "severity",
            "started_at",
            "team",
            "version",
        ],
    );
    no_nulls(attributes);
    let id = attributes["id"].as_str().unwrap();
    assert!((16..=128).contains(&id.len()), "{id}");
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)), "{id}");
    let (start, end) =
        (attributes["started_at"].as_i64().unwrap(), attributes["finished_at"].as_i64().unwrap());
    assert!(start <= end && start > 1_000_000_000_000_000_000, "{start} {end}");
    let services = attributes["services"].as_array();
    assert!(services.is_some_and(|services| !services.is_empty()) || is_text(&attributes["team"]));
    if let Some(tags) = attributes["custom_tags"].as_array() {
        assert!(tags.len() <= 100);
        assert!(tags.iter().all(|tag| is_text(tag) && tag.as_str().unwrap().contains(':')));
    }
    if let Some(name) = attributes.get("name") {
        assert!(is_text(name) && name.as_str().unwrap().chars().count() <= 1_000);
    }
    if let Some(git) = attributes.get("git") {
        let sha = git["commit_sha"].as_str().unwrap();
        assert!(sha.len() >= 40 && sha.bytes().all(|b| b.is_ascii_hexdigit()), "{sha}");
        assert!(is_text(&git["repository_url"]));
    }
}

pub(super) fn datadog_series(body: &Value) {
    no_nulls(body);
    for series in body["series"].as_array().unwrap() {
        let metric = series["metric"].as_str().unwrap();
        match metric {
            "dora.incidents.count" => {
                assert_eq!((&series["type"], &series["interval"]), (&1.into(), &1.into()));
                assert_eq!(series["points"][0]["value"], 1);
                assert!(series["points"][0]["timestamp"].is_i64());
            }
            "dora.time_to_restore" => {
                assert!(series["points"][0][0].is_i64());
                assert!(series["points"][0][1][0].as_f64().unwrap() >= 0.0);
            }
            other => panic!("{other}"),
        }
        assert!(series["tags"].as_array().unwrap().iter().all(is_text));
    }
}

/// `IngestedIssue` of the plugin `webhook`.
pub(super) fn devlake(issue: &Value) {
    for required in ["issueKey", "title", "originalStatus"] {
        assert!(is_text(&issue[required]), "{required} in {issue}");
    }
    assert_eq!(issue["type"], "INCIDENT");
    assert!(["TODO", "IN_PROGRESS", "DONE"].contains(&issue["status"].as_str().unwrap()));
    let at = |key: &str| time(issue[key].as_str().unwrap());
    assert!(at("createdDate") <= at("resolutionDate"));
    assert!(issue["leadTimeMinutes"].is_u64());
}

/// CDEvents 0.5.1, and the CloudEvents binding.
pub(super) fn cdevents(request: &Request, event: &Value) {
    no_nulls(event);
    let (context, subject) = (&event["context"], &event["subject"]);
    let predicate = context["type"].as_str().unwrap().split('.').nth(3).unwrap();
    Schemas::of_requests(&Value::Null).check(&cdevents_schema::of(predicate), event).unwrap();
    for text in [&subject["content"]["environment"]["id"], &subject["content"]["service"]["id"]] {
        assert!(text.is_null() || is_text(text), "{event}");
    }
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("ce-specversion"), "1.0");
    for (name, value) in [
        ("ce-id", &context["id"]),
        ("ce-source", &context["source"]),
        ("ce-type", &context["type"]),
        ("ce-time", &context["timestamp"]),
        ("ce-subject", &subject["id"]),
    ] {
        assert_eq!(&header(name), value.as_str().unwrap());
    }
}

pub(super) fn standard_webhooks(request: &Request) {
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let key = BASE64_STANDARD.decode(SIGNING_SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.bytes);
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
}
