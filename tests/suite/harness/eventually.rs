//! Waiting for another thread or process, with a limit.

use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::{Daemon, PATIENCE};

/// Number of tries before `eventually` may give up. On a busy machine each try takes longer.
const TRIES: usize = 20_000;

/// Repeats `attempt` until it has a result. Fails once both `PATIENCE` and the number of tries are used up.
///
/// `attempt` should give the other side time to act, for example by a request.
pub(crate) async fn eventually<T>(wanted: impl fmt::Display, attempt: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within((PATIENCE, TRIES), wanted, attempt).await
}

async fn eventually_within<T>(
    (patience, most_tries): (Duration, usize),
    wanted: impl fmt::Display,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begin = Instant::now();
    let mut tries = 0;
    loop {
        if let Some(result) = attempt().await {
            return result;
        }
        tries += 1;
        let is_over = tries >= most_tries && begin.elapsed() >= patience;
        assert!(!is_over, "waited {tries} tries and {:?} in vain for {wanted}", begin.elapsed());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
#[should_panic(expected = "in vain for the impossible")]
async fn a_wait_in_vain_ends_with_a_message() {
    eventually_within((Duration::ZERO, 3), "the impossible", async || None::<()>).await;
}

#[tokio::test]
#[should_panic(expected = "eventually.rs:")]
async fn a_wait_in_vain_for_the_store_names_the_line_that_waits() {
    let daemon = Daemon::start("").await;
    let wanted = daemon.probe().as_wanted_at(Location::caller()).to_string();
    eventually_within((Duration::ZERO, 1), wanted, async || None::<()>).await;
}
