//! The figures, from webhooks and deployments to the report and the gauges.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Daemon, event_of, time};

async fn deploy(daemon: &Daemon, service: &str, started_at: &str) {
    let attributes = json!({ "service": service, "started_at": started_at });
    let answer =
        daemon.event_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An incident from 10:00 to 10:42:10.5 after a deployment, and another deployment two days before; then a third one.
async fn told() -> Daemon {
    let daemon = Daemon::start("").await;
    daemon.clock.set(time("2026-11-05T00:00:00Z"));
    deploy(&daemon, "Checkout API", "2026-10-30T12:00:00Z").await;
    deploy(&daemon, "Checkout API", "2026-11-01T09:30:00Z").await;
    deploy(&daemon, "Checkout API", "2026-11-01T10:20:00Z").await;
    deploy(&daemon, "Search", "2026-11-02T10:20:00Z").await;
    daemon.expect(event_of("incident.resolved", "QFIGURES01"), "accepted").await;
    daemon
}

#[tokio::test]
async fn a_report_pairs_incidents_with_deployments() {
    let daemon = told().await;
    let report = daemon.get("/api/v1/report?since=30d").await.json();
    insta::assert_snapshot!(format!("{report:#}"));
    let by_team =
        daemon.get("/api/v1/report?since=2026-11-01&until=2026-11-02&by=team&interval=day").await.json();
    assert_eq!((&by_team["by"], &by_team["rows"][0]["key"]), (&json!("team"), &json!("Payments")));
    assert_eq!(by_team["rows"][0]["period"], "2026-11-01T00:00:00Z");
    let of_staging = daemon.get("/api/v1/report?env=staging").await.json();
    assert_eq!(of_staging["rows"], json!([]));
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused() {
    let daemon = Daemon::start("").await;
    for query in ["since=yesterday", "since=1d&until=2d", "by=colour", "interval=hour", "what=ever"] {
        let answer = daemon.get(&format!("/api/v1/report?{query}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad_query")), "{query}");
    }
}

#[tokio::test]
async fn gauges_are_computed_once_a_minute() {
    let daemon = told().await;
    let gauges = async || -> Vec<String> {
        let text = daemon.get("/metrics").await.body;
        let mut lines: Vec<String> =
            text.lines().filter(|line| line.starts_with("dora_")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let first = gauges().await;
    let of_checkout =
        "{service=\"Checkout API\",team=\"Payments\",env=\"production\",severity=\"P1\",window=\"7d\"}";
    assert!(first.contains(&format!("dora_incidents{of_checkout} 1.0")), "{first:#?}");
    let rate = "dora_change_fail_rate{service=\"Checkout API\",env=\"production\",window=\"7d\"} ";
    let rate = first.iter().find_map(|line| line.strip_prefix(rate)).unwrap();
    assert!((rate.parse::<f64>().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{rate}");
    deploy(&daemon, "Checkout API", "2026-11-02T12:00:00Z").await;
    assert_eq!(gauges().await, first);
    daemon.clock.advance(Duration::from_mins(1));
    assert_ne!(gauges().await, first);
    let names: Vec<Value> = daemon.failures().await;
    assert!(!first.iter().any(|line| line.contains(names[0]["incident"].as_str().unwrap())));
}
