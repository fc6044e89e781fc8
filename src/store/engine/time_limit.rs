//! Limit of time for one part of a long command.

use std::time::{Duration, Instant};

/// Longest time of a part. In unit tests each part ends after its first row, so that a part begins after each row.
const LONGEST: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(250) };

/// Limit of time for one part of a long command. A part ends once the time is over, and the next one begins after the last
/// row that is done.
///
/// On PostgreSQL the other replicas wait for their turn during a part; on SQLite webhooks wait. A request for a part that
/// takes longer than some seconds fails, and is made again. Counting rows does not limit the time: one row may need a hundred
/// statements, each a round trip to a server.
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
