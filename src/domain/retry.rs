//! What an attempt's answer means, and how long to wait before the next one.

use std::time::Duration;

/// The first wait is up to this long, and each one after it up to twice the one before.
const BASE: Duration = Duration::from_secs(1);
/// No wait is longer, whatever was answered.
pub const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// What becomes of a revision after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The backend has it.
    Sent,
    /// It may take it later; not before that long, where it said so.
    Retry(Option<Duration>),
    /// It takes nothing from us: wrong credentials or wrong address. Not the revision's fault.
    Refused,
    /// It will never take this one.
    Dead,
}

impl Verdict {
    /// Judges an HTTP status; `retry_after` is what the answer asked for. One that is none of HTTP's says nothing about
    /// the revision.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Sent,
            300..=399 | 401 | 403 => Self::Refused,
            408 | 425 | 429 => Self::Retry(retry_after),
            400..=499 => Self::Dead,
            _ => Self::Retry(retry_after),
        }
    }
}

/// How long to wait after the `attempts`-th attempt: full jitter, `share` being drawn from 0 to 1.
pub fn wait(attempts: u32, asked: Option<Duration>, share: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let jittered = ceiling.mul_f64(share.clamp(0.0, 1.0));
    jittered.max(asked.unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_verdict() {
        for status in 0..=u16::MAX {
            let expected = match status {
                200..=299 => Verdict::Sent,
                401 | 403 | 300..=399 => Verdict::Refused,
                400 | 402 | 404..=407 | 409..=424 | 426..=428 | 430..=499 => Verdict::Dead,
                _ => Verdict::Retry(None),
            };
            assert_eq!(Verdict::of_status(status, None), expected, "{status}");
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let longest: Vec<u64> = (1..=11).map(|n| wait(n, None, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(wait(u32::MAX, None, 1.0), LONGEST_WAIT);
        assert_eq!(wait(5, None, 0.0), Duration::ZERO);
    }

    #[test]
    fn what_the_backend_asks_for_is_kept_and_clamped() {
        let minute = Duration::from_mins(1);
        assert_eq!(wait(1, Some(minute), 0.5), minute);
        assert_eq!(wait(1, Some(Duration::MAX), 0.5), LONGEST_WAIT);
    }
}
