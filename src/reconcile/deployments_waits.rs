//! Waits between two readings of deployments.

use std::time::Duration;

use super::deployments_reading::DeploymentsError;
use crate::sources::deployment_api::{ApiError, ApiProblem};

/// Wait after the first of several readings that failed. It doubles after each other one.
const FIRST_RETRY: Duration = Duration::from_mins(1);
/// Shortest wait before a reading that somebody asks for. It doubles with each, because anybody can post a wrong signature.
const SHORTEST_ASKED: Duration = Duration::from_mins(2);
/// Longest wait before a reading that somebody asks for, and the time without requests after which it is the shortest again.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// Waits between two readings.
#[derive(Debug)]
pub(super) struct DeploymentsWaits {
    /// Wait after a reading that succeeded, and the longest one.
    every: Duration,
    /// Wait after the next reading that fails.
    retry: Duration,
    /// Wait before the next reading that somebody asks for.
    asked: Duration,
}

impl DeploymentsWaits {
    /// Waits before the first reading.
    pub(super) const fn new(every: Duration) -> Self {
        Self { every, retry: FIRST_RETRY, asked: SHORTEST_ASKED }
    }

    /// Wait after a reading, which may have failed. An API that limits the rate says how long it is at least.
    pub(super) fn after(&mut self, error: Option<&DeploymentsError>) -> Duration {
        let Some(error) = error else {
            self.retry = FIRST_RETRY;
            return self.every;
        };
        let wait = self.retry.min(self.every);
        self.retry = (wait * 2).min(self.every);
        match error {
            DeploymentsError::Api(ApiError { problem: ApiProblem::RateLimited(asked), .. }) => {
                wait.max(*asked)
            }
            _ => wait,
        }
    }

    /// Time of a wait in which nobody can ask for a reading.
    pub(super) fn before_asked(&self, wait: Duration) -> Duration {
        wait.min(self.asked)
    }

    /// Notes that somebody has asked for a reading, this long after it became possible.
    pub(super) fn note_asked(&mut self, after: Duration) {
        let was_quiet = after >= LONGEST_ASKED;
        self.asked = if was_quiet { SHORTEST_ASKED } else { (self.asked * 2).min(LONGEST_ASKED) };
    }

    /// Notes that a wait has passed in which nobody has asked for a reading.
    pub(super) fn note_unasked(&mut self, wait: Duration) {
        // In a shorter one nobody could.
        if wait > self.asked {
            self.asked = SHORTEST_ASKED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);

    fn failure() -> DeploymentsError {
        DeploymentsError::NoneReadable(1, "scripted".to_owned())
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits() {
        let mut waits = DeploymentsWaits::new(DAY);
        let error = failure();
        let in_a_day: Vec<Duration> = (0..11).map(|_| waits.after(Some(&error))).collect();
        assert_eq!(in_a_day[..4], [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]);
        assert_eq!(waits.after(Some(&error)), DAY, "not longer than the usual wait");
        assert_eq!((waits.after(None), waits.after(Some(&error))), (DAY, MINUTE));
        let mut often = DeploymentsWaits::new(MINUTE);
        assert_eq!([often.after(Some(&error)), often.after(Some(&error))], [MINUTE, MINUTE]);
    }

    #[test]
    fn readings_that_are_asked_for_all_the_time_are_few() {
        let mut waits = DeploymentsWaits::new(DAY);
        let (mut passed, mut readings) = (Duration::ZERO, 0);
        while passed < DAY {
            passed += waits.before_asked(DAY);
            waits.note_asked(Duration::ZERO);
            readings += 1;
        }
        assert!(readings < 30, "{readings}");
        assert_eq!(waits.before_asked(DAY), LONGEST_ASKED);
        waits.note_asked(LONGEST_ASKED);
        assert_eq!(waits.before_asked(DAY), SHORTEST_ASKED, "an hour without requests has passed");
        waits.note_asked(MINUTE);
        waits.note_unasked(MINUTE);
        assert_eq!(waits.before_asked(DAY), 2 * SHORTEST_ASKED, "nobody could ask within a minute");
        waits.note_unasked(15 * MINUTE);
        assert_eq!(waits.before_asked(DAY), SHORTEST_ASKED);
    }
}
