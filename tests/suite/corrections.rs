//! Corrections: the requests to a backend when a failure that it has changes.

use std::sync::Arc;
use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::engine::is_postgres;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, KEY, event_of, eventually, time};
use crate::store_probe::Probe;

/// An event of the fixtures, with this id and change.
pub(crate) fn changed(event_type: &str, incident: &str, id: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut body: Value = serde_json::from_str(&event_of(event_type, incident)).unwrap();
    body["event"]["id"] = id.into();
    change(&mut body["event"]);
    body.to_string()
}

/// A resolve by merge at 10:45, after the ordinary resolve of the fixtures at 10:42:10.5.
pub(crate) fn merged_into(incident: &str, target: &str) -> String {
    changed("incident.resolved", incident, "01KB-MERGED", |event| {
        event["occurred_at"] = "2026-11-01T10:45:00Z".into();
        event["data"]["resolve_reason"] = json!({ "type": "merge_resolve_reason", "incident": { "id": target, "type": "incident_reference" } });
    })
}

async fn forwarded(daemon: &Daemon, incident: &str, wanted: &str) -> Value {
    eventually(format!("{incident} to be {wanted}"), async || {
        let story = daemon.get(&format!("/api/v1/failures/{incident}")).await.json();
        let is_wanted = story["failure"]["forwarded"][0]["state"] == wanted;
        is_wanted.then(|| story["failure"].clone())
    })
    .await
}

#[tokio::test]
async fn rule_7_a_time_that_was_not_measured_is_not_sent() {
    let mut backend = Backend::start().await;
    let settings = "[failure]\nreopened = \"active_time\"\n";
    let daemon = Daemon::start(&format!("{settings}{}", backend.entry("metrics"))).await;
    // Created at 10:00; the resolve before the reopen is lost.
    daemon.expect(event_of("incident.reopened", "QLOST00001"), "accepted").await;
    let resolved = changed("incident.resolved", "QLOST00001", "01KB-LATER", |event| {
        event["occurred_at"] = "2026-11-01T20:30:00Z".into();
    });
    daemon.expect(resolved, "accepted").await;
    let sent = backend.next().await.attributes();
    assert_eq!((sent["id"].clone(), sent.get("finished_at")), (json!("pagerduty:QLOST00001"), None));
    let failure = &daemon.failures().await[0];
    assert_eq!((&failure["reopened"], &failure["flags"]), (&json!(1), &json!(["approximate"])));
    assert_eq!(
        (&failure["finished_at"], &failure["time_to_restore_seconds"]),
        (&json!("2026-11-01T20:30:00Z"), &Value::Null)
    );
}

#[tokio::test]
async fn rule_13_a_forwarded_failure_that_is_merged_away_is_deleted() {
    let mut backend = Backend::start().await;
    let entry = format!("{}application_key = {{ value = \"{KEY}-2\" }}\n", backend.entry("metrics"));
    let daemon = Daemon::start(&entry).await;
    daemon.expect(event_of("incident.resolved", "QSOURCE001"), "accepted").await;
    assert_eq!(backend.next().await.line, "POST /api/v2/dora/failure");
    forwarded(&daemon, "QSOURCE001", "sent").await;
    // A 404 means that the backend does not have the failure any more, which counts as deleted.
    backend.will_answer(&[(503, &[]), (404, &[])]);
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    let deleted = backend.next().await;
    assert_eq!(deleted.line, "DELETE /api/v2/dora/failure/pagerduty:QSOURCE001");
    assert_eq!(deleted.headers["dd-api-key"], KEY);
    assert_eq!(deleted.headers["dd-application-key"], format!("{KEY}-2"));
    assert!(deleted.bytes.is_empty());
    daemon.until(|store| store.answered_with(503) > 0).await;
    assert_eq!(next_after_waiting(&daemon, &mut backend).await.line, deleted.line);
    let failure = forwarded(&daemon, "QSOURCE001", "sent").await;
    assert_eq!((&failure["state"], &failure["revision"]), (&json!("merged"), &json!(2)));
    // Reopened, it counts as a failure of its own again, and is sent as open.
    let reopened = changed("incident.reopened", "QSOURCE001", "01KB-REOPENED", |event| {
        event["occurred_at"] = "2026-11-01T10:50:00Z".into();
    });
    daemon.expect(reopened, "accepted").await;
    assert_eq!(backend.next().await.attributes().get("finished_at"), None);
}

#[tokio::test]
async fn rule_13_without_an_application_key_a_merged_failure_is_left_open() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(event_of("incident.resolved", "QSOURCE001"), "accepted").await;
    let first = backend.next().await.attributes();
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    let again = backend.next().await;
    assert_eq!(again.line, "POST /api/v2/dora/failure");
    let again = again.attributes();
    assert_eq!((&again["id"], &again["services"]), (&first["id"], &first["services"]));
    assert_eq!(again.get("finished_at"), None);
    let failure = forwarded(&daemon, "QSOURCE001", "cannot_be_corrected").await;
    assert_eq!(failure["flags"], json!(["merge_target_unseen"]));
}

#[tokio::test]
async fn rule_8_an_earlier_merged_incident_moves_a_start_that_was_forwarded() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    let target = changed("incident.resolved", "QTARGET001", "01KB-TARGET", |event| {
        event["data"]["created_at"] = "2026-11-01T10:20:00Z".into();
    });
    daemon.expect(target, "accepted").await;
    let started_at = |time: &str| json!(Timestamp::parse(time).unwrap().as_nanos());
    assert_eq!(backend.next().await.attributes()["started_at"], started_at("2026-11-01T10:20:00Z"));
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    let moved = backend.next().await.attributes();
    assert_eq!(
        (&moved["id"], &moved["started_at"]),
        (&json!("pagerduty:QTARGET001"), &started_at("2026-11-01T10:00:00Z"))
    );
    assert_eq!(forwarded(&daemon, "QTARGET001", "sent").await["merged"], json!(["QSOURCE001"]));
}

#[tokio::test]
async fn rule_11_a_forwarded_failure_that_is_ignored_later_is_corrected() {
    let mut backend = Backend::start().await;
    let rule = "[[rule]]\nname = \"noise\"\npriority = [\"P5\"]\naction = \"ignore\"\n";
    let daemon = Daemon::start(&format!("{rule}{}", backend.entry("metrics"))).await;
    daemon.expect(event_of("incident.resolved", "QNOISY0001"), "accepted").await;
    backend.next().await;
    let lowered = changed("incident.priority_updated", "QNOISY0001", "01KB-LOWERED", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
        event["data"]["priority"] = json!({ "id": "PPRIO05", "summary": "P5", "type": "priority_reference" });
    });
    daemon.expect(lowered, "accepted").await;
    assert_eq!(backend.next().await.attributes().get("finished_at"), None);
    let failure = forwarded(&daemon, "QNOISY0001", "cannot_be_corrected").await;
    assert_eq!((&failure["state"], &failure["reason"]), (&json!("ignored"), &json!("noise")));
}

#[tokio::test]
async fn rule_11_min_duration_ignores_short_failures_unless_a_rule_counts_them() {
    let configuration = "[failure]\nmin_duration = \"1h\"\n\n\
        [[rule]]\nname = \"vip\"\ntitle = [\"checkout\"]\nurgency = [\"low\"]\naction = \"count\"\n";
    let daemon = Daemon::start(configuration).await;
    daemon.expect(event_of("incident.resolved", "QSHORT0001"), "accepted").await;
    let vip = changed("incident.resolved", "QSHORT0002", "01KB-VIP", |event| {
        event["data"]["urgency"] = "low".into();
        event["data"]["title"] = "checkout: down".into();
    });
    daemon.expect(vip, "accepted").await;
    let state = async |incident| {
        let story = daemon.get(&format!("/api/v1/failures/{incident}")).await.json();
        (story["failure"]["state"].clone(), story["failure"]["reason"].clone())
    };
    assert_eq!(state("QSHORT0001").await, (json!("ignored"), json!("min_duration")));
    assert_eq!(state("QSHORT0002").await, (json!("completed"), Value::Null));
}

#[tokio::test]
async fn rule_12_a_failure_is_forwarded_once_it_has_settled() {
    let mut backend = Backend::start().await;
    let settle = format!("[failure]\nsettle = \"10m\"\n{}", backend.entry("metrics"));
    let daemon = Daemon::start(&settle).await;
    daemon.clock.set(time("2026-11-01T10:43:00Z"));
    daemon.expect(event_of("incident.resolved", "QSETTLE001"), "accepted").await;
    daemon.expect(event_of("incident.resolved", "QSETTLE002"), "accepted").await;
    daemon.clock.advance(Duration::from_mins(8));
    let reopened = changed("incident.reopened", "QSETTLE002", "01KB-REOPENED", |event| {
        event["occurred_at"] = "2026-11-01T10:50:00Z".into();
    });
    daemon.expect(reopened, "accepted").await;
    assert!(backend.is_quiet());
    // Ten minutes after the end at 10:42:10.5.
    assert_eq!(next_after_waiting(&daemon, &mut backend).await.attributes()["id"], "pagerduty:QSETTLE001");
    // A failure that is reported late has settled already.
    daemon.clock.set(time("2026-11-01T12:00:00Z"));
    daemon.expect(event_of("incident.resolved", "QSETTLE003"), "accepted").await;
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QSETTLE003");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_merge_into_the_id_of_a_submitted_failure_does_not_change_it() {
    let daemon = Daemon::start("").await;
    let sent = json!({ "data": { "attributes": {
        "id": "pagerduty:QTARGET001", "services": ["checkout"],
        "started_at": 1_793_527_200_u64, "finished_at": 1_793_529_730_u64,
    } } });
    assert_eq!(daemon.events_api("POST", "/failure", &sent).await.status, 200);
    let before = daemon.failures().await;
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    let after = daemon.failures().await;
    assert!(after.contains(&before[0]), "{after:?}");
    let source = after.iter().find(|failure| failure["incident"] == "QSOURCE001").unwrap();
    assert_eq!(source["flags"], json!(["merge_target_unseen"]));
}

/// Merges many incidents into one. Each merge reads all incidents that were merged before it.
#[tokio::test(flavor = "multi_thread")]
async fn rule_8_a_storm_of_merges_is_one_failure() {
    // On PostgreSQL each row is a question to the server.
    let sources = if is_postgres() { 100 } else { 400 };
    let daemon = Arc::new(Daemon::start("").await);
    let mut storm = JoinSet::new();
    for source in 0..sources {
        let daemon = Arc::clone(&daemon);
        storm.spawn(async move {
            let incident = format!("QSOURCE{source:04}");
            let merge = merged_into(&incident, "QTARGET0001").replace("01KB-MERGED", &incident);
            assert_eq!(daemon.deliver(merge).await.status, 202);
        });
    }
    while let Some(done) = storm.join_next().await {
        done.unwrap();
    }
    daemon.expect(event_of("incident.resolved", "QTARGET0001"), "accepted").await;
    daemon.until(Probe::is_folded).await;
    let counted = daemon.get("/api/v1/failures?state=completed").await.json();
    assert_eq!(counted["failures"].as_array().unwrap().len(), 1);
    assert_eq!(counted["failures"][0]["merged"].as_array().unwrap().len(), sources);
}

#[tokio::test]
async fn rule_13_a_refused_deletion_holds_up_nothing_else() {
    let mut backend = Backend::start().await;
    let entry = format!("{}application_key = {{ value = \"{KEY}-2\" }}\n", backend.entry("metrics"));
    let mut daemon = Daemon::start(&entry).await;
    daemon.expect(event_of("incident.resolved", "QSOURCE001"), "accepted").await;
    backend.next().await;
    forwarded(&daemon, "QSOURCE001", "sent").await;
    backend.will_answer(&[(403, &[])]);
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    assert!(backend.next().await.line.starts_with("DELETE"));
    daemon.until(|store| store.answered_with(403) > 0).await;
    for incident in ["QOTHER0001", "QOTHER0002"] {
        daemon.expect(event_of("incident.resolved", incident), "accepted").await;
        assert_eq!(backend.next().await.attributes()["id"], format!("pagerduty:{incident}"));
        // The same holds after a restart.
        daemon = daemon.restart(&entry).await;
    }
    // Once the key is accepted, the deletion is sent without `outbox retry`.
    assert!(next_after_waiting(&daemon, &mut backend).await.line.starts_with("DELETE"));
    forwarded(&daemon, "QSOURCE001", "sent").await;
}

#[tokio::test]
async fn rule_13_a_dead_row_of_a_merged_failure_cannot_be_retried() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(event_of("incident.resolved", "QSOURCE001"), "accepted").await;
    backend.next().await;
    forwarded(&daemon, "QSOURCE001", "dead").await;
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    let retry = format!("http://{}/api/v1/outbox/1/retry", daemon.admin);
    let answer = daemon.client.post(retry).send().await.unwrap();
    assert_eq!(answer.status(), 409, "the failure does not count any more, and the backend never had it");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn rule_13_a_request_without_a_clear_answer_is_corrected_after_a_rejection() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(504, &[]), (400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    daemon.expect(event_of("incident.resolved", "QSOURCE001"), "accepted").await;
    backend.next().await;
    daemon.until(|store| store.answered_with(504) > 0).await;
    next_after_waiting(&daemon, &mut backend).await;
    forwarded(&daemon, "QSOURCE001", "dead").await;
    daemon.expect(merged_into("QSOURCE001", "QTARGET001"), "accepted").await;
    assert!(
        backend.next().await.attributes().get("finished_at").is_none(),
        "the backend may have accepted it despite the 504"
    );
    forwarded(&daemon, "QSOURCE001", "cannot_be_corrected").await;
}
