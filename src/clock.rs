//! The clock, as a value that is passed in: tests turn it by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::domain::timestamp::Timestamp;

/// Tells the time, and waits.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Ready once `wait` has passed, measured so that setting the clock does not change it.
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Ready once the time that is left until `then` has passed, or `longest` where that is shorter.
    fn sleep_until(&self, then: Timestamp, longest: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.sleep(then.duration_since(self.now()).min(longest))
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the Clock")]
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = since_epoch.map_or(0, |duration| duration.as_nanos());
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// The time of day at which the machine was started.
pub fn booted_at() -> Timestamp {
    #[expect(clippy::expect_used, reason = "this clock begins at zero when the machine is started")]
    let up =
        Duration::try_from(clock_gettime(ClockId::Boottime)).expect("the machine was started in the past");
    SystemClock.now().saturating_sub(up)
}

/// A clock that stands until it is told that time has passed: the tests' and the demo's.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Time>);

#[derive(Debug)]
struct Time {
    of_day: Timestamp,
    passed: Duration,
}

impl ManualClock {
    /// A clock that shows this time of day.
    pub fn at(of_day: Timestamp) -> Arc<Self> {
        Arc::new(Self(watch::channel(Time { of_day, passed: Duration::ZERO }).0))
    }

    /// Sets it, as a person does. No time has passed by that: who sleeps goes on sleeping.
    pub fn set(&self, of_day: Timestamp) {
        self.0.send_modify(|time| time.of_day = of_day);
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|time| {
            time.of_day = time.of_day.saturating_add(by);
            time.passed += by;
        });
    }

    /// Lets time pass until then; none where it is later already.
    pub fn advance_to(&self, then: Timestamp) {
        self.advance(then.duration_since(self.now()));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().of_day
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.0.subscribe();
        let until = self.0.borrow().passed + wait;
        Box::pin(async move { drop(time.wait_for(|time| time.passed >= until).await) })
    }

    fn sleep_until(&self, then: Timestamp, longest: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.0.subscribe();
        // One look at both: a clock that is turned between two looks would have this wait for ever.
        let until = {
            let now = self.0.borrow();
            now.passed + then.duration_since(now.of_day).min(longest)
        };
        Box::pin(async move { drop(time.wait_for(|time| time.passed >= until).await) })
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn who_sleeps_until_then_wakes_up_then_and_never_later_than_the_longest_wait() {
        let clock = ManualClock::at(Timestamp::from_nanos(0));
        let then = Timestamp::from_nanos(0).saturating_add(Duration::from_secs(90));
        let is_awake = |asleep: &mut Pin<Box<dyn Future<Output = ()> + Send>>| {
            asleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        let mut until_then = clock.sleep_until(then, Duration::from_hours(1));
        let mut a_minute = clock.sleep_until(then, Duration::from_mins(1));
        assert!(!is_awake(&mut until_then) && !is_awake(&mut a_minute));
        clock.advance(Duration::from_mins(1));
        assert!(!is_awake(&mut until_then) && is_awake(&mut a_minute));
        clock.advance_to(then);
        assert!(is_awake(&mut until_then));
        assert!(is_awake(&mut clock.sleep_until(then, Duration::from_hours(1))), "it is past already");
    }
}
