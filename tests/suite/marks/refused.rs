//! An application key that is refused: how often it is tried, and what is sent meanwhile.

use std::time::Duration;

use serde_json::json;

use super::{marking, sent};
use crate::deployments::deploy;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, eventually};
use crate::store_probe::Probe;

const DEPLOYMENTS: i64 = 8;

/// Submits a deployment of each of several services.
async fn deploy_all(daemon: &Daemon) {
    for n in 0..DEPLOYMENTS {
        let more = json!({ "service": format!("Service {n}"), "id": format!("deployment:of-service-{n}") });
        deploy(daemon, "v1", "08:00", more).await;
    }
}

/// Submits an open failure of each of these services.
async fn fail_all(daemon: &Daemon) {
    for n in 0..DEPLOYMENTS {
        let failure = json!({ "data": { "attributes": {
            "id": format!("failure:of-service-{n}"), "services": [format!("Service {n}")],
            "started_at": "2026-11-01T08:30:00Z",
        } } });
        assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
    }
}

#[tokio::test]
async fn a_refused_application_key_is_tried_once_a_minute_with_one_mark() {
    let mut backend = Backend::start().await;
    let one_at_a_time = marking(&backend) + "concurrency = 1\n";
    let daemon = Daemon::start(&one_at_a_time).await;
    deploy_all(&daemon).await;
    sent(&daemon, &mut backend).await;
    backend.will_answer(&[(403, &[])]);
    fail_all(&daemon).await;
    assert!(backend.next().await.line.starts_with("PATCH"));
    daemon.until(|store| store.recorded_answers(403) > 0).await;
    assert!(backend.is_quiet(), "no minute has passed");
    // Requests that need only the API key are sent, and a restart does not shorten the wait.
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:before-a-restart" })).await;
    assert!(backend.next().await.line.starts_with("POST"));
    let daemon = daemon.restart(&one_at_a_time).await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:after-one" })).await;
    assert!(backend.next().await.line.starts_with("POST"));
    assert!(backend.is_quiet(), "still no minute has passed");
    let refused: (u16, &[_]) = (403, &[]);
    backend.will_answer(&[refused; 7]);
    eventually("a fourth refusal", async || {
        assert!(next_after_waiting(&daemon, &mut backend).await.line.starts_with("PATCH"));
        (daemon.probe().recorded_answers(403) >= 4).then_some(())
    })
    .await;
    assert_eq!(daemon.probe().refusals_within_a_minute(), 0);
    daemon.until_as_time_passes(Duration::from_secs(61), Probe::is_drained).await;
    assert_eq!(
        daemon.probe().marks_sent_at_once(),
        DEPLOYMENTS,
        "an answer 401 or 403 does not count as an attempt"
    );
}
