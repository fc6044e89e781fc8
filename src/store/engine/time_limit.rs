//! Limit of time for one part of a long command.

use std::time::{Duration, Instant};

/// Longest time of a part. In unit tests each part ends after its first row, so that a part begins after each row.
const LONGEST: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(250) };

/// Limit of time for one part of a long command. A part ends once the time is over, and the next one begins after the last
/// row that is done.
///
/// Other replicas wait for their turn meanwhile, and so do webhooks. The caller waits for each part for some seconds at most,
/// and would begin anew. A number of rows is no limit for that: a row may need a hundred statements, each of which may be a
/// round trip to a server.
#[derive(Clone, Copy)]
pub(in crate::store) struct TimeLimit {
    began: Instant,
}

impl TimeLimit {
    /// The limit of a part that begins now.
    pub(in crate::store) fn of_a_part() -> Self {
        Self { began: Instant::now() }
    }

    /// `true` if the part ends after the row that is done.
    pub(in crate::store) fn is_over(self) -> bool {
        self.began.elapsed() >= LONGEST
    }
}
