//! The one law, through the whole daemon: order, duplicates and restarts change nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::harness::{Daemon, story};

/// What the story comes to, less what depends on the way it was told.
async fn outcome(daemon: &Daemon) -> Vec<Value> {
    let mut failures = daemon.failures().await;
    for failure in &mut failures {
        let failure = failure.as_object_mut().unwrap();
        failure.remove("revision");
        failure.remove("forwarded");
    }
    failures
}

#[test]
fn any_order_any_duplicates_and_any_restart_give_the_same_failures() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expected = runtime.block_on(async {
        let daemon = Daemon::start("").await;
        for webhook in story() {
            daemon.deliver(webhook).await;
        }
        outcome(&daemon).await
    });
    assert_eq!(expected.len(), 6);
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let arrival = (Just(story()).prop_shuffle(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let told = runner.run(&arrival, |(webhooks, repeated, restarted)| {
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
    told.unwrap();
}
