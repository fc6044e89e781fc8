//! Tests of a backend that is down, asks to wait or rejects one row: the number of requests, and the state shown.

use std::time::Duration;

use axum::http::StatusCode;
use pagerduty_dora::clock::Clock;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::engine::ports_and_store;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, Program, client, event_of, eventually, stdout};
use crate::process::Process;
use crate::store_probe::Probe;

const ANSWER_500: (u16, &[(&str, &str)]) = (500, &[]);

async fn deliver(daemon: &Daemon, count: usize) {
    for n in 0..count {
        daemon.expect(event_of("incident.resolved", &format!("QDOWN{n:05}")), "accepted").await;
    }
}

/// The only backend, as the API shows it.
async fn backend_status(daemon: &Daemon) -> Value {
    daemon.get("/api/v1/outbox").await.json()["backends"][0].clone()
}

async fn state(daemon: &Daemon) -> String {
    let metrics = daemon.get("/metrics").await.body;
    let states = metrics.lines().filter(|line| line.starts_with("pagerduty_dora_backend_state{"));
    let present: Vec<&str> = states.filter(|line| line.ends_with(" 1")).collect();
    assert_eq!(present.len(), 1, "{metrics}");
    present[0].split("state=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_asks_to_wait_an_hour_gets_no_request_until_then() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(429, &[("retry-after", "3600")])]);
    let entry = format!("{}concurrency = 1\n", backend.entry("metrics"));
    let daemon = Daemon::start(&entry).await;
    deliver(&daemon, 1).await;
    backend.next().await;
    daemon.until(|store| store.is_lane("rate_limited")).await;
    for n in 1..30 {
        daemon.expect(event_of("incident.resolved", &format!("QDOWN{n:05}")), "accepted").await;
    }
    assert_eq!(state(&daemon).await, "rate_limited");
    let answered_at = daemon.clock.now();
    let next = answered_at.saturating_add(Duration::from_hours(1)).to_string();
    let rows = daemon.get("/api/v1/outbox").await.json()["rows"].clone();
    assert!(rows.as_array().unwrap().iter().all(|row| row["next_attempt_at"] == next), "{rows}");
    // A restart does not shorten the wait.
    let daemon = daemon.restart(&entry).await;
    for _ in 0..59 {
        daemon.clock.advance(Duration::from_mins(1));
        daemon.get("/readyz").await;
    }
    assert!(backend.is_quiet());
    assert_eq!(daemon.probe().attempts(), 1, "no attempt of the waiting rows was recorded");
    next_after_waiting(&daemon, &mut backend).await;
    for _ in 0..29 {
        backend.next().await;
    }
    daemon.until(Probe::is_all_sent).await;
    assert_eq!(
        (state(&daemon).await.as_str(), backend_status(&daemon).await["last_status"].clone()),
        ("idle", json!(200))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outbox_retry_sends_waiting_rows_at_once() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(429, &[("retry-after", "3600")])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    deliver(&daemon, 1).await;
    backend.next().await;
    daemon.until(|store| store.is_lane("rate_limited")).await;
    for n in 1..=3 {
        daemon.expect(event_of("incident.resolved", &format!("QDOWN{n:05}")), "accepted").await;
    }
    assert!(backend.is_quiet());
    let printed =
        stdout(&Program::of(&daemon).run("", &["outbox", "retry", "--all", "--backend", "metrics"]));
    assert_eq!(printed, "0 dead rows tried again now; 4 waiting rows are tried now\n");
    for _ in 0..3 {
        backend.next().await;
    }
    daemon.until(Probe::is_all_sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_answers_500_is_shown_as_unreachable_until_it_recovers() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[ANSWER_500; 8]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    assert_eq!(state(&daemon).await, "idle");
    deliver(&daemon, 5).await;
    daemon.until(|store| store.is_lane("unreachable")).await;
    assert_eq!(state(&daemon).await, "unreachable");
    let found = backend_status(&daemon).await;
    assert_eq!((&found["waiting"], &found["last_success_at"]), (&json!(5), &Value::Null));
    assert!(found["last_error"].as_str().unwrap().starts_with("HTTP 500"), "{found}");
    let page = daemon.get("/").await.body;
    assert!(page.contains("<bdi>metrics</bdi></a> unreachable"), "{page}");
    assert!(page.contains("5 rows to be sent, next attempt at 2026-11-20 "), "{page}");
    let listed = stdout(&Program::of(&daemon).run("", &["outbox"]));
    assert!(listed.starts_with("metrics: unreachable since 2026-11-20"), "{listed}");
    daemon.until_as_time_passes(Duration::from_mins(1), |store| store.sent() >= 5).await;
    assert_eq!(state(&daemon).await, "idle");
    assert!(
        daemon
            .get("/metrics")
            .await
            .body
            .contains("pagerduty_dora_backend_last_success_timestamp_seconds{backend=\"metrics\"} 179")
    );
    drop(backend.next().await);
}

#[tokio::test]
async fn a_refused_credential_is_shown_with_its_row() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(403, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    deliver(&daemon, 1).await;
    backend.next().await;
    daemon.until(|store| store.is_lane("refusing")).await;
    let row = daemon.get("/api/v1/outbox").await.json()["rows"][0].clone();
    let shown = (&row["attempts"], &row["refusals"], &row["last_status"]);
    assert_eq!(shown, (&json!(0), &json!(1), &json!(403)));
    let next = daemon.clock.now().saturating_add(Duration::from_mins(1)).to_string();
    assert_eq!(row["next_attempt_at"], next);
    assert_eq!(state(&daemon).await, "refusing");
}

#[tokio::test]
async fn a_row_that_is_always_answered_500_is_shown_as_suspect() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&format!("{}concurrency = 1\n", backend.entry("metrics"))).await;
    backend.will_answer(&[ANSWER_500]);
    daemon.expect(event_of("incident.resolved", "QSUSPECT01"), "accepted").await;
    backend.next().await;
    daemon.until(|store| store.answered_with(500) == 1).await;
    deliver(&daemon, 1).await;
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QDOWN00000");
    daemon.until(|store| store.sent() == 1).await;
    for attempts in 2..=3 {
        assert_eq!(daemon.probe().suspects(), 0);
        backend.will_answer(&[ANSWER_500]);
        next_after_waiting(&daemon, &mut backend).await;
        daemon.until(|store| store.recorded_attempts_numbered(attempts) == 1).await;
    }
    let rows = daemon.get("/api/v1/outbox").await.json()["rows"].clone();
    assert_eq!((&rows[0]["suspect"], &rows[1]["suspect"]), (&json!(true), &json!(false)));
    let metrics = daemon.get("/metrics").await.body;
    assert!(metrics.contains("pagerduty_dora_outbox_suspect{backend=\"metrics\"} 1"), "{metrics}");
    assert!(daemon.get("/").await.body.contains("Suspect rows of metrics"));
    next_after_waiting(&daemon, &mut backend).await;
    daemon.until(|store| store.sent() == 2).await;
    assert_eq!(daemon.probe().suspects(), 0, "it was accepted in the end");
}

#[tokio::test]
async fn a_row_answered_404_is_retried_for_an_hour_and_then_dead() {
    for status in [404, 405] {
        let mut backend = Backend::start().await;
        let gone: (u16, &[_]) = (status, &[]);
        backend.will_answer(&vec![gone; 1_000]);
        let daemon = Daemon::start(&backend.entry("metrics")).await;
        deliver(&daemon, 1).await;
        let first_at = daemon.clock.now();
        backend.next().await;
        let mut requests = 1;
        daemon.until(|store| store.recorded_attempts_numbered(requests) == 1).await;
        while daemon.probe().dead() == 0 {
            next_after_waiting(&daemon, &mut backend).await;
            requests += 1;
            daemon.until(|store| store.recorded_attempts_numbered(requests) == 1).await;
        }
        let lasted = daemon.clock.now().duration_since(first_at);
        assert!(lasted >= Duration::from_hours(1) && lasted < Duration::from_hours(2), "{lasted:?}");
        // `outbox retry` gives it another hour.
        let retry = format!("http://{}/api/v1/outbox/1/retry", daemon.admin);
        let attempts = daemon.probe().most_attempts();
        assert_eq!(daemon.client.post(retry).send().await.unwrap().status(), 200);
        daemon.until(|store| store.recorded_attempts_numbered(attempts + 1) == 1).await;
        assert_eq!(daemon.probe().pending(), 1);
    }
}

#[tokio::test]
async fn two_answers_404_make_no_row_dead_and_another_answer_resets_their_count() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(404, &[]), (404, &[]), (500, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    deliver(&daemon, 1).await;
    for (attempts, missing) in [(1, 1), (2, 2), (3, 0)] {
        backend.next().await;
        daemon.until(|store| store.recorded_attempts_numbered(attempts) == 1).await;
        assert_eq!(daemon.probe().pending(), 1);
        assert_eq!(daemon.probe().answers_missing(), missing);
        daemon.clock.advance(Duration::from_hours(2));
    }
    backend.next().await;
    daemon.until(|store| store.sent() == 1).await;
}

#[tokio::test]
async fn a_row_at_fault_is_suspect_and_holds_up_no_other() {
    for status in [403, 500] {
        let mut backend = Backend::start().await;
        let daemon = Daemon::start(&format!("{}concurrency = 1\n", backend.entry("metrics"))).await;
        daemon.expect(event_of("incident.resolved", "QGOOD00001"), "accepted").await;
        backend.next().await;
        daemon.until(|store| store.sent() == 1).await;
        // The last answer is for the second attempt, which may follow as soon as the other row is accepted.
        backend.will_answer(&[(status, &[]), (200, &[]), (status, &[])]);
        daemon.expect(event_of("incident.resolved", "QSUSPECT01"), "accepted").await;
        backend.next().await;
        daemon.until(|store| store.answered_with(status) == 1).await;
        // Another row is sent at once, and shows that the backend accepts other rows.
        deliver(&daemon, 1).await;
        assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QDOWN00000");
        daemon.until(|store| store.is_lane("delivering")).await;
        eventually("a suspect row", async || {
            backend.will_answer(&[(status, &[])]);
            next_after_waiting(&daemon, &mut backend).await;
            daemon.until(|store| store.pending_until_later() == 1).await;
            assert!(daemon.probe().is_lane("delivering"));
            (daemon.probe().suspects() > 0).then_some(())
        })
        .await;
        assert!(daemon.probe().most_attempts() >= 3);
        assert!(daemon.probe().is_lane_free(), "other rows are sent at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_fails_while_others_are_accepted_is_one_line_in_the_log() {
    let answer = async |body: String| {
        if body.contains("QATFAULT01") { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let backend = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, backend).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "{}[[backend]]\nname = \"metrics\"\n\
         kind = \"http\"\nurl = \"http://{address}/\"\n",
        ports_and_store(folder.path())
    );
    std::fs::write(&config, text).unwrap();
    let (process, listening) = Process::start(&config);
    assert_eq!(listening.deliver(&event_of("incident.resolved", "QATFAULT01")).await, 202);
    let outbox = format!("http://{}/api/v1/outbox", listening.admin);
    let client = client();
    let mut delivered = 0;
    eventually("a suspect row that was tried again", async || {
        let text = client.get(&outbox).send().await.unwrap().text().await.unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        let row = &found["rows"][0];
        let attempts = row["attempts"].as_u64().unwrap_or_default();
        // The backend accepts another row after each attempt, and a person retries this one.
        if delivered < attempts {
            delivered = attempts;
            let other = event_of("incident.resolved", &format!("QDOWN{attempts:05}"));
            assert_eq!(listening.deliver(&other).await, 202);
            client.post(format!("{outbox}/{}/retry", row["id"])).send().await.unwrap();
        }
        (row["suspect"] == true && attempts >= 5).then_some(())
    })
    .await;
    let log = process.terminate();
    assert_eq!(log.matches("accepts other rows, but row 1 fails again and again").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_one_line_for_each_change_of_a_backend() {
    const ROWS: usize = 40;
    // Nobody listens at this address any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "{}[[backend]]\nname = \"metrics\"\n\
         kind = \"http\"\nurl = \"http://{address}/\"\n",
        ports_and_store(folder.path())
    );
    std::fs::write(&config, text).unwrap();
    let (process, listening) = Process::start(&config);
    let outbox = format!("http://{}/api/v1/outbox", listening.admin);
    let client = client();
    let found = async || -> Value {
        let text = client.get(&outbox).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    for n in 0..ROWS {
        assert_eq!(listening.deliver(&event_of("incident.resolved", &format!("QDOWN{n:05}"))).await, 202);
    }
    let reaches = async |state: &str, rows: &str| {
        eventually(format!("a backend that is {state}, with {ROWS} rows {rows}"), async || {
            let found = found().await;
            let of_rows = found["rows"].as_array().unwrap().iter().filter(|row| row["state"] == rows);
            (found["backends"][0]["state"] == state && of_rows.count() == ROWS).then_some(())
        })
        .await;
    };
    reaches("unreachable", "pending").await;
    // The log reports the outage once the next request is two seconds away.
    eventually("a request that is two seconds away", async || {
        let found = found().await["backends"][0].clone();
        let at = |key: &str| found[key].as_str().map(|at| Timestamp::parse(at).unwrap());
        let (next, last) = (at("next_attempt_at")?, at("last_answer_at")?);
        (next.duration_since(last) >= Duration::from_secs(2)).then_some(())
    })
    .await;
    let up = axum::Router::new().fallback(|| async { "ok" });
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, up).await.unwrap() });
    client.post(format!("{outbox}/retry")).send().await.unwrap();
    reaches("idle", "sent").await;
    let log = process.terminate();
    let with = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(with("backend metrics: unreachable"), 1, "{log}");
    assert_eq!(with("next attempt in 0 s"), 0, "{log}");
    assert_eq!(with("backend metrics: reachable again after"), 1, "{log}");
    assert_eq!(with(&format!(", {ROWS} sent")), 1, "{log}");
    assert!(log.lines().count() < 12, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_backend_that_was_removed_are_a_warning_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let write = |name: &str| {
        let text = format!(
            "{}[[backend]]\nname = \"{name}\"\n\
             kind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n",
            ports_and_store(folder.path())
        );
        std::fs::write(&config, text).unwrap();
    };
    write("old");
    let (process, listening) = Process::start(&config);
    assert_eq!(listening.deliver(&event_of("incident.resolved", "QWAITS0001")).await, 202);
    let log = process.terminate();
    assert_eq!(log.matches("created a new, empty store").count(), 1, "{log}");

    write("new");
    let (process, _) = Process::start(&config);
    let log = process.terminate();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("rows wait for a backend")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("\"old\"") && !log.contains("a new, empty store"), "{log}");
}
