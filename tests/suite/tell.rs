//! `outbox tell`: backends are told again what ended at a time or later, and nothing counts twice.

use std::process::Output;

use serde_json::{Value, json};

use crate::backends::entry;
use crate::corrections::changed;
use crate::deployments::deploy;
use crate::harness::{Backend, Daemon, KEY, Program, Request, event_of, stdout};
use crate::store_probe::Probe;

/// After the end of one failure, before that of the others.
const SINCE: &str = "2026-11-01T10:30:00Z";

/// Entries of a backend that takes everything, and of one that counts each request.
fn both(backend: &Backend, metrics: &Backend) -> String {
    entry(backend, "datadog")
        + &format!("application_key = {{ value = \"{KEY}-2\" }}\n")
        + "deployments = true\nchange_failures = true\n"
        + &entry(metrics, "datadog-metrics")
        + "deployments = true\n"
}

/// A resolved incident with another end than that of the fixture.
fn resolved_at(incident: &str, end: &str) -> String {
    changed("incident.resolved", incident, &format!("01KB-{incident}"), |event| {
        event["occurred_at"] = end.into();
    })
}

/// A daemon without backends: two failures and a deployment ended before [`SINCE`], the cause of all, and two failures,
/// one of which does not count, and a deployment later.
async fn second_host() -> Daemon {
    let daemon =
        Daemon::start("[[rule]]\nname = \"noise\"\npriority = [\"P5\"]\naction = \"ignore\"\n").await;
    deploy(&daemon, "v1", "09:30", json!({ "id": "deployment:the-cause" })).await;
    deploy(&daemon, "v2", "10:35", json!({ "id": "deployment:the-fix" })).await;
    daemon.expect(resolved_at("QEARLY0001", "2026-11-01T10:20:00Z"), "accepted").await;
    daemon.expect(event_of("incident.resolved", "QLATE00001"), "accepted").await;
    let noise = changed("incident.resolved", "QNOISE0001", "01KB-NOISE", |event| {
        event["data"]["priority"]["summary"] = "P5".into();
    });
    daemon.expect(noise, "accepted").await;
    daemon.expect(event_of("incident.triggered", "QOPEN00001"), "accepted").await;
    daemon
}

fn tell(program: &Program, configuration: &str, arguments: &[&str]) -> Output {
    program.run(configuration, &[&["outbox", "tell", "--since", SINCE], arguments].concat())
}

/// The requests since the last call, in an order of their own, once nothing waits to be sent.
async fn received(daemon: &Daemon, backend: &mut Backend) -> Vec<Request> {
    daemon.until(|store| Probe::is_drained(store) && store.waiting_to_be_repeated() == 0).await;
    let mut requests: Vec<Request> = std::iter::from_fn(|| backend.try_next()).collect();
    requests.sort_by_key(|request| (request.line.clone(), request.bytes.clone()));
    requests
}

fn is_of(request: &Request, line: &str, id: &str) -> bool {
    request.line == line && String::from_utf8_lossy(&request.bytes).contains(id)
}

fn lines(requests: &[Request]) -> Vec<String> {
    let id = |request: &Request| match serde_json::from_slice::<Value>(&request.bytes) {
        Ok(body) => body["data"]["attributes"]["id"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    };
    requests.iter().map(|request| format!("{} {}", request.line, id(request))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_told_is_told_and_what_was_is_told_once_more() {
    let (mut backend, mut metrics) = (Backend::start().await, Backend::start().await);
    let configuration = both(&backend, &metrics);
    let daemon = second_host().await.restart(&configuration).await;
    let program = Program::of(&daemon);
    let would = stdout(&tell(&program, &configuration, &["--dry-run"]));
    insta::assert_snapshot!("dry_run", would);
    assert_eq!(daemon.get("/api/v1/outbox").await.json()["rows"], json!([]), "a dry run changes nothing");
    insta::assert_snapshot!("first", stdout(&tell(&program, &configuration, &[])));
    let first = received(&daemon, &mut backend).await;
    insta::assert_debug_snapshot!("requests", lines(&first));
    insta::assert_snapshot!("again", stdout(&tell(&program, &configuration, &["--format", "json"])));
    let again = received(&daemon, &mut backend).await;
    let shown =
        |request: &Request| (request.line.clone(), String::from_utf8_lossy(&request.bytes).into_owned());
    // The deployment of before that time was only sent because its mark needs it.
    let of_then = first.iter().filter(|request| !is_of(request, "POST /api/v2/dora/deployment", "the-cause"));
    assert_eq!(
        of_then.map(shown).collect::<Vec<_>>(),
        again.iter().map(shown).collect::<Vec<_>>(),
        "the same ids and the same bytes"
    );
    let rows = daemon.get("/api/v1/outbox").await.json()["rows"].clone();
    let repeats = rows.as_array().unwrap().iter().filter(|row| row["repeats"] == true);
    assert_eq!(repeats.count(), again.len());
    assert!(metrics.is_quiet(), "a sample cannot be taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_or_need_a_person_are_left_as_they_are() {
    let mut backend = Backend::start().await;
    let configuration = backend.entry("metrics");
    backend.will_answer(&[(400, &[]), (400, &[]), (503, &[])]);
    let daemon = Daemon::start(&configuration).await;
    for incident in ["QDEAD00001", "QDEAD00002", "QWAITS0001"] {
        daemon.expect(event_of("incident.resolved", incident), "accepted").await;
        backend.next().await;
    }
    daemon.until(|store| store.dead() == 2 && store.answered_with(503) == 1).await;
    let program = Program::of(&daemon);
    stdout(&program.run(&configuration, &["outbox", "discard", "2"]));
    insta::assert_snapshot!("left", stdout(&tell(&program, &configuration, &[])));
    assert_eq!(daemon.get("/api/v1/outbox").await.json()["rows"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_changed_directly_if_no_daemon_runs() {
    let mut backend = Backend::start().await;
    let configuration = backend.entry("metrics");
    let daemon = second_host().await;
    let program = Program::of(&daemon);
    let told = || {
        let output = tell(&program, &configuration, &["--backend", "metrics"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("no daemon answers"), "{output:?}");
        assert!(stdout(&output).ends_with("1 request put into the outbox.\n"), "{output:?}");
    };
    let daemon = daemon.restart_after(&configuration, told).await;
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QLATE00001");
    daemon.until(|store| store.sent() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_the_daemon_or_the_configuration_lacks_is_an_error() {
    let backend = Backend::start().await;
    let daemon = second_host().await;
    let program = Program::of(&daemon);
    let refused = |configuration: &str, arguments: &[&str]| {
        let output = tell(&program, configuration, arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let entry = backend.entry("metrics");
    for (configuration, arguments, status, text) in [
        ("", &[][..], 2, "no [[backend]] is configured"),
        (&entry, &["--backend", "nope"], 2, "\"nope\"; known: metrics"),
        (&entry, &[], 1, "does not have the backend \"metrics\" yet: reload or restart it"),
        (&entry, &["--backend", "metrics"], 1, "with the name \"metrics\"; it has: none"),
    ] {
        let (code, stderr) = refused(configuration, arguments);
        assert_eq!((code, stderr.contains(text)), (Some(status), true), "{stderr}");
    }
    let without_time = program.run(&entry, &["outbox", "tell"]);
    assert_eq!(without_time.status.code(), Some(2), "{without_time:?}");
}

/// More subjects than one step has, some with the same end.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_continues_where_the_one_before_ended() {
    const MANY: usize = 450;
    let backend = Backend::start().await;
    let configuration = backend.entry("metrics");
    let daemon = Daemon::start("").await;
    for n in 0..MANY {
        let incident = format!("QMANY{n:05}");
        let end = format!("2026-11-01T11:00:0{}Z", n % 3);
        assert_eq!(daemon.deliver(resolved_at(&incident, &end)).await.status, 202);
    }
    daemon.until_folded().await;
    let daemon = daemon.restart(&configuration).await;
    let program = Program::of(&daemon);
    let told = tell(&program, &configuration, &["--format", "json"]);
    let told: Value = serde_json::from_str(&stdout(&told)).unwrap();
    assert_eq!(told["backends"][0]["failures"]["new"], MANY, "{told}");
    let revisions = daemon.probe().revisions();
    assert!(revisions.len() == MANY && revisions.values().all(|rows| rows.len() == 1), "each has one row");
}
