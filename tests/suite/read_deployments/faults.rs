//! A fault of any request of an API, in the first look and in later ones.

use std::time::Duration;

use super::api::{FakeApi, at, listed};
use crate::fake_github::{FakeGitHub, Fault};
use crate::fake_gitlab::FakeGitLab;
use crate::harness::{Daemon, eventually};

const FAULTS: [Fault; 6] = [
    Fault::status(502),
    Fault { status: 403, headers: &[("retry-after", "90")], body: "{}" },
    Fault { status: 429, headers: &[("x-ratelimit-reset", "1795132860")], body: "{}" },
    Fault {
        status: 429,
        headers: &[("ratelimit-reset", "1795132860"), ("ratelimit-remaining", "0")],
        body: "{}",
    },
    Fault { status: 200, headers: &[], body: "[{\"id\":" },
    Fault::status(401),
];

/// Minute of the hour after the daemon's clock begins.
const AFTER_THE_START: u64 = 22 * 60;

/// Result of two looks.
#[derive(Debug, PartialEq)]
struct Seen {
    /// All deployments, in a form that is the same for each fake.
    deployments: String,
    /// Number of stored events.
    events: i64,
}

/// A look, two more deployments, and another look. The request with the number of the fault fails, and with it its look.
/// Returns the result, and the number of requests of the first look and of both.
async fn two_looks<F: FakeApi>(fault: Option<(usize, Fault)>) -> (Seen, usize, usize) {
    let fake = F::start().await;
    fake.add_two(1, 10);
    if let Some((number, fault)) = fault {
        // A request that may be repeated is, so all of its attempts fail.
        let attempts = if fault.status == 502 { 3 } else { 1 };
        fake.change_faults(|faults| {
            faults.numbered.extend((number..number + attempts).map(|number| (number, fault)));
        });
    }
    let daemon = Daemon::start(&fake.configuration()).await;
    eventually("the first look", async || {
        (F::last_look(&daemon).await > 0 || F::failed_looks(&daemon).await > 0.5).then_some(())
    })
    .await;
    let first = fake.requests();
    if F::last_look(&daemon).await == 0 {
        F::next_look(&daemon).await;
    }
    fake.add_two(3, AFTER_THE_START);
    fake.set_now(at(AFTER_THE_START + 60));
    let begin = F::last_look(&daemon).await;
    if fault.is_some() && F::failed_looks(&daemon).await < 0.5 {
        eventually("the look that fails", async || {
            daemon.clock.advance(Duration::from_secs(30));
            assert!(F::last_look(&daemon).await == begin, "no request has failed");
            (F::failed_looks(&daemon).await > 0.5).then_some(())
        })
        .await;
    }
    F::next_look(&daemon).await;
    let deployments = serde_json::Value::from(listed(&daemon).await).to_string();
    let deployments = deployments.replace(&fake.address().to_string(), "FAKE");
    let seen = Seen { deployments, events: daemon.probe().events() };
    let both = fake.requests();
    daemon.stop().await.unwrap();
    (seen, first, both)
}

async fn any_fault_is_made_good<F: FakeApi>(events: i64) {
    let (wanted, first, both) = two_looks::<F>(None).await;
    assert_eq!(wanted.events, events);
    assert!(first >= 6 && both >= first + 6, "{first} and {both} requests");
    // `READ_FAULTS=all` tries each of the faults at each of the requests.
    let is_thorough = std::env::var("READ_FAULTS").is_ok_and(|faults| faults == "all");
    for number in 1..=both {
        let tried = if is_thorough { FAULTS.to_vec() } else { vec![FAULTS[number % FAULTS.len()]] };
        for fault in tried {
            let (seen, ..) = two_looks::<F>(Some((number, fault))).await;
            assert_eq!(seen, wanted, "{fault:?} of request {number} of {both}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_any_request_to_github_is_made_good() {
    any_fault_is_made_good::<FakeGitHub>(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_any_request_to_gitlab_is_made_good() {
    any_fault_is_made_good::<FakeGitLab>(8).await;
}
