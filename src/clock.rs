//! The clock, passed in as a value so that tests can set it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::domain::timestamp::Timestamp;

/// A clock: tells the time, and lets a task sleep.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Ready once `wait` has passed. Setting the clock does not change the wait.
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Ready once the time left until `then` has passed, or after `longest` if that is shorter.
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

/// The time at which the machine was started.
pub fn booted_at() -> Timestamp {
    #[expect(clippy::expect_used, reason = "this clock begins at zero when the machine is started")]
    let up =
        Duration::try_from(clock_gettime(ClockId::Boottime)).expect("the machine was started in the past");
    SystemClock.now().saturating_sub(up)
}

/// A clock that is stopped and moves only when it is advanced, for tests and the demo.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Time>);

#[derive(Debug)]
struct Time {
    of_day: Timestamp,
    passed: Duration,
}

impl ManualClock {
    /// A stopped clock with this time of day.
    pub fn at(of_day: Timestamp) -> Arc<Self> {
        Arc::new(Self(watch::channel(Time { of_day, passed: Duration::ZERO }).0))
    }

    /// Sets the time of day, as a person sets a clock. No time passes, so sleeping tasks do not wake.
    pub fn set(&self, of_day: Timestamp) {
        self.0.send_modify(|time| time.of_day = of_day);
    }

    /// Lets the time `by` pass.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|time| {
            time.of_day = time.of_day.saturating_add(by);
            time.passed += by;
        });
    }

    /// Lets time pass until `then`. Does nothing if that is past.
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
        // Both values are read at once: if the clock were advanced between two reads, this could wait for ever.
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
    fn a_sleeper_wakes_at_the_given_time_or_after_the_longest_wait() {
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
        assert!(is_awake(&mut clock.sleep_until(then, Duration::from_hours(1))), "a time that is past");
    }
}
