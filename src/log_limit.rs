//! Limit for log lines that a peer, a backend or a full disk could cause thousands of times a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shortest time between two lines of the same kind.
const EVERY: Duration = Duration::from_mins(1);

/// Allows one line a minute and counts the others. Each kind of line has a limit of its own.
#[derive(Debug, Default)]
pub(crate) struct LogLimit(Mutex<LineCount>);

#[derive(Debug, Default)]
struct LineCount {
    last_at: Option<Instant>,
    held_back: u64,
}

impl LineCount {
    fn is_open(&self, now: Instant) -> bool {
        self.last_at.is_none_or(|last_at| now.saturating_duration_since(last_at) >= EVERY)
    }
}

impl LogLimit {
    /// `true` if a line may be written now.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.lock().is_open(now)
    }

    /// Number of lines held back since the last written one. `None` if no line may be written now.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut lines = self.lock();
        if !lines.is_open(now) {
            lines.held_back += 1;
            return None;
        }
        lines.last_at = Some(now);
        Some(std::mem::take(&mut lines.held_back))
    }

    fn lock(&self) -> MutexGuard<'_, LineCount> {
        // A poisoned lock is no problem: the two plain values are valid at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_says_how_many_were_held_back() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let after = |seconds| {
            let now = start + Duration::from_secs(seconds);
            let (is_open, passed) = (limit.is_open(now), limit.pass(now));
            assert_eq!(is_open, passed.is_some());
            passed
        };
        assert_eq!(
            [after(0), after(1), after(59), after(60), after(61)],
            [Some(0), None, None, Some(2), None]
        );
        assert_eq!([after(500), after(600)], [Some(1), Some(0)]);
    }
}
