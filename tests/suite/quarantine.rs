//! `quarantine`: bodies are listed, shown and retried, with a running daemon and without one.

use serde_json::{Value, json};

use crate::harness::{Daemon, Program, event_of, fixture, stdout};
use crate::store_edit::{self, put_in_quarantine};

/// A daemon with this many rows in quarantine.
async fn with_rows(rows: i64) -> Daemon {
    let daemon = Daemon::start("").await;
    for n in 0..rows {
        daemon.expect(format!("<b>not</b> understood {n}"), "quarantined").await;
    }
    daemon
}

/// Standard output and exit status of `quarantine retry`.
fn retried(program: &Program, arguments: &[&str]) -> (String, Option<i32>) {
    let output = program.run("", &[&["quarantine", "retry"], arguments].concat());
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_bodies_are_listed_and_shown_whole() {
    let daemon = with_rows(2).await;
    let program = Program::of(&daemon);
    let listed: Value =
        serde_json::from_str(&stdout(&program.run("", &["quarantine", "--format=json"]))).unwrap();
    assert_eq!(listed, daemon.get("/api/v1/quarantine").await.json());
    let row = &listed["rows"][0];
    assert_eq!((&row["id"], &row["delivery_id"], &row["bytes"]), (&json!(1), &json!("w-1"), &json!(23)));
    assert!(row["reason"].as_str().unwrap().contains("the body is not JSON"), "{row}");
    let table = stdout(&program.run("", &["quarantine"]));
    assert!(table.contains("REASON") && table.contains("the body is not JSON"), "{table}");
    let shown = stdout(&program.run("", &["quarantine", "show", "2"]));
    assert!(shown.contains("<b>not</b> understood 1") && shown.contains("w-1"), "{shown}");
    let shown = stdout(&program.run("", &["quarantine", "show", "2", "--format=json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["body"], &shown["body_base64"]), (&json!("<b>not</b> understood 1"), &Value::Null));
    assert_eq!(program.run("", &["quarantine", "show", "99"]).status.code(), Some(1));
    assert_eq!(program.run("", &["quarantine", "retry"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn json_output_has_no_control_characters() {
    let daemon = Daemon::start("").await;
    let body = "\u{9b}2J\u{202e}not understood";
    daemon.expect(body, "quarantined").await;
    let program = Program::of(&daemon);
    let shown = stdout(&program.run("", &["quarantine", "show", "1", "--format=json"]));
    assert!(shown.is_ascii(), "{shown:?}");
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["body"], body);
    store_edit::put_reason_in_quarantine(&daemon.store, body);
    let listed = stdout(&program.run("", &["quarantine", "--format=json"]));
    assert!(listed.is_ascii(), "{listed:?}");
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["rows"][0]["reason"], body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_body_becomes_an_event_with_its_time_of_arrival() {
    let daemon = with_rows(5).await;
    let received_at = daemon.get("/api/v1/quarantine").await.json()["rows"][0]["received_at"].clone();
    daemon.clock.advance(std::time::Duration::from_hours(1));
    let known = fixture("incident.triggered");
    daemon.expect(known.clone(), "accepted").await;
    put_in_quarantine(&daemon.store, 1, &event_of("incident.resolved", "QAGAIN0001"));
    put_in_quarantine(&daemon.store, 2, &known);
    put_in_quarantine(&daemon.store, 3, &fixture("pagey.ping"));
    put_in_quarantine(&daemon.store, 4, &known.replace("incident.triggered", "incident.resolved"));
    let program = Program::of(&daemon);
    let (printed, status) = retried(&program, &["1", "99"]);
    assert!(
        printed.starts_with("1: it is an event now") && printed.contains("99: there is no such row"),
        "{printed}"
    );
    assert_eq!(status, Some(1));
    let story = daemon.get("/api/v1/failures/QAGAIN0001").await.json();
    assert_eq!(story["events"][0]["received_at"], received_at);
    assert_eq!(story["failure"]["state"], "completed");

    let (printed, status) = retried(&program, &["1"]);
    assert_eq!((printed.lines().count(), status), (1, Some(1)), "the row is gone: {printed}");
    let (printed, status) = retried(&program, &["--all"]);
    assert_eq!(status, Some(1));
    assert_eq!(
        printed.lines().map(|line| line.split(", and stays").next().unwrap()).collect::<Vec<_>>(),
        [
            "4: an event with the same id and other facts is stored; this one stays in quarantine",
            "5: it is still not understood",
        ]
    );
    assert_eq!(daemon.probe().duplicates_of_type("incident.triggered"), 1);
    assert_eq!(daemon.probe().events_of_type("pagey.ping"), 1);
    let left = daemon.get("/api/v1/quarantine").await.json();
    let left: Vec<_> = left["rows"].as_array().unwrap().iter().map(|row| row["id"].as_i64()).collect();
    assert_eq!(left, [Some(4), Some(5)]);
    assert!(daemon.get("/metrics").await.body.contains("\npagerduty_dora_quarantined 2\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_the_command_changes_the_store_and_ids_are_not_reused() {
    let daemon = with_rows(2).await;
    put_in_quarantine(&daemon.store, 2, &event_of("incident.resolved", "QAGAIN0002"));
    let program = Program::of(&daemon);
    let daemon = daemon
        .restart_after("", || {
            let output = program.run("", &["quarantine", "retry", "2"]);
            assert!(String::from_utf8_lossy(&output.stderr).contains("no daemon answers"), "{output:?}");
            let printed = stdout(&output);
            assert!(printed.starts_with("2: it is an event now"), "{printed}");
            assert!(printed.ends_with("1 of 1 rows have left the quarantine\n"), "{printed}");
        })
        .await;
    assert_eq!(daemon.failures().await[0]["incident"], "QAGAIN0002");
    daemon.expect("not understood either", "quarantined").await;
    assert_eq!(daemon.probe().last_quarantine_id(), 3);
}

#[tokio::test]
async fn the_dashboard_shows_and_retries_quarantined_bodies() {
    let daemon = with_rows(1).await;
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("1 signed webhook not understood")
            && page.contains("<a href=\"./quarantine\">1 in quarantine</a>"),
        "{page}"
    );
    let page = daemon.get("/quarantine").await.body;
    assert!(page.contains("href=\"./quarantine/1\"") && page.contains("the body is not JSON"), "{page}");
    let page = daemon.get("/quarantine/1").await.body;
    assert!(page.contains("&lt;b&gt;not&lt;/b&gt; understood 0") && !page.contains("<b>not"), "{page}");
    for path in ["/quarantine/2", "/quarantine/x"] {
        assert_eq!(daemon.get(path).await.status, 404);
    }
    put_in_quarantine(&daemon.store, 1, &event_of("incident.resolved", "QAGAIN0003"));
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let url = format!("http://{}/quarantine/1/retry", daemon.admin);
    let post = async |token: &str, origin: String| {
        let request = daemon.client.post(&url).header("origin", origin);
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        form.body(format!("token={token}&back=quarantine")).send().await.unwrap().status().as_u16()
    };
    let ours = format!("http://{}", daemon.admin);
    assert_eq!(post("guessed", ours.clone()).await, 403);
    assert_eq!(post(token, "http://evil.example".to_owned()).await, 403);
    assert_eq!(post(token, ours).await, 200, "after the redirect to the list");
    assert!(daemon.get("/quarantine").await.body.contains("Empty"));
    assert_eq!(daemon.failures().await[0]["incident"], "QAGAIN0003");
}
