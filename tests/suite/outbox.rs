//! `outbox`: dead letters are listed, retried and discarded, with a running daemon and without one.

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::harness::{Backend, Daemon, Program, event_of};
use crate::store_edit;

/// Standard output and exit status of `outbox`.
fn outbox(program: &Program, arguments: &[&str]) -> (String, Option<i32>) {
    let output = program.run("", &[&["outbox"], arguments].concat());
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// A daemon whose backend has rejected two failures.
async fn with_dead_letters() -> (Daemon, Backend) {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(400, &[]), (400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    for incident in ["QDEAD00001", "QDEAD00002"] {
        daemon.expect(event_of("incident.resolved", incident), "accepted").await;
        backend.next().await;
    }
    daemon.until(|store| store.dead() == 2).await;
    (daemon, backend)
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_retried_and_given_up() {
    let (daemon, mut backend) = with_dead_letters().await;
    let program = Program::of(&daemon);
    insta::assert_snapshot!(outbox(&program, &["--state", "dead"]).0);
    assert_eq!(outbox(&program, &["retry", "1"]), ("1: it is retried now\n".to_owned(), Some(0)));
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QDEAD00001");
    daemon.until(|store| store.sent() == 1).await;
    assert_eq!(outbox(&program, &["retry", "1"]), ("1: the backend has it already\n".to_owned(), Some(1)));
    assert_eq!(outbox(&program, &["discard", "2"]), ("2: it is given up\n".to_owned(), Some(0)));
    assert_eq!(outbox(&program, &["retry", "2"]), ("2: it was given up before\n".to_owned(), Some(1)));
    assert_eq!(outbox(&program, &["discard", "99"]), ("99: there is no such row\n".to_owned(), Some(1)));
    assert_eq!(outbox(&program, &["retry", "--all"]), ("0 dead rows tried again now\n".to_owned(), Some(0)));
    let without_id = program.run("", &["outbox", "retry"]);
    assert_eq!(without_id.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without_id.stderr).contains("--all"), "{without_id:?}");
    let listed: Value = serde_json::from_str(&outbox(&program, &["--format", "json"]).0).unwrap();
    assert_eq!(listed, daemon.get("/api/v1/outbox").await.json());
    let states: Vec<&Value> = listed["rows"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states, [&json!("sent"), &json!("discarded")]);
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_page_in_a_browser_changes_nothing() {
    let (daemon, _backend) = with_dead_letters().await;
    for path in ["outbox/1/discard", "outbox/1/retry", "reevaluate?policy=0"] {
        let url = format!("http://{}/api/v1/{path}", daemon.admin);
        let answer = daemon.client.post(url).header("origin", "https://evil.example").send().await;
        assert_eq!(answer.unwrap().status(), 403, "{path}");
    }
    assert_eq!(daemon.probe().dead(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_dead_letters_are_retried_once_a_daemon_runs_again() {
    let (daemon, mut backend) = with_dead_letters().await;
    let program = Program::of(&daemon);
    let retry = || {
        assert_eq!(outbox(&program, &["retry", "--all"]).0, "2 dead rows tried again now\n");
    };
    let daemon = daemon.restart_after(&backend.entry("metrics"), retry).await;
    let mut ids =
        [backend.next().await, backend.next().await].map(|request| request.attributes()["id"].to_string());
    ids.sort();
    assert_eq!(ids, ["\"pagerduty:QDEAD00001\"", "\"pagerduty:QDEAD00002\""]);
    daemon.until(|store| store.sent() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_revision_is_not_revived() {
    let (daemon, mut backend) = with_dead_letters().await;
    let lowered = changed("incident.priority_updated", "QDEAD00001", "01KB-LOWERED", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
        event["data"]["priority"]["summary"] = "P4".into();
    });
    daemon.expect(lowered, "accepted").await;
    backend.next().await;
    daemon.until(|store| store.sent() == 1).await;
    let answer = daemon.client.post(format!("http://{}/api/v1/outbox/1/retry", daemon.admin)).send().await;
    assert_eq!(answer.unwrap().status(), 409);
    let expected = "1 dead row tried again now; 1 dead row skipped: a newer revision has replaced it\n";
    assert_eq!(outbox(&Program::of(&daemon), &["retry", "--all"]), (expected.to_owned(), Some(0)));
    assert_eq!(backend.next().await.attributes()["id"], "pagerduty:QDEAD00002");
    assert!(backend.is_quiet());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_can_be_named_by_their_failure() {
    let (daemon, backend) = with_dead_letters().await;
    let program = Program::of(&daemon);
    let discard = |id: &str| outbox(&program, &["discard", id]);
    assert_eq!(discard("qdead").1, Some(1), "the prefix is ambiguous");
    assert_eq!(discard("qdead00002"), ("2: it is given up\n".to_owned(), Some(0)));
    assert_eq!(discard("QDE…1"), ("1: it is given up\n".to_owned(), Some(0)), "shortened as in a table");
    let nobody = program.run("", &["outbox", "discard", "QNOBODY"]);
    let stderr = String::from_utf8_lossy(&nobody.stderr);
    assert_eq!((nobody.status.code(), stderr.contains("`outbox` lists")), (Some(1), true), "{stderr}");
    daemon.expect(event_of("incident.triggered", "QOPEN00001"), "accepted").await;
    for (id, action) in [("QOPEN00001", "retry"), ("qdead00001", "retry"), ("QOPEN", "discard")] {
        let without = program.run("", &["outbox", action, id]);
        let stderr = String::from_utf8_lossy(&without.stderr);
        assert_eq!((without.status.code(), stderr.contains(" has no rows to ")), (Some(1), true), "{stderr}");
    }
    drop(backend);
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_that_may_be_a_row_or_an_id_are_refused_as_ambiguous() {
    let (daemon, _backend) = with_dead_letters().await;
    let program = Program::of(&daemon);
    store_edit::rename_failure(&daemon.store, "QDEAD00002", "4200aaaa-id-of-a-failure");
    let refused = |arguments: &[&str]| {
        let output = program.run("", &[&["outbox"], arguments].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    store_edit::renumber_row(&daemon.store, 1, 4_200);
    let stderr = refused(&["discard", "4200"]);
    assert!(stderr.contains("4200aaaa-id-of-a-failure") && stderr.contains("row:4200 (that row"), "{stderr}");
    assert_eq!(outbox(&program, &["discard", "row:4200"]), ("4200: it is given up\n".to_owned(), Some(0)));
    assert!(refused(&["discard", "row:x"]).contains("give a number"));
    store_edit::renumber_row(&daemon.store, 4_200, 7);
    assert_eq!(outbox(&program, &["discard", "4200"]), ("2: it is given up\n".to_owned(), Some(0)));
    assert_eq!(outbox(&program, &["discard", "420"]), ("420: there is no such row\n".to_owned(), Some(1)));
}

#[tokio::test]
async fn an_unknown_backend_is_an_error() {
    let (daemon, _backend) = with_dead_letters().await;
    let program = Program::of(&daemon);
    let expected = "unknown backend \"nope\"; known: metrics";
    for arguments in [&["--backend", "nope"][..], &["retry", "--all", "--backend", "nope"]] {
        let output = program.run("", &[&["outbox"], arguments].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.contains(expected)), (Some(2), true), "{stderr}");
    }
    let answer = daemon.get("/api/v1/outbox?backend=nope").await;
    assert_eq!((answer.status, answer.json()["detail"].as_str().unwrap().contains(expected)), (400, true));
    for action in ["retry", "discard"] {
        let url = format!("http://{}/api/v1/outbox/{action}?backend=nope", daemon.admin);
        assert_eq!(daemon.client.post(url).send().await.unwrap().status(), 400, "{action}");
    }
    assert_eq!(outbox(&program, &["--backend", "metrics"]).1, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_dead_letters_of_one_backend_are_discarded_at_once() {
    const DEAD: i64 = 2_500;
    let (daemon, _backend) = with_dead_letters().await;
    // Only the newest revision of a failure may be retried.
    store_edit::add_dead_rows(&daemon.store, "gone", DEAD);
    let program = Program::of(&daemon);
    let left = "1 dead row skipped: a newer revision has replaced it";
    let retried = format!("{DEAD} dead rows tried again now; {left}\n");
    assert_eq!(outbox(&program, &["retry", "--all", "--backend", "gone"]), (retried, Some(0)));
    let given_up = "1 dead row given up\n".to_owned();
    assert_eq!(outbox(&program, &["discard", "--all", "--backend", "gone"]), (given_up, Some(0)));
    assert_eq!(daemon.probe().dead_of("metrics"), 2);
    for wrong in [&["discard"][..], &["discard", "1", "--all"], &["discard", "1", "--backend", "gone"]] {
        assert_eq!(outbox(&program, wrong).1, Some(2), "{wrong:?}");
    }
    let listed = outbox(&program, &["--backend", "gone", "--state", "pending", "--format", "json"]).0;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["rows"].as_array().unwrap().len(), 100);
    assert_eq!(listed, daemon.get("/api/v1/outbox?backend=gone&state=pending").await.json());
}
