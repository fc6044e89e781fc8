//! Repeats of a group whose transaction may not be committed.

use std::time::{Duration, Instant};

/// Wait before a group is repeated for the first time. It doubles with each repeat.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest wait before a group is repeated.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Longest time for which a group is repeated. Somebody who sends a webhook waits less long.
const LONGEST_REPEAT: Duration = Duration::from_secs(5);

/// Repeats of a group.
pub(super) struct Repeats {
    since: Instant,
    pause: Duration,
}

impl Repeats {
    /// The repeats that begin now.
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), pause: FIRST_PAUSE }
    }

    /// `true` if the group is not repeated any more.
    pub(super) fn are_over(&self) -> bool {
        self.since.elapsed() > LONGEST_REPEAT
    }

    /// The wait before the next repeat.
    pub(super) fn next_pause(&mut self) -> Duration {
        let longer = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        std::mem::replace(&mut self.pause, longer)
    }
}
