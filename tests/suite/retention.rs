//! Old webhook bodies are removed, and their space is given back to the file system.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Daemon, event_of, eventually};

/// Length of a made-up note in each webhook.
const LONG: u32 = 100_000;

#[tokio::test]
async fn the_store_shrinks_once_bodies_are_old() {
    let daemon = Daemon::start("[store]\nretention = \"3d\"\n").await;
    for index in 0..150 {
        let mut webhook: Value =
            serde_json::from_str(&event_of("incident.triggered", &format!("QLONG{index:06}"))).unwrap();
        webhook["event"]["data"]["note"] = json!("x".repeat(LONG as usize));
        daemon.expect(webhook.to_string(), "accepted").await;
    }
    let full = daemon.probe().pages();
    assert!(full * 8_192 > 150 * i64::from(LONG), "{full} pages");
    // The removal runs each hour.
    daemon.clock.advance(Duration::from_hours(4 * 24));
    let shrunk = eventually("a smaller store", async || {
        let pages = daemon.probe().pages();
        (pages < full / 2).then_some(pages)
    })
    .await;
    assert!(shrunk > 500, "some free pages stay for new events: {shrunk}");
    daemon.expect(event_of("incident.resolved", "QLONG000000"), "accepted").await;
    assert_eq!(daemon.failures().await.len(), 150);
    daemon.probe().assert_intact();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_the_growth_of_a_store() {
    let daemon = Daemon::start("").await;
    daemon.expect(event_of("incident.triggered", "QGROWS00001"), "accepted").await;
    let program = crate::harness::Program::of(&daemon);
    let configuration = "[server]\nlisten = \"127.0.0.1:0\"\n";
    let check = || {
        let mut command = program.command(configuration, &["check", "--offline"]);
        let output = command.env("PAGERDUTY_SIGNING_SECRET", crate::harness::SECRET).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // The test's clock is behind the one of `check`, so the store has some days.
    let printed = check();
    assert!(printed.contains("ok     store: grows by about 1 MiB a month ("), "{printed}");
}
