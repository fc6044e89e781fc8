//! Meaning of an attempt's answer, and the wait before the next attempt.

use std::time::Duration;

use super::timestamp::Timestamp;

/// Upper limit of the first wait. It doubles with each further wait.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Longest wait that this program chooses by itself.
pub const LONGEST_BACKOFF: Duration = Duration::from_mins(5);
/// Longest wait of all, even if a backend asks for more.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// Longest wait for the next probe of a backend that does not answer. One request a minute is no burden.
const LONGEST_PROBE_WAIT: Duration = Duration::from_mins(1);
/// Minimum time for which a row that is answered 404 or 405 is retried.
const MIN_NOT_FOUND_TIME: Duration = Duration::from_hours(1);
/// Minimum number of such answers before a row is dead. Two answers that are an hour apart are not enough evidence.
const MIN_NOT_FOUND_ANSWERS: u32 = 10;

/// Result of an attempt for its revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The backend accepted it.
    Sent,
    /// The backend may accept it later, after the wait that it asked for, if it did.
    Retry(Option<Duration>),
    /// The backend refuses our credentials, or redirects (so the address is wrong). The revision is not at fault.
    CredentialsRefused,
    /// 404 or 405: a proxy in between may have answered. It is retried for an hour or more, see [`NotFound`].
    NotFound,
    /// The backend will never accept it.
    Dead,
}

impl Verdict {
    /// Verdict for an HTTP status; `retry_after` is the wait that the answer asks for. A status that HTTP does not
    /// define says nothing about the revision, which is retried.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Sent,
            300..=399 | 401 | 403 => Self::CredentialsRefused,
            404 | 405 => Self::NotFound,
            // 407 is the answer of a proxy, not of the backend.
            407 | 408 | 425 | 429 => Self::Retry(retry_after),
            400..=499 => Self::Dead,
            _ => Self::Retry(retry_after),
        }
    }
}

/// Wait after attempt number `attempts`, with full jitter: `jitter` is a random number from 0 to 1. `requested` is the
/// wait that the backend asks for.
pub fn wait(attempts: u32, requested: Option<Duration>, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let ceiling = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    let jittered = ceiling.mul_f64(jitter.clamp(0.0, 1.0));
    jittered.max(requested.unwrap_or_default().min(LONGEST_WAIT))
}

/// Wait for the next probe of a backend after `failed` failed probes in a row; `jitter` is a random number from 0 to 1.
/// The first probe is sent at once: usually a single request failed, and the backend accepts the next one.
pub fn probe_wait(failed: u32, requested: Option<Duration>, jitter: f64) -> Duration {
    let requested = requested.unwrap_or_default().min(LONGEST_WAIT);
    let Some(doublings) = failed.checked_sub(1) else { return requested };
    let ceiling = FIRST_BACKOFF.saturating_mul(1 << doublings.min(16)).min(LONGEST_PROBE_WAIT);
    ceiling.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0).max(requested)
}

/// Count of the 404 and 405 answers at the end of a row's attempts. Any other answer resets the count. An attempt
/// without an answer does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotFound {
    /// Time of the first of them; `None` if there was none.
    pub since: Option<Timestamp>,
    /// Number of them.
    pub times: u32,
}

impl NotFound {
    /// `true` if one more such answer at `now` makes the row dead.
    pub fn makes_row_dead(self, now: Timestamp) -> bool {
        self.times + 1 >= MIN_NOT_FOUND_ANSWERS
            && self.since.is_some_and(|since| now.duration_since(since) >= MIN_NOT_FOUND_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_verdict() {
        for status in 0..=u16::MAX {
            let expected = match status {
                200..=299 => Verdict::Sent,
                401 | 403 | 300..=399 => Verdict::CredentialsRefused,
                404 | 405 => Verdict::NotFound,
                400 | 402 | 406 | 409..=424 | 426..=428 | 430..=499 => Verdict::Dead,
                _ => Verdict::Retry(None),
            };
            assert_eq!(Verdict::of_status(status, None), expected, "{status}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let longest: Vec<u64> = (1..=11).map(|n| wait(n, None, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(u32::MAX, None, 1.0), LONGEST_BACKOFF);
        assert_eq!(wait(5, None, 0.0), Duration::ZERO);
    }

    #[test]
    fn the_wait_that_a_backend_asks_for_is_kept_up_to_an_hour() {
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        assert_eq!(wait(1, Some(minute), 0.5), minute);
        assert_eq!(wait(1, Some(Duration::from_mins(59)), 0.5), Duration::from_mins(59));
        assert_eq!(wait(1, Some(Duration::MAX), 0.5), hour);
        assert_eq!(
            (probe_wait(0, Some(minute), 0.5), probe_wait(9, Some(Duration::MAX), 0.5)),
            (minute, hour)
        );
    }

    #[test]
    fn probes_begin_at_once_and_end_at_one_a_minute() {
        let longest: Vec<u64> = (0..=9).map(|n| probe_wait(n, None, 1.0).as_secs()).collect();
        assert_eq!(longest, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(probe_wait(u32::MAX, None, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn a_row_is_dead_after_ten_answers_404_in_an_hour_or_more() {
        let since = Timestamp::from_nanos(0);
        let after = |minutes, times| {
            NotFound { since: Some(since), times }
                .makes_row_dead(since.saturating_add(Duration::from_mins(minutes)))
        };
        assert_eq!([after(0, 99), after(59, 99), after(60, 9)], [false, false, true]);
        assert!(!after(60, 8), "two answers an hour apart are not enough");
        assert!(!NotFound::default().makes_row_dead(since));
    }
}
