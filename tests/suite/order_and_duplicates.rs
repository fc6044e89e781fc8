//! "The one law" of `docs/failures.md`, with the whole daemon: order, duplicates and restarts change no failure.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::harness::{Daemon, event_of, story};
use crate::store_edit;
use crate::store_probe::Probe;

/// The failures of the story, without the fields that depend on the order of arrival.
async fn outcome(daemon: &Daemon) -> Vec<Value> {
    let mut failures = daemon.failures().await;
    for failure in &mut failures {
        let failure = failure.as_object_mut().unwrap();
        failure.remove("revision");
        failure.remove("forwarded");
    }
    // Failures with the same start are listed in the order of arrival.
    failures.sort_by_key(|failure| failure["id"].to_string());
    failures
}

#[test]
fn order_duplicates_and_restarts_change_no_failure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expected = runtime.block_on(async {
        let daemon = Daemon::start("").await;
        for webhook in story() {
            daemon.deliver(webhook).await;
        }
        outcome(&daemon).await
    });
    assert_eq!(expected.len(), 13);
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let arrival = (Just(story()).prop_shuffle(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let result = runner.run(&arrival, |(webhooks, repeated, restarted)| {
        let found = runtime.block_on(async {
            let mut daemon = Daemon::start("").await;
            for (n, webhook) in webhooks.iter().enumerate() {
                assert_eq!(daemon.deliver(webhook.clone()).await.status, 202);
                if n == restarted.index(webhooks.len()) {
                    daemon = daemon.restart("").await;
                }
            }
            daemon.expect(webhooks[repeated.index(webhooks.len())].clone(), "duplicate").await;
            outcome(&daemon).await
        });
        prop_assert_eq!(&found, &expected);
        Ok(())
    });
    result.unwrap();
}

/// Delivers so many at once that events are stored first and folded later.
#[tokio::test(flavor = "multi_thread")]
async fn many_incidents_at_once_are_folded_completely() {
    const LIVES: usize = 120;
    let daemon = Arc::new(Daemon::start("").await);
    let mut rush = JoinSet::new();
    for life in 0..LIVES {
        let daemon = Arc::clone(&daemon);
        rush.spawn(async move {
            for event_type in ["incident.resolved", "incident.acknowledged", "incident.triggered"] {
                daemon.expect(event_of(event_type, &format!("QRUSH{life:03}")), "accepted").await;
            }
        });
    }
    while let Some(done) = rush.join_next().await {
        done.unwrap();
    }
    let daemon = Arc::into_inner(daemon).unwrap();
    // Under load, events are folded after their answers.
    daemon.until(Probe::is_folded).await;
    let failures = daemon.failures().await;
    assert_eq!(failures.len(), LIVES);
    assert!(failures.iter().all(|failure| failure["time_to_restore_seconds"] == 2530.5), "{failures:?}");
    assert_eq!(daemon.probe().events_of_failures(), 3 * 120);
    let daemon = daemon.restart("").await;
    assert_eq!(daemon.failures().await, failures);
}

#[tokio::test]
async fn events_that_a_crash_left_are_folded_at_the_next_start() {
    let daemon = Daemon::start("").await;
    for webhook in story() {
        daemon.deliver(webhook).await;
    }
    let expected = outcome(&daemon).await;
    let store = daemon.store.clone();
    let daemon = daemon.restart_after("", || store_edit::unfold(&store)).await;
    assert_eq!(outcome(&daemon).await, expected);
}

#[tokio::test]
async fn a_damaged_failure_is_rebuilt_from_its_events() {
    let daemon = Daemon::start("").await;
    for webhook in story() {
        daemon.deliver(webhook).await;
    }
    let expected = outcome(&daemon).await;
    store_edit::damage_failures(&daemon.store, "STILL");
    let again = story()
        .remove(17)
        .replace("incident.acknowledged", "incident.escalated")
        .replace("01KB0ST", "01KB0SX");
    daemon.expect(again, "accepted").await;
    assert_eq!(outcome(&daemon).await, expected);
}
