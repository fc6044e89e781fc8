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
    let up = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(up.tv_sec).unwrap_or(0), u32::try_from(up.tv_nsec).unwrap_or(0));
    SystemClock.now().saturating_sub(Duration::new(seconds, nanos))
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
}
