//! Old webhook bodies are removed, and their space is given back to the file system.

use std::time::Duration;

use pagerduty_dora::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::engine::{is_only_of_sqlite, is_postgres};
use crate::harness::{Daemon, Program, SECRET, event_of, eventually};

/// Length of a made-up note in each webhook.
const LONG: i64 = 100_000;

#[tokio::test]
async fn the_store_shrinks_once_bodies_are_old() {
    let daemon = Daemon::start("[store]\nretention = \"3d\"\n").await;
    for index in 0..150 {
        let mut webhook: Value =
            serde_json::from_str(&event_of("incident.triggered", &format!("QLONG{index:06}"))).unwrap();
        webhook["event"]["data"]["note"] = json!("x".repeat(usize::try_from(LONG).unwrap()));
        daemon.expect(webhook.to_string(), "accepted").await;
    }
    let full = (!is_postgres()).then(|| daemon.probe().pages());
    assert!(full.is_none_or(|full| full * 8_192 > 150 * LONG), "{full:?} pages");
    // The removal runs each hour.
    daemon.clock.advance(Duration::from_hours(4 * 24));
    let probe = daemon.probe();
    if let Some(full) = full {
        // Some free pages stay for new events.
        eventually("a smaller store", async || (probe.free_pages() == 512).then_some(())).await;
        assert!(probe.pages() < full / 2, "{full} pages became {}", probe.pages());
    } else {
        // A server of PostgreSQL gives space back by itself.
        eventually("a store without bodies", async || (probe.bodies() == 0).then_some(())).await;
    }
    daemon.expect(event_of("incident.resolved", "QLONG000000"), "accepted").await;
    assert_eq!(daemon.failures().await.len(), 150);
    daemon.probe().assert_intact();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_the_growth_of_a_store() {
    if is_only_of_sqlite("the size of a server's database is not that of the store alone") {
        return;
    }
    let daemon = Daemon::start("").await;
    // `check` has the real time, so the first event is three days old, and not later than the second.
    let three_days = Duration::from_hours(3 * 24);
    daemon.clock.set(SystemClock.now().saturating_sub(three_days));
    daemon.expect(event_of("incident.triggered", "QGROWS00001"), "accepted").await;
    daemon.clock.advance(three_days);
    daemon.expect(event_of("incident.resolved", "QGROWS00001"), "accepted").await;
    let program = Program::of(&daemon);
    let mut command = program.command("[server]\nlisten = \"127.0.0.1:0\"\n", &["check", "--offline"]);
    let output = command.env("PAGERDUTY_SIGNING_SECRET", SECRET).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("ok     store: grows by about 1 MiB a month (20 events, "), "{printed}");
}
