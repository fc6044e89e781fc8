//! The admin API: every answer in the document is seen.

use std::collections::BTreeSet;

use pagerduty_dora::config::Config;
use serde_json::{Value, json};

use super::asker::Asker;
use crate::fake_datadog::{FakeDatadog, failure};
use crate::fake_pagerduty::{FakePagerDuty, random_world};
use crate::harness::{Backend, Daemon, event_of, story};
use crate::reload::Configured;
use crate::store_edit;

/// Header of a request that a browser sends for a page of another site.
const FOREIGN: [(&str, &str); 1] = [("origin", "https://evil.example")];

async fn deploy(daemon: &Daemon, attributes: Value) {
    let body = json!({ "data": { "attributes": attributes } });
    assert_eq!(daemon.events_api("POST", "/deployment", &body).await.status, 200);
}

/// A daemon with failures of every state, a deployment, and two dead letters.
async fn daemon_with_data(backend: &mut Backend) -> Daemon {
    backend.will_answer(&[(400, &[]), (400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    for incident in ["QDEAD00001", "QDEAD00002"] {
        daemon.expect(event_of("incident.resolved", incident), "accepted").await;
        backend.next().await;
    }
    for webhook in story() {
        daemon.deliver(webhook).await;
    }
    // The only event of this incident is a note.
    daemon.expect(event_of("incident.annotated", "QNOTED0001"), "accepted").await;
    deploy(&daemon, json!({ "service": "Search", "started_at": "2026-11-01T09:30:00Z" })).await;
    daemon.until(|store| store.dead() == 2).await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_behaves_as_documented() {
    let mut backend = Backend::start().await;
    let daemon = daemon_with_data(&mut backend).await;
    let mut asker = Asker::new(&daemon).await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(asker.get(path, "").await.status, 200);
    }
    ask_for_failures(&mut asker).await;
    ask_for_deployments(&mut asker).await;
    ask_for_reports(&mut asker).await;
    retry_and_discard_rows(&mut asker).await;
    let reevaluate = "/api/v1/reevaluate";
    assert_eq!(asker.ask("POST", reevaluate, "", "?policy=another", &[]).await.status, 409);
    assert_eq!(asker.ask("POST", reevaluate, "", "?policy=another", &FOREIGN).await.status, 403);

    let today = "[failure.severity]\nP1 = \"SEV-1\"";
    let policy = Config::parse(today).unwrap().policy().fingerprint();
    let Asker { document, seen, .. } = asker;
    let daemon = daemon.restart(today).await;
    let mut asker = Asker { daemon: &daemon, document, seen };
    let batch = asker.ask("POST", reevaluate, "", &format!("?policy={policy}"), &[]).await.json();
    assert!(batch["changed"][0]["changes"][0].is_object(), "{batch}");
    assert_eq!(asker.ask("POST", reevaluate, "", "", &[]).await.status, 400);
    retry_quarantined(&mut asker).await;
    for path in ["deployments", "failures", "report", "outbox", "quarantine"] {
        assert_eq!(asker.get(&format!("/api/v1/{path}"), "?no_such_option=1").await.status, 400);
    }
    let Asker { document, mut seen, .. } = asker;
    seen.extend(fill_in_the_past().await);
    seen.extend(import().await);
    let mut asker = Asker { daemon: &daemon, document, seen };
    reload(&mut asker).await;
    asker.all_seen_but("/api/v1", &["500", "503"]);
}

async fn ask_for_failures(asker: &mut Asker<'_>) {
    let failures = asker.get("/api/v1/failures", "?limit=3").await.json();
    assert_eq!(asker.get("/api/v1/failures", "?state=open&since=60d").await.status, 200);
    assert!(failures["next"].is_string());
    for failure in asker.daemon.failures().await {
        let id = failure["incident"].as_str().unwrap().to_owned();
        assert_eq!(asker.ask("GET", "/api/v1/failures/{id}", &id, "", &[]).await.status, 200);
    }
    let noted = asker.ask("GET", "/api/v1/failures/{id}", "QNOTED0001", "", &[]).await.json();
    assert!(noted["failure"].is_null() && noted["events"][0].is_object(), "{noted}");
    for unknown in ["QUNKNOWN01", "%ff"] {
        assert_eq!(asker.ask("GET", "/api/v1/failures/{id}", unknown, "", &[]).await.status, 404);
    }
}

async fn ask_for_deployments(asker: &mut Asker<'_>) {
    deploy(asker.daemon, json!({ "service": "Search", "started_at": "2026-11-01T09:20:00Z" })).await;
    let page = asker.get("/api/v1/deployments", "?limit=1").await.json();
    assert!(page["next"].is_string(), "{page}");
    assert_eq!(asker.get("/api/v1/deployments", "?failed=true&since=60d").await.status, 200);
    let id = page["deployments"][0]["id"].as_str().unwrap().to_owned();
    for (id, status) in [(id.as_str(), 200), ("unknown-deployment", 404), ("%ff", 404)] {
        assert_eq!(asker.ask("GET", "/api/v1/deployments/{id}", id, "", &[]).await.status, status);
    }
}

async fn ask_for_reports(asker: &mut Asker<'_>) {
    for by in ["service", "team", "env", "severity", "none"] {
        let report = asker.get("/api/v1/report", &format!("?since=30d&by={by}&env=all")).await.json();
        assert!(report["rows"][0].is_object(), "{report}");
        asker.get("/api/v1/report", &format!("?since=2026-10-01&by={by}&interval=week")).await;
    }
    let elsewhere =
        json!({ "service": "Mail delivery", "env": "prod", "started_at": "2026-11-01T09:30:00Z" });
    deploy(asker.daemon, elsewhere).await;
    let elsewhere = asker.get("/api/v1/report", "").await.json();
    assert_eq!(elsewhere["deployed_elsewhere"][0]["name"], "Mail delivery");
    let of_nothing = asker.get("/api/v1/report", "?env=nowhere").await.json();
    assert_eq!(of_nothing["other_envs"], json!(["production", "prod"]));
}

/// Retries and discards the two dead letters.
async fn retry_and_discard_rows(asker: &mut Asker<'_>) {
    assert!(asker.get("/api/v1/outbox", "?limit=1").await.json()["next"].is_i64());
    let dead = asker.get("/api/v1/outbox", "?state=dead").await.json()["rows"].clone();
    let (first, second) = (dead[0]["id"].to_string(), dead[1]["id"].to_string());
    let (retry, discard) = ("/api/v1/outbox/{id}/retry", "/api/v1/outbox/{id}/discard");
    for path in [retry, discard] {
        assert_eq!(asker.ask("POST", path, &first, "", &FOREIGN).await.status, 403);
    }
    assert_eq!(asker.ask("POST", discard, &first, "", &[]).await.status, 200);
    assert_eq!(asker.ask("POST", retry, &second, "", &[]).await.status, 200);
    for path in [retry, discard] {
        for (row, status) in [(first.as_str(), 409), ("999", 404), ("first", 404)] {
            assert_eq!(asker.ask("POST", path, row, "", &[]).await.status, status, "{path} {row}");
        }
    }
    for path in ["/api/v1/outbox/retry", "/api/v1/outbox/discard"] {
        assert_eq!(asker.ask("POST", path, "", "?backend=metrics", &[]).await.status, 200);
        assert_eq!(asker.ask("POST", path, "", "?no_such_option=1", &[]).await.status, 400);
        assert_eq!(asker.ask("POST", path, "", "", &FOREIGN).await.status, 403);
    }
    let tell = "/api/v1/outbox/tell";
    let step = asker.ask("POST", tell, "", "?since=60d&dry_run=true", &[]).await.json();
    assert_eq!(step["next"]["part"], "failures", "{step}");
    let query = "?since=60d&dry_run=true&part=failures&at=2026-11-01&backend=metrics";
    let step = asker.ask("POST", tell, "", query, &[]).await.json();
    assert!(step["backends"][0]["failures"]["new"].is_u64(), "{step}");
    for (query, status) in
        [("?since=60d&part=marks", 200), ("?since=soon", 400), ("?since=60d&backend=b", 400)]
    {
        assert_eq!(asker.ask("POST", tell, "", query, &[]).await.status, status, "{query}");
    }
    assert_eq!(asker.ask("POST", tell, "", "?since=60d", &FOREIGN).await.status, 403);
}

/// Retries two quarantined bodies, one of which can be read now.
async fn retry_quarantined(asker: &mut Asker<'_>) {
    for body in ["nothing", "nothing else"] {
        asker.daemon.expect(body, "quarantined").await;
    }
    let listed = asker.get("/api/v1/quarantine", "?limit=1").await.json();
    assert!(listed["next"].is_i64(), "{listed}");
    let readable = event_of("incident.triggered", "QREADABLE1");
    store_edit::put_in_quarantine(&asker.daemon.store, 1, &readable);
    let retry = "/api/v1/quarantine/{id}/retry";
    assert_eq!(asker.ask("POST", retry, "1", "", &FOREIGN).await.status, 403);
    for (row, status) in [("1", 200), ("1", 404), ("first", 404), ("2", 409)] {
        assert_eq!(asker.ask("POST", retry, row, "", &[]).await.status, status, "{row}");
    }
}

/// Has a daemon without a file, and one with a file, read its configuration again.
async fn reload(asker: &mut Asker<'_>) {
    let path = "/api/v1/reload";
    assert_eq!(asker.ask("POST", path, "", "", &[]).await.status, 422);
    assert_eq!(asker.ask("POST", path, "", "", &FOREIGN).await.status, 403);
    let answer = Configured::start("").await.reload("[log]\nlevel = \"warn\"\n").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    asker.holds("POST", path, &answer);
}

/// Asks for steps of an import. Returns the answers that were seen.
async fn import() -> BTreeSet<String> {
    let datadog = FakeDatadog::start().await;
    datadog.held(|held| held.failures.push(failure("2775a2d3-6c28-4934", "2026-11-01T10:00:00Z", None)));
    let configuration = datadog.entry("datadog");
    let policy = Config::parse(&configuration).unwrap().policy().fingerprint();
    let daemon = Daemon::start(&configuration).await;
    let mut asker = Asker::new(&daemon).await;
    let path = "/api/v1/import";
    let query = format!("?policy={policy}&backend=datadog&since=2026-10-01");
    let step = asker.ask("POST", path, "", &query, &[]).await.json();
    assert_eq!((&step["done"], &step["failures"]["added"]), (&json!(true), &json!(1)), "{step}");
    for (wrong, status) in [("&at=2026-09-01", 400), ("&dry_run=perhaps", 400)] {
        assert_eq!(asker.ask("POST", path, "", &format!("{query}{wrong}"), &[]).await.status, status);
    }
    let other = query.replace("backend=datadog", "backend=other");
    assert_eq!(asker.ask("POST", path, "", &other, &[]).await.status, 409);
    assert_eq!(asker.ask("POST", path, "", &query, &FOREIGN).await.status, 403);
    datadog.held(|held| held.script = [403, 403].into());
    assert_eq!(asker.ask("POST", path, "", &query, &[]).await.status, 502);
    asker.seen
}

/// Asks for steps of a backfill. Returns the answers that were seen.
async fn fill_in_the_past() -> BTreeSet<String> {
    let world = random_world(7);
    let pagerduty = FakePagerDuty::start(world).await;
    let mut seen = BTreeSet::new();
    let wrong_token =
        format!("[pagerduty.api]\nurl = \"{}\"\ntoken = {{ value = \"wrong\" }}\n", pagerduty.url());
    for (configuration, status) in [(pagerduty.section(), 200), (wrong_token, 502), (String::new(), 409)] {
        let policy = Config::parse(&configuration).unwrap().policy().fingerprint();
        let daemon = Daemon::start(&configuration).await;
        let mut asker = Asker::new(&daemon).await;
        let path = "/api/v1/backfill";
        let since = format!("?policy={policy}&since=2026-11-01");
        let step = asker.ask("POST", path, "", &since, &[]).await;
        assert_eq!(step.status, status, "{step:?}");
        assert_eq!(asker.ask("POST", path, "", "?policy=another&since=30d", &[]).await.status, 409);
        assert_eq!(asker.ask("POST", path, "", &since, &FOREIGN).await.status, 403);
        for wrong in ["", "&at=2026-10-01", "&dry_run=perhaps"] {
            let query = if wrong.is_empty() { String::new() } else { format!("{since}{wrong}") };
            assert_eq!(asker.ask("POST", path, "", &query, &[]).await.status, 400, "{wrong}");
        }
        seen.extend(asker.seen);
    }
    seen
}
