//! `/openapi.json`, held to what a running daemon takes and answers.

mod unable;

use std::collections::BTreeSet;

use pagerduty_dora::config::Config;
use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Daemon, KEY, SECRET, event_of, fixture, story};
use crate::json_schema::{Schemas, resolved};

/// The routes of the pages for people, which are no part of the API.
const PAGES: [&str; 7] = [
    "/",
    "/failures/{id}",
    "/style.css",
    "/outbox/{id}/retry",
    "/quarantine",
    "/quarantine/{id}",
    "/quarantine/{id}/retry",
];
/// Message for a path without a route.
const NO_ROUTE: &str = "There is nothing at this path.";

async fn document(daemon: &Daemon) -> Value {
    daemon.get("/openapi.json").await.json()
}

/// Each operation: its method, its path, and what the document says of it.
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

/// The parameters of an operation that are sent in such a place.
fn parameters(document: &Value, operation: &Value, place: &str) -> Vec<Value> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let parameters = parameters.iter().map(|parameter| resolved(document, parameter).clone());
    parameters.filter(|parameter| parameter["in"] == place).collect()
}

/// Asks, and requires that the document has the answer: its status, its type, its shape.
struct Asker<'a> {
    daemon: &'a Daemon,
    document: Value,
    seen: BTreeSet<String>,
}

impl<'a> Asker<'a> {
    async fn new(daemon: &'a Daemon) -> Self {
        Self { daemon, document: document(daemon).await, seen: BTreeSet::new() }
    }

    /// `path` as the document has it, with `{id}` and the query to be put in.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        id: &str,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let url = format!("http://{}{}{query}", self.host(path), path.replace("{id}", id));
        let mut request = self.daemon.client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        self.holds(method, path, &answer);
        answer
    }

    async fn get(&mut self, path: &str, query: &str) -> Answer {
        self.ask("GET", path, "", query, &[]).await
    }

    /// Sends a body to the event API, and requires that the document allows it just where the daemon does.
    async fn send(&mut self, path: &str, attributes: &Value) -> Answer {
        let body = json!({ "data": { "attributes": attributes } });
        let answer = self.daemon.event_api("POST", path, &body).await;
        let path = format!("/api/v2/dora{path}");
        self.holds("POST", &path, &answer);
        let operation = &self.document["paths"][path]["post"];
        let content = &resolved(&self.document, &operation["requestBody"])["content"]["application/json"];
        let told = Schemas::of_requests(&self.document).check(&content["schema"], &body);
        assert_eq!(told.is_ok(), answer.status == 200, "{body}: {told:?} and {answer:?}");
        answer
    }

    /// Two bodies in quarantine, of which one can be read again.
    async fn quarantine(&mut self) {
        for body in ["nothing", "nothing else"] {
            self.daemon.expect(body, "quarantined").await;
        }
        let listed = self.get("/api/v1/quarantine", "?limit=1").await.json();
        assert!(listed["next"].is_i64(), "{listed}");
        let readable = rusqlite::Connection::open(&self.daemon.store).unwrap();
        let body = event_of("incident.triggered", "QREADABLE1");
        readable.execute("UPDATE quarantine SET body = ?1 WHERE id = 1", [body.as_bytes()]).unwrap();
        let retry = "/api/v1/quarantine/{id}/retry";
        let browser = [("origin", "https://evil.example")];
        assert_eq!(self.ask("POST", retry, "1", "", &browser).await.status, 403);
        for (row, status) in [("1", 200), ("1", 404), ("first", 404), ("2", 409)] {
            assert_eq!(self.ask("POST", retry, row, "", &[]).await.status, status, "{row}");
        }
    }

    /// The listener that the document names: the one it is from, unless the path says otherwise.
    fn host(&self, path: &str) -> std::net::SocketAddr {
        let is_public = self.document["paths"][path].get("servers").is_some();
        if is_public { self.daemon.public } else { self.daemon.admin }
    }

    fn holds(&mut self, method: &str, path: &str, answer: &Answer) {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let status = answer.status.to_string();
        let response = resolved(&self.document, &operation["responses"][&status]);
        assert!(response.is_object(), "{method} {path} says nothing of {answer:?}");
        for (header, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(
                answer.headers.contains_key(header),
                "{method} {path}: {header} is missing in {answer:?}"
            );
        }
        match response["content"].as_object() {
            None => assert_eq!(answer.body, "", "{method} {path}"),
            Some(content) => {
                let (media_type, content) = content.iter().next().unwrap();
                let said = answer.headers["content-type"].to_str().unwrap();
                assert_eq!(said.split(';').next(), Some(media_type.as_str()), "{method} {path}");
                let body = if media_type == "application/json" { answer.json() } else { json!(answer.body) };
                let told = Schemas::of_answers(&self.document).check(&content["schema"], &body);
                assert_eq!(told, Ok(()), "{method} {path} {status}");
            }
        }
        self.seen.insert(format!("{method} {path} {status}"));
    }

    /// Every answer that the document has of these paths was seen, but for those that end so.
    fn all_seen_but(&self, paths: &str, endings: &[&str]) {
        for (method, path, operation) in operations(&self.document) {
            for status in operation["responses"].as_object().unwrap().keys() {
                let answer = format!("{method} {path} {status}");
                let is_left_out =
                    !path.starts_with(paths) || endings.iter().any(|ending| answer.ends_with(ending));
                assert!(is_left_out || self.seen.contains(&answer), "{answer} was never seen");
            }
        }
    }
}

/// Each route of the routers, and its method, from their source.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/http/mod.rs");
    let calls = source.split(".route(").skip(1);
    let routes = calls.map(|call| {
        let (path, rest) = call.split_once(',').unwrap();
        // Those of the public listener are no literals: each is there with a slash behind it, too.
        let path = match path.trim().strip_prefix("&path(").and_then(|kind| kind.strip_suffix(')')) {
            Some(kind) => format!("/api/v2/dora/{}", kind.trim_matches('"')),
            None if path.trim() == "path" => "/webhooks/pagerduty".to_owned(),
            None => path.trim().trim_matches('"').to_owned(),
        };
        let method = rest.trim_start().split('(').next().unwrap();
        assert!(["get", "post", "delete"].contains(&method), "{method} of {path} is not read by this test");
        (method.to_uppercase(), path)
    });
    routes.filter(|(_, path)| !PAGES.contains(&path.as_str())).collect()
}

#[tokio::test]
async fn every_route_is_in_it_and_the_other_way_round() {
    let daemon = Daemon::start("").await;
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
async fn every_option_is_in_it_and_the_other_way_round() {
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

/// The names that a refused query could have had, or the words that a parameter could: those behind the colon.
fn expected(refused: &Answer) -> Vec<String> {
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    let known = detail.split_once("Known: ").or_else(|| detail.split_once("Allowed: "));
    let (_, expected) = known.unwrap_or_else(|| panic!("{detail}"));
    expected.split(", ").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_answers_as_it_says() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(400, &[]), (400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    for incident in ["QDEAD00001", "QDEAD00002"] {
        daemon.expect(event_of("incident.resolved", incident), "accepted").await;
        backend.next().await;
    }
    for webhook in story() {
        daemon.deliver(webhook).await;
    }
    // Of this one nothing is known but a note about it.
    daemon.expect(event_of("incident.annotated", "QNOTED0001"), "accepted").await;
    let deployed =
        json!({ "data": { "attributes": { "service": "Search", "started_at": "2026-11-01T09:30:00Z" } } });
    assert_eq!(daemon.event_api("POST", "/deployment", &deployed).await.status, 200);
    daemon.until("SELECT count(*) = 2 FROM outbox WHERE state = 'dead'").await;

    let mut asker = Asker::new(&daemon).await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(asker.get(path, "").await.status, 200);
    }
    let failures = asker.get("/api/v1/failures", "?limit=3").await.json();
    assert_eq!(asker.get("/api/v1/failures", "?state=open&since=60d").await.status, 200);
    assert!(failures["next"].is_string());
    for failure in daemon.failures().await {
        let id = failure["incident"].as_str().unwrap().to_owned();
        assert_eq!(asker.ask("GET", "/api/v1/failures/{id}", &id, "", &[]).await.status, 200);
    }
    let noted = asker.ask("GET", "/api/v1/failures/{id}", "QNOTED0001", "", &[]).await.json();
    assert!(noted["failure"].is_null() && noted["events"][0].is_object(), "{noted}");
    for unknown in ["QUNKNOWN01", "%ff"] {
        assert_eq!(asker.ask("GET", "/api/v1/failures/{id}", unknown, "", &[]).await.status, 404);
    }
    for by in ["service", "team", "env", "severity", "none"] {
        let report = asker.get("/api/v1/report", &format!("?since=30d&by={by}&env=all")).await.json();
        assert!(report["rows"][0].is_object(), "{report}");
        asker.get("/api/v1/report", &format!("?since=2026-10-01&by={by}&interval=week")).await;
    }
    let elsewhere = json!({ "data": { "attributes": {
        "service": "Mail delivery", "env": "prod", "started_at": "2026-11-01T09:30:00Z",
    } } });
    assert_eq!(daemon.event_api("POST", "/deployment", &elsewhere).await.status, 200);
    let elsewhere = asker.get("/api/v1/report", "").await.json();
    assert_eq!(elsewhere["deployed_elsewhere"][0]["name"], "Mail delivery");
    let of_nothing = asker.get("/api/v1/report", "?env=nowhere").await.json();
    assert_eq!(of_nothing["other_envs"], json!(["production", "prod"]));
    assert!(asker.get("/api/v1/outbox", "?limit=1").await.json()["next"].is_i64());
    let dead = asker.get("/api/v1/outbox", "?state=dead").await.json()["rows"].clone();
    let (first, second) = (dead[0]["id"].to_string(), dead[1]["id"].to_string());
    let (retry, discard) = ("/api/v1/outbox/{id}/retry", "/api/v1/outbox/{id}/discard");
    let browser = [("origin", "https://evil.example")];
    for order in [retry, discard] {
        assert_eq!(asker.ask("POST", order, &first, "", &browser).await.status, 403);
    }
    assert_eq!(asker.ask("POST", discard, &first, "", &[]).await.status, 200);
    assert_eq!(asker.ask("POST", retry, &second, "", &[]).await.status, 200);
    for order in [retry, discard] {
        for (row, status) in [(first.as_str(), 409), ("999", 404), ("first", 404)] {
            assert_eq!(asker.ask("POST", order, row, "", &[]).await.status, status, "{order} {row}");
        }
    }
    for order in ["/api/v1/outbox/retry", "/api/v1/outbox/discard"] {
        assert_eq!(asker.ask("POST", order, "", "?backend=metrics", &[]).await.status, 200);
        assert_eq!(asker.ask("POST", order, "", "?no_such_option=1", &[]).await.status, 400);
        assert_eq!(asker.ask("POST", order, "", "", &browser).await.status, 403);
    }
    let today = "[failure.severity]\nP1 = \"SEV-1\"";
    let policy = Config::parse(today).unwrap().policy().fingerprint();
    let reevaluate = "/api/v1/reevaluate";
    assert_eq!(asker.ask("POST", reevaluate, "", "?policy=another", &[]).await.status, 409);
    assert_eq!(asker.ask("POST", reevaluate, "", "?policy=another", &browser).await.status, 403);
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart(today).await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    let batch = asker.ask("POST", reevaluate, "", &format!("?policy={policy}"), &[]).await.json();
    assert!(batch["changed"][0]["changes"][0].is_object(), "{batch}");
    asker.quarantine().await;
    for path in ["failures", "report", "outbox", "quarantine"] {
        assert_eq!(asker.get(&format!("/api/v1/{path}"), "?no_such_option=1").await.status, 400);
    }
    assert_eq!(asker.ask("POST", reevaluate, "", "", &[]).await.status, 400);
    asker.all_seen_but("/api/v1", &["500", "503"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_api_takes_and_answers_what_it_says() {
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
    ]);
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
async fn webhooks_are_answered_as_it_says() {
    let daemon = Daemon::start("").await;
    let mut asker = Asker::new(&daemon).await;
    let webhook = fixture("incident.triggered");
    let content = asker.document["paths"]["/webhooks/pagerduty"]["post"]["requestBody"]["content"].clone();
    for webhook in story().into_iter().chain([webhook.clone(), fixture("pagey.ping")]) {
        let webhook = serde_json::from_str(&webhook).unwrap();
        let told =
            Schemas::of_requests(&asker.document).check(&content["application/json"]["schema"], &webhook);
        assert_eq!(told, Ok(()));
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
        let said = answer.json();
        let said = said.get("status").or(said.get("error")).cloned();
        assert_eq!((answer.status, said), (*status, Some(json!(word))));
        asker.holds("POST", "/webhooks/pagerduty", answer);
    }
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart("[pagerduty]\nunverified = \"retry\"").await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    let wrong = format!("v1={}", "0".repeat(64));
    let answer = daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], webhook).await;
    assert_eq!((answer.status, &answer.json()["error"]), (503, &json!("unverified_retry")));
    asker.holds("POST", "/webhooks/pagerduty", &answer);
    asker.all_seen_but("/webhooks", &[]);
    assert!(!asker.document.to_string().contains(SECRET));
}

#[tokio::test]
async fn what_is_not_there_is_refused_as_it_says() {
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
