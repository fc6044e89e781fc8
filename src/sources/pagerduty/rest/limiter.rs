//! Limit of the rate of requests. All clones of a client share one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::timer::Timer;

/// Greatest number of requests that may be sent at once after a quiet time, at the rates that PagerDuty usually allows.
/// At higher rates it is a thousandth of the rate, because waits of less than a millisecond take longer.
const MOST_AT_ONCE: u32 = 10;
/// Shortest pause after a 429, and the first one if the answer asks for none. The others double.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that this program chooses by itself.
const LONGEST_OWN_PAUSE: Duration = Duration::from_mins(1);
/// Longest pause, even if an answer asks for more. PagerDuty counts requests by the minute.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Spreads requests evenly, and pauses all of them after a 429.
pub(super) struct Limiter {
    timer: Arc<dyn Timer>,
    /// Time between two requests.
    interval: Duration,
    /// Time by which a request may come earlier than the even rate allows.
    tolerance: Duration,
    /// Requests wait here in the order of their arrival.
    line: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// Time of the next request at an even rate.
    next_at: Instant,
    /// End of the pause after a 429.
    paused_until: Instant,
    /// Number of pauses in a row for which no answer gave a length.
    own_pauses: u32,
}

impl Limiter {
    /// A limiter that lets at most `per_minute` requests pass in any minute. Zero counts as one.
    pub(super) fn new(per_minute: u32, timer: Arc<dyn Timer>) -> Self {
        let per_minute = per_minute.max(1);
        let at_once = (per_minute / 10).clamp(1, MOST_AT_ONCE.max(per_minute / 1_000));
        // In a minute the requests at once come first, and one more after each interval. The division rounds down.
        let interval = Duration::from_mins(1) / (per_minute - at_once + 1) + Duration::from_nanos(1);
        let now = timer.now();
        Self {
            timer,
            interval,
            tolerance: interval * (at_once - 1),
            line: tokio::sync::Mutex::new(()),
            state: Mutex::new(State { next_at: now, paused_until: now, own_pauses: 0 }),
        }
    }

    /// Waits until the next request may be sent.
    pub(super) async fn turn(&self) {
        let _first_in_line = self.line.lock().await;
        // A pause may begin while this request waits, so it looks again after each wait.
        while let Err(wait) = self.take_turn() {
            self.timer.sleep(wait).await;
        }
    }

    /// Counts a request that is sent now. The error is the time to wait if none may be sent.
    fn take_turn(&self) -> Result<(), Duration> {
        let now = self.timer.now();
        let mut state = self.state();
        let until_rate_allows = state.next_at.saturating_duration_since(now + self.tolerance);
        let wait = until_rate_allows.max(state.paused_until.saturating_duration_since(now));
        if !wait.is_zero() {
            return Err(wait);
        }
        state.next_at = state.next_at.max(now) + self.interval;
        Ok(())
    }

    /// Pauses all requests after a 429, which may ask for the length of the pause.
    pub(super) fn pause(&self, requested: Option<Duration>) {
        let now = self.timer.now();
        let mut state = self.state();
        let pause = match requested {
            Some(requested) => requested.clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
            // This request was sent before the pause began. Its answer says nothing new.
            None if now < state.paused_until => return,
            None => {
                let doublings = state.own_pauses.min(16);
                state.own_pauses = state.own_pauses.saturating_add(1);
                SHORTEST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_OWN_PAUSE)
            }
        };
        state.paused_until = state.paused_until.max(now + pause);
    }

    /// Notes an answer other than 429: the next pause is a short one again.
    pub(super) fn passed(&self) {
        let now = self.timer.now();
        let mut state = self.state();
        if now >= state.paused_until {
            state.own_pauses = 0;
        }
    }

    /// The state. A poisoned lock is no problem: the values are valid at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
