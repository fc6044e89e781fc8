//! The limit of the rate.

use std::sync::Arc;
use std::time::Duration;

use super::SkippingTimer;
use crate::sources::pagerduty::rest::limiter::Limiter;

#[tokio::test]
async fn no_minute_has_more_requests_than_are_allowed() {
    for (per_minute, at_once) in
        [(1, 1), (2, 1), (19, 1), (25, 2), (60, 6), (300, 10), (960, 10), (20_000, 20)]
    {
        let timer = SkippingTimer::new();
        let limiter = Limiter::new(per_minute, Arc::clone(&timer) as _);
        let mut sent = Vec::new();
        for _ in 0..3 * per_minute {
            limiter.turn().await;
            sent.push(timer.passed());
        }
        assert_eq!(sent.iter().filter(|at| at.is_zero()).count(), at_once, "{per_minute}");
        let in_a_minute = per_minute as usize;
        let mut runs = sent.windows(in_a_minute + 1);
        assert!(runs.all(|run| run[in_a_minute] >= run[0] + Duration::from_mins(1)), "{per_minute}");
        assert!(timer.passed() < Duration::from_secs(200), "{per_minute}: {:?}", timer.passed());
        let even = Duration::from_mins(1) / (per_minute - u32::try_from(at_once).unwrap() + 1);
        let longest = even + Duration::from_nanos(1);
        assert!(sent.windows(2).all(|pair| pair[1] <= pair[0] + longest), "{per_minute}");
    }
}

#[tokio::test]
async fn a_quiet_time_does_not_allow_more_at_once() {
    let timer = SkippingTimer::new();
    let limiter = Limiter::new(300, Arc::clone(&timer) as _);
    limiter.pause(Some(Duration::from_mins(2)));
    for _ in 0..11 {
        limiter.turn().await;
    }
    assert_eq!(timer.taken(), [120, 0], "the pause, and less than a second");
}

#[tokio::test]
async fn pauses_have_a_shortest_and_a_longest_length() {
    let timer = SkippingTimer::new();
    let limiter = Limiter::new(960, Arc::clone(&timer) as _);
    for (requested, seconds) in [(0, 1), (1, 1), (60, 60), (86_400, 300)] {
        limiter.pause(Some(Duration::from_secs(requested)));
        limiter.turn().await;
        assert_eq!(timer.taken().last(), Some(&seconds));
    }
    let mut own: Vec<u64> = Vec::new();
    for _ in 0..8 {
        limiter.pause(None);
        // Answers to requests that were sent before the pause change nothing.
        limiter.pause(None);
        limiter.passed();
        limiter.turn().await;
        own.extend(timer.taken().last());
    }
    assert_eq!(own, [1, 2, 4, 8, 16, 32, 60, 60]);
    limiter.passed();
    limiter.pause(None);
    limiter.turn().await;
    assert_eq!(timer.taken().last(), Some(&1));
}

#[tokio::test]
async fn a_shorter_pause_does_not_end_a_longer_one() {
    let timer = SkippingTimer::new();
    let limiter = Limiter::new(960, Arc::clone(&timer) as _);
    limiter.pause(Some(Duration::from_secs(30)));
    limiter.pause(Some(Duration::from_secs(2)));
    limiter.turn().await;
    assert_eq!(timer.taken(), [30]);
}
