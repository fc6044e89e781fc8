//! The figures in the report and the gauges, computed from webhooks and deployments.

use std::collections::HashSet;
use std::time::Duration;

use pagerduty_dora::clock::Clock;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::telemetry::dora::MAX_SERIES;
use serde_json::{Value, json};

use crate::harness::{Daemon, event_of, eventually, time};
use crate::store_edit;

async fn deploy(daemon: &Daemon, service: &str, started_at: &str) {
    let attributes = json!({ "service": service, "started_at": started_at });
    let answer =
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A daemon with an incident from 10:00 to 10:42:10.5; deployments two days before, just before and during the
/// incident; and a later deployment of another service.
async fn daemon_with_data() -> Daemon {
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
    let daemon = daemon_with_data().await;
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
async fn an_invalid_query_is_refused() {
    let daemon = Daemon::start("").await;
    for query in ["since=yesterday", "since=1d&until=2d", "by=colour", "interval=hour", "what=ever"] {
        let answer = daemon.get(&format!("/api/v1/report?{query}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad_query")), "{query}");
    }
}

/// The figures of `/metrics`, once they were computed for `as_of`. Earlier scrapes have older figures or none.
async fn gauges(daemon: &Daemon, as_of: Timestamp) -> Vec<String> {
    let computed = format!("pagerduty_dora_figures_timestamp_seconds {}.0", as_of.as_nanos() / 1_000_000_000);
    let text = eventually("the figures", async || {
        let text = daemon.get("/metrics").await.body;
        assert!(
            text.contains("pagerduty_dora_build_info"),
            "the program's own metrics are always there: {text}"
        );
        text.lines().any(|line| line == computed).then_some(text)
    })
    .await;
    let mut lines: Vec<String> =
        text.lines().filter(|line| line.starts_with("dora_")).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn gauges_are_computed_once_a_minute() {
    let daemon = daemon_with_data().await;
    let begin = daemon.clock.now();
    let first = gauges(&daemon, begin).await;
    let of_checkout =
        "{service=\"Checkout API\",team=\"Payments\",env=\"production\",severity=\"P1\",window=\"7d\"}";
    assert!(first.contains(&format!("dora_incidents{of_checkout} 1.0")), "{first:#?}");
    let rate = "dora_change_fail_rate{service=\"Checkout API\",env=\"production\",window=\"7d\"} ";
    let rate = first.iter().find_map(|line| line.strip_prefix(rate)).unwrap();
    assert!((rate.parse::<f64>().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{rate}");
    deploy(&daemon, "Checkout API", "2026-11-02T12:00:00Z").await;
    assert_eq!(gauges(&daemon, begin).await, first);
    daemon.clock.advance(Duration::from_mins(1));
    assert_ne!(gauges(&daemon, daemon.clock.now()).await, first);
    let names: Vec<Value> = daemon.failures().await;
    assert!(!first.iter().any(|line| line.contains(names[0]["incident"].as_str().unwrap())));
}

#[tokio::test]
async fn services_of_the_longest_window_have_counts_in_every_window() {
    let daemon = daemon_with_data().await;
    let lines = gauges(&daemon, daemon.clock.now()).await;
    for line in [
        "dora_failed_deployments{service=\"Checkout API\",team=\"\",env=\"production\",window=\"7d\"} 1.0",
        "dora_failed_deployments{service=\"Checkout API\",team=\"\",env=\"production\",window=\"1d\"} 0.0",
        "dora_matched_incidents{service=\"Checkout API\",env=\"production\",window=\"7d\"} 1.0",
        "dora_unmatched_incidents{service=\"Checkout API\",env=\"production\",window=\"7d\"} 0.0",
        "dora_failed_deployments{service=\"Search\",team=\"\",env=\"production\",window=\"90d\"} 0.0",
        "dora_rework_rate{service=\"Search\",env=\"production\",window=\"7d\"} 0.0",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
    }
    let recovery = "dora_failed_deployment_recovery_seconds{service=\"Checkout API\",env=\"production\",\
                    window=\"7d\",stat=\"median\"} 4330.5";
    assert!(lines.iter().any(|line| line == recovery), "{lines:#?}");
    let is_rate_of_a_day = |line: &&String| line.contains("rate{") && line.contains("window=\"1d\"");
    assert_eq!(
        lines.iter().find(is_rate_of_a_day),
        None,
        "no rates where the window is no longer than the link window"
    );
}

#[tokio::test]
async fn ten_thousand_envs_neither_delay_nor_flood_a_scrape() {
    const ENVS: i64 = 10_000;
    let daemon = daemon_with_data().await;
    store_edit::add_deployments(&daemon.store, ENVS, time("2026-11-03T00:00:00Z").as_nanos());
    let lines = gauges(&daemon, daemon.clock.now()).await;
    assert!(lines.len() <= MAX_SERIES, "{}", lines.len());
    let envs: HashSet<&str> =
        lines.iter().filter_map(|line| line.split("env=\"").nth(1)?.split('"').next()).collect();
    assert!(envs.contains("other") && envs.contains("production") && envs.len() <= 52, "{}", envs.len());
    let of_week =
        lines.iter().filter(|line| line.starts_with("dora_deployments{") && line.contains("\"7d\""));
    let all: f64 = of_week.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    assert!((all - 10_004.0).abs() < 1e-6, "{all}: the other envs are summed in `other`");
}

#[tokio::test]
async fn a_report_of_an_env_without_data_names_envs_with_data() {
    let daemon = daemon_with_data().await;
    let empty = daemon.get("/api/v1/report?env=prod").await.json();
    assert_eq!((&empty["rows"], &empty["other_envs"]), (&json!([]), &json!(["production"])));
    let not_empty = daemon.get("/api/v1/report").await.json();
    assert_eq!(not_empty.get("other_envs"), None, "the env of the report has data");

    let daemon = Daemon::start("[failure]\ndefault_env = \"prod\"\n").await;
    let attributes =
        json!({ "service": "Search", "env": "production", "started_at": "2026-11-18T00:00:00Z" });
    daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    let page = daemon.get("/").await.body;
    assert!(page.contains("Envs that have data: <strong>production</strong>"), "{page}");
}

#[tokio::test]
async fn deployments_in_another_env_than_the_incidents_are_reported() {
    let daemon = Daemon::start("").await;
    daemon.expect(event_of("incident.resolved", "QELSEWHERE001"), "accepted").await;
    let service = daemon.failures().await[0]["services"][0].as_str().unwrap().to_owned();
    let deploy = async |env: &str, at: &str| {
        let attributes = json!({ "service": service, "env": env, "started_at": at });
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    };
    for at in ["2026-11-01T09:40:00Z", "2026-11-01T09:45:00Z"] {
        deploy("prod", at).await;
    }
    deploy("staging", "2026-11-01T09:50:00Z").await;
    let report = daemon.get("/api/v1/report").await.json();
    let elsewhere = json!([{ "name": service, "env": "production", "other_envs": ["prod", "staging"] }]);
    assert_eq!(report["rows"][0]["unmatched_incidents"], 1);
    assert_eq!(
        (&report["deployed_elsewhere"], &report["other_envs"]),
        (&elsewhere, &json!(["prod", "staging"]))
    );
    let sentence = format!("{service} has deployments in envs prod, staging, none in production");
    let story = daemon.get("/api/v1/failures/QELSEWHERE001").await.json();
    let why = story["why"].as_array().unwrap().iter().find(|why| why["about"] == "deployment").unwrap();
    assert!(why["because"].as_str().unwrap().ends_with(&sentence), "{why}");
    let page = daemon.get("/").await.body;
    assert!(page.contains(&sentence), "{page}");

    deploy("production", "2026-11-01T09:55:00Z").await;
    let report = daemon.get("/api/v1/report").await.json();
    assert_eq!((report.get("deployed_elsewhere"), report.get("other_envs")), (None, None));
}
