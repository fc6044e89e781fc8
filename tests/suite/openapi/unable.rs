//! Answers while the store cannot be written, and while it cannot be read.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Asker;
use crate::harness::{Answer, Daemon, KEY, fixture};
use crate::store_edit::{self, Lock};

/// Requests while nothing can be written: method, path in the document, id and body. `reevaluate` is left out.
fn writes() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let failure = json!({ "team": "a", "started_at": "2026-11-01T10:00:00Z" });
    let deployment = json!({ "service": "a", "started_at": "2026-11-01T10:00:00Z" });
    let of = |attributes: &Value| json!({ "data": { "attributes": attributes } });
    let dora = |path: &'static str, body: &Value| ("POST", path, "", of(body));
    vec![
        ("GET", "/readyz", "", Value::Null),
        ("POST", "/api/v1/outbox/retry", "", Value::Null),
        ("POST", "/api/v1/outbox/discard", "", Value::Null),
        ("POST", "/api/v1/outbox/{id}/retry", "1", Value::Null),
        ("POST", "/api/v1/outbox/{id}/discard", "1", Value::Null),
        dora("/api/v2/dora/failure", &failure),
        dora("/api/v2/dora/incident", &failure),
        dora("/api/v2/dora/deployment", &deployment),
        ("DELETE", "/api/v2/dora/failure/{id}", "a-failure-of-the-api", Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn store_errors_are_answered_as_documented() {
    let daemon = Daemon::start("").await;
    let mut asker = Asker::new(&daemon).await;
    let lock = Lock::take(&daemon.store);
    let mut answers = JoinSet::new();
    for (method, path, id, body) in writes() {
        let url = format!("http://{}{}", asker.host(path), path.replace("{id}", id));
        let request = daemon.client.request(method.parse().unwrap(), url).header("dd-api-key", KEY);
        let answer = request.body(body.to_string()).send();
        answers.spawn(async move { (method, path, Answer::of(answer.await.unwrap()).await) });
    }
    for (method, path, answer) in answers.join_all().await {
        assert_eq!(answer.status, 503, "{method} {path}");
        asker.holds(method, path, &answer);
    }
    let webhook = daemon.deliver(fixture("incident.triggered")).await;
    assert_eq!(webhook.status, 503);
    asker.holds("POST", "/webhooks/pagerduty", &webhook);
    drop(lock);
    // Writes are done in order: those that were answered 503 may still be done, but not after this one.
    daemon.expect(fixture("incident.resolved"), "accepted").await;
    store_edit::hide_failures(&daemon.store);
    for path in ["/api/v1/failures", "/api/v1/report", "/api/v1/outbox"] {
        assert_eq!(asker.get(path, "").await.status, 500, "{path}");
    }
    assert_eq!(asker.ask("GET", "/api/v1/failures/{id}", "QANY", "", &[]).await.status, 500);
}
