//! `/openapi.json`, compared with the requests that a running daemon accepts and with its answers.

mod admin;
mod asker;
mod unable;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::asker::Asker;
use crate::deployment_webhooks;
use crate::harness::{Answer, Daemon, KEY, SECRET, fixture, story};
use crate::json_schema::{Schemas, resolved};

/// Routes of the pages for people, which are not part of the API.
const PAGES: [&str; 17] = [
    "/",
    "/style.css",
    "/failures",
    "/failures.csv",
    "/failures/{id}",
    "/deployments",
    "/deployments.csv",
    "/deployments/{id}",
    "/services/{name}",
    "/teams/{name}",
    "/outbox",
    "/outbox/{id}/retry",
    "/outbox/{id}/group/retry",
    "/outbox/{id}/group/discard",
    "/quarantine",
    "/quarantine/{id}",
    "/quarantine/{id}/retry",
];
/// Message for a path without a route.
const NO_ROUTE: &str = "There is nothing at this path.";

async fn document(daemon: &Daemon) -> Value {
    daemon.get("/openapi.json").await.json()
}

/// Each operation: its method, its path, and its entry in the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method != "servers" {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    operations
}

/// The parameters of an operation that are sent in this place.
fn parameters(document: &Value, operation: &Value, place: &str) -> Vec<Value> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let parameters = parameters.iter().map(|parameter| resolved(document, parameter).clone());
    parameters.filter(|parameter| parameter["in"] == place).collect()
}

/// The method and path of each route, read from the source of the routers.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/http/mod.rs");
    let calls = source.split(".route(").skip(1);
    let routes = calls.flat_map(|call| {
        let (path, rest) = call.split_once(',').unwrap();
        // Paths of the public listener are no literals, because each also exists with a trailing slash.
        let paths = match path.trim().strip_prefix("&path(").and_then(|kind| kind.strip_suffix(')')) {
            Some(kind) => vec![format!("/api/v2/dora/{}", kind.trim_matches('"'))],
            None if path.trim() == "path" => {
                ["pagerduty", "github", "gitlab"].map(|source| format!("/webhooks/{source}")).to_vec()
            }
            None => vec![path.trim().trim_matches('"').to_owned()],
        };
        let method = rest.trim_start().split('(').next().unwrap();
        assert!(
            ["get", "post", "delete"].contains(&method),
            "this test does not know the method {method} of {path}"
        );
        let method = method.to_uppercase();
        paths.into_iter().map(move |path| (method.clone(), path))
    });
    routes.filter(|(_, path)| !PAGES.contains(&path.as_str())).collect()
}

#[tokio::test]
async fn the_document_has_exactly_the_routes_of_the_daemon() {
    let daemon = Daemon::start(&deployment_webhooks::both()).await;
    let document = document(&daemon).await;
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let documented = operations(&document).into_iter().map(|(method, path, _)| (method, path));
    assert_eq!(documented.collect::<BTreeSet<_>>(), routes());
    let mut asker = Asker::new(&daemon).await;
    for (method, path, _) in operations(&document) {
        let answer = asker.ask(&method, &path, "no-such-thing-at-all", "", &[]).await;
        assert!(answer.status != 405 && !answer.body.contains(NO_ROUTE), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_document_has_exactly_the_options_of_the_daemon() {
    let daemon = Daemon::start("").await;
    let mut asker = Asker::new(&daemon).await;
    let document = asker.document.clone();
    for (method, path, operation) in operations(&document) {
        let parameters = parameters(&document, &operation, "query");
        if parameters.is_empty() {
            continue;
        }
        let names: Vec<String> =
            parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let refused = asker.ask(&method, &path, "", "?no_such_option=1", &[]).await;
        assert_eq!((refused.status, expected(&refused)), (400, names), "{path}");
        for parameter in &parameters {
            let words = resolved(&document, &parameter["schema"])["enum"].clone();
            if words.is_null() {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let refused = asker.ask(&method, &path, "", &format!("?{name}=no-such-word"), &[]).await;
            assert_eq!((refused.status, json!(expected(&refused))), (400, words), "{path} {name}");
        }
        let required = parameters.iter().any(|parameter| parameter["required"] == true);
        assert_eq!(asker.ask(&method, &path, "", "", &[]).await.status == 400, required, "{path}");
    }
}

/// The allowed names or values that the answer to a refused query lists.
fn expected(refused: &Answer) -> Vec<String> {
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let known = detail.split_once("Known: ").or_else(|| detail.split_once("Allowed: "));
    let (_, expected) = known.unwrap_or_else(|| panic!("{detail}"));
    expected.split(", ").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_api_behaves_as_documented() {
    let daemon = Daemon::start("").await;
    let mut asker = Asker::new(&daemon).await;
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let whole = json!({
        "id": "a-failure-of-the-api", "services": ["checkout"], "team": "payments", "env": "staging",
        "started_at": 1_793_527_200, "finished_at": "2026-11-01T11:00:00Z", "name": "errors", "severity": "High",
        "version": "v1", "git": { "repository_url": "https://github.com/acme/checkout", "commit_sha": sha },
        "custom_tags": ["a:b"], "service": "checkout",
    });
    let changed = |field: &str, value: Value| {
        let mut changed = whole.clone();
        changed[field] = value;
        changed
    };
    let without = |field: &str| {
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(field);
        less
    };
    let tags: Vec<String> = (0..101).map(|n| format!("k:{n}")).collect();
    let mut requests = vec![whole.clone(), json!({}), json!(null), changed("unknown", json!(1))];
    for field in whole.as_object().unwrap().keys() {
        requests.extend([without(field), changed(field, Value::Null), changed(field, json!({ "a": 1 }))]);
    }
    requests.extend([
        changed("id", json!("short")),
        changed("started_at", json!("soon")),
        changed("started_at", json!(1.5)),
        changed("service", json!(" ")),
        changed("git", json!({ "repository_url": "x" })),
        changed("git", json!({ "repository_url": "x", "commit_sha": "abc" })),
        changed("custom_tags", json!(tags)),
        changed("git", json!({ "repository_url": "x", "commit_sha": "a".repeat(129) })),
    ]);
    for name in ["service", "team", "env", "severity", "version"] {
        let values = ["x".repeat(768), "x".repeat(769), "a\0b".to_owned(), "a\u{85}b".to_owned()];
        requests.extend(values.map(|value| changed(name, json!(value))));
    }
    requests.extend([json!("a\tb"), json!(["a", "a\tb"])].map(|value| changed("services", value)));
    for attributes in &requests {
        for path in ["/deployment", "/failure", "/incident"] {
            asker.send(path, attributes).await;
        }
    }
    let key = [("dd-api-key", KEY)];
    let failure = "/api/v2/dora/failure/{id}";
    for (id, status) in [("a-failure-of-the-api", 202), ("short", 400), ("%ff", 400)] {
        assert_eq!(asker.ask("DELETE", failure, id, "", &key).await.status, status);
    }
    assert_eq!(asker.ask("DELETE", failure, "a-failure-of-the-api", "", &[]).await.status, 403);
    for path in ["/deployment", "/failure", "/incident"] {
        let path = format!("/api/v2/dora{path}");
        assert_eq!(asker.ask("POST", &path, "", "", &[]).await.status, 403);
        let url = format!("http://{}{path}", daemon.public);
        let large = daemon.client.post(url).header("dd-api-key", KEY).body(vec![b' '; 600_000]);
        asker.holds("POST", &path, &Answer::of(large.send().await.unwrap()).await);
    }
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart("[events_api]\nkeys = []").await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    assert_eq!(asker.ask("DELETE", failure, "a-failure-of-the-api", "", &key).await.status, 404);
    for path in ["/deployment", "/failure", "/incident"] {
        assert_eq!(asker.ask("POST", &format!("/api/v2/dora{path}"), "", "", &key).await.status, 404);
    }
    asker.all_seen_but("/api/v2", &["503"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_answered_as_documented() {
    let daemon = Daemon::start("").await;
    let mut asker = Asker::new(&daemon).await;
    let webhook = fixture("incident.triggered");
    let content = asker.document["paths"]["/webhooks/pagerduty"]["post"]["requestBody"]["content"].clone();
    for webhook in story().into_iter().chain([webhook.clone(), fixture("pagey.ping")]) {
        let webhook = serde_json::from_str(&webhook).unwrap();
        let result =
            Schemas::of_requests(&asker.document).check(&content["application/json"]["schema"], &webhook);
        assert_eq!(result, Ok(()));
    }
    let encoded = [("content-encoding", "gzip")];
    let answers = [
        (daemon.deliver(webhook.clone()).await, 202, "accepted"),
        (daemon.deliver(webhook.clone()).await, 202, "duplicate"),
        (daemon.deliver(fixture("pagey.ping")).await, 202, "ignored"),
        (daemon.deliver("nothing").await, 202, "quarantined"),
        (daemon.deliver_with(&[], webhook.clone()).await, 401, "unverified"),
        (daemon.deliver_with(&[], "{\"messages\":[]}").await, 401, "unverified"),
        (daemon.deliver_with(&[], vec![b' '; 600_000]).await, 413, "too_large"),
        (daemon.deliver_with(&encoded, webhook.clone()).await, 415, "unsupported_encoding"),
    ];
    for (answer, status, word) in &answers {
        let body = answer.json();
        let found = body.get("status").or(body.get("error")).cloned();
        assert_eq!((answer.status, found), (*status, Some(json!(word))));
        asker.holds("POST", "/webhooks/pagerduty", answer);
    }
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart("[pagerduty]\nunverified = \"retry\"").await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    let wrong = format!("v1={}", "0".repeat(64));
    let answer = daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], webhook).await;
    assert_eq!((answer.status, &answer.json()["error"]), (503, &json!("unverified_retry")));
    asker.holds("POST", "/webhooks/pagerduty", &answer);
    asker.all_seen_but("/webhooks/pagerduty", &[]);
    assert!(!asker.document.to_string().contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_about_deployments_are_answered_as_documented() {
    let daemon = Daemon::start(&deployment_webhooks::both()).await;
    let mut asker = Asker::new(&daemon).await;
    for (source, name) in [("github", "deployment_status.success"), ("gitlab", "deployment.success")] {
        let (route, body) = (format!("/webhooks/{source}"), deployment_webhooks::fixture_of(source, name));
        let schema =
            asker.document["paths"][&route]["post"]["requestBody"]["content"]["application/json"]["schema"]
                .clone();
        let sent = serde_json::from_str(&body).unwrap();
        assert_eq!(Schemas::of_requests(&asker.document).check(&schema, &sent), Ok(()));
        let url = format!("http://{}{route}", daemon.public);
        let signed = match source {
            "github" => {
                deployment_webhooks::github_headers(deployment_webhooks::GITHUB_SECRET, body.as_bytes())
            }
            _ => deployment_webhooks::gitlab_headers(deployment_webhooks::GITLAB_SECRET, body.as_bytes()),
        };
        let encoded = vec![("content-encoding", "gzip".to_owned())];
        let large = " ".repeat(600_000);
        for (headers, body, expected) in
            [(&signed, &body, 202), (&vec![], &body, 401), (&vec![], &large, 413), (&encoded, &body, 415)]
        {
            let answer = deployment_webhooks::post(url.clone(), headers, body).await;
            assert_eq!(answer.status, expected);
            asker.holds("POST", &route, &answer);
        }
    }
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart("").await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    for route in ["/webhooks/github", "/webhooks/gitlab"] {
        let answer = deployment_webhooks::post(format!("http://{}{route}", daemon.public), &[], "{}").await;
        asker.holds("POST", route, &answer);
        // The store commits here.
        asker.all_seen_but(route, &["503"]);
    }
}

#[tokio::test]
async fn unknown_routes_are_answered_as_documented() {
    let daemon = Daemon::start("").await;
    let document = document(&daemon).await;
    let refusal = json!({ "$ref": "#/components/schemas/Refusal" });
    let of_public =
        Answer::of(daemon.client.get(format!("http://{}/", daemon.public)).send().await.unwrap()).await;
    let wrong_method =
        Answer::of(daemon.client.post(format!("http://{}/healthz", daemon.admin)).send().await.unwrap());
    for (answer, status) in
        [(of_public, 404), (daemon.get("/api/v1/nothing").await, 404), (wrong_method.await, 405)]
    {
        assert_eq!(answer.status, status);
        assert_eq!(Schemas::of_answers(&document).check(&refusal, &answer.json()), Ok(()));
    }
}
