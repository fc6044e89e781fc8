//! The room that all request bodies take together, and who gives way when it is short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// So much of every body is not counted. PagerDuty's usual ones fit into it, so large ones cannot keep them out; what is
/// free is bounded by the number of connections and the length of the writer's queue.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// All bodies together, beyond what is free.
const BUDGET_BYTES: usize = 8 * 1024 * 1024;

/// A body of which nothing has come for this long is slow.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// A body that comes more slowly than this is slow.
const PACE_BYTES_PER_SECOND: u128 = 64 * 1024;

/// The bytes that all bodies being read and written may hold together.
///
/// A body counts while it is being read, before anybody knows whether it is signed. So where there is no room, the slow
/// body that has waited longest for its next byte gives way: a sender in earnest sends without a pause. Where no body is
/// slow, the one that needs more room is refused.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Mutex<Held>>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self::of(BUDGET_BYTES)
    }
}

#[derive(Debug)]
struct Held {
    free: usize,
    next: u64,
    /// Bodies that are still being read, in the order in which they were begun.
    incomplete: BTreeMap<u64, Incomplete>,
}

#[derive(Debug)]
struct Incomplete {
    bytes: usize,
    began: Instant,
    last_came: Instant,
    gives_way: Arc<Notify>,
}

impl Incomplete {
    fn is_slow(&self, now: Instant) -> bool {
        let wanted = now.duration_since(self.began).as_millis() * PACE_BYTES_PER_SECOND / 1_000;
        now.duration_since(self.last_came) >= LONGEST_PAUSE || ((FREE_BYTES + self.bytes) as u128) < wanted
    }
}

/// Reason why a body gets no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// It was slow, and gave way to another.
    GaveWay,
    /// The others are complete, or come fast enough.
    Full,
}

/// The room of one body, beyond what is free.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: BodyBudget,
    number: u64,
    gives_way: Arc<Notify>,
    /// Once the body is complete: its bytes. Until then the budget knows them.
    complete: Option<usize>,
}

impl BodyBudget {
    fn of(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Held { free: bytes, next: 0, incomplete: BTreeMap::new() })))
    }

    /// Begins a body, without any room yet.
    pub(super) fn begin(&self) -> Reservation {
        self.begin_at(Instant::now())
    }

    fn begin_at(&self, now: Instant) -> Reservation {
        let mut held = self.lock();
        let (number, gives_way) = (held.next, Arc::new(Notify::new()));
        held.next += 1;
        let body = Incomplete { bytes: 0, began: now, last_came: now, gives_way: Arc::clone(&gives_way) };
        held.incomplete.insert(number, body);
        Reservation { budget: self.clone(), number, gives_way, complete: None }
    }

    /// A panic elsewhere leaves plain numbers behind, which are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Has the slow body whose last byte came first give way, but not this one.
    fn one_gives_way(&mut self, except: u64, now: Instant) -> Result<(), NoRoom> {
        let others = self.incomplete.iter().filter(|(number, body)| **number != except && body.bytes > 0);
        let slow = others.filter(|(_, body)| body.is_slow(now)).min_by_key(|(_, body)| body.last_came);
        let slowest = slow.map(|(number, _)| *number).ok_or(NoRoom::Full)?;
        if let Some(body) = self.incomplete.remove(&slowest) {
            self.free += body.bytes;
            body.gives_way.notify_one();
        }
        Ok(())
    }
}

impl Reservation {
    /// Covers a body of `length` bytes; others may have to give way for that.
    pub(super) fn cover(&mut self, length: usize) -> Result<(), NoRoom> {
        self.cover_at(length, Instant::now())
    }

    fn cover_at(&mut self, length: usize, now: Instant) -> Result<(), NoRoom> {
        let mut held = self.budget.lock();
        let has = held.incomplete.get(&self.number).ok_or(NoRoom::GaveWay)?.bytes;
        let missing = length.saturating_sub(FREE_BYTES + has);
        while held.free < missing {
            held.one_gives_way(self.number, now)?;
        }
        held.free -= missing;
        if let Some(body) = held.incomplete.get_mut(&self.number) {
            body.bytes += missing;
            body.last_came = now;
        }
        Ok(())
    }

    /// Keeps the room for as long as this lives: the body is complete, and gives way no more.
    pub(super) fn complete(&mut self) -> Result<(), NoRoom> {
        let body = self.budget.lock().incomplete.remove(&self.number);
        self.complete = Some(body.ok_or(NoRoom::GaveWay)?.bytes);
        Ok(())
    }

    /// Ready once the body has to give way.
    pub(super) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.budget.lock();
        let incomplete = held.incomplete.remove(&self.number).map(|body| body.bytes);
        held.free += self.complete.or(incomplete).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(budget: &BodyBudget, bytes: usize, now: Instant) -> Reservation {
        let mut body = budget.begin_at(now);
        body.cover_at(FREE_BYTES + bytes, now).unwrap();
        body
    }

    #[test]
    fn the_slow_body_that_waits_longest_gives_way() {
        let (budget, start) = (BodyBudget::of(100), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        let mut complete = body(&budget, 40, start);
        complete.complete().unwrap();
        let (mut first, mut second) = (body(&budget, 30, start), body(&budget, 20, after(20)));
        let mut newest = body(&budget, 10, after(90));
        assert_eq!(newest.cover_at(FREE_BYTES + 11, after(99)), Err(NoRoom::Full), "nobody is slow yet");
        assert_eq!(newest.cover_at(FREE_BYTES + 11, after(100)), Ok(()), "the first one is now");
        assert_eq!(first.complete(), Err(NoRoom::GaveWay));
        assert_eq!(second.complete(), Ok(()), "a complete body gives way no more");
        assert_eq!(newest.cover_at(FREE_BYTES + 41, after(999)), Err(NoRoom::Full));
        drop((complete, first, second, newest));
        assert_eq!(budget.lock().free, 100, "all of it is given back, once");
    }

    #[test]
    fn a_trickle_is_slow_though_it_never_stops() {
        let (budget, start) = (BodyBudget::of(60), Instant::now());
        let mut trickle = budget.begin_at(start);
        for millis in 0..=300 {
            trickle
                .cover_at(FREE_BYTES + 1 + millis / 10, start + Duration::from_millis(millis as u64))
                .unwrap();
        }
        let other = body(&budget, 60, start + Duration::from_millis(301));
        assert_eq!(trickle.complete(), Err(NoRoom::GaveWay));
        drop(other);
    }

    #[test]
    fn a_body_within_what_is_free_never_gives_way() {
        let (budget, start) = (BodyBudget::of(10), Instant::now());
        let (mut small, _large) = (body(&budget, 0, start), body(&budget, 10, start));
        let _larger = body(&budget, 10, start + LONGEST_PAUSE);
        assert_eq!(small.complete(), Ok(()));
    }

    #[tokio::test]
    async fn who_gives_way_is_told() {
        let (budget, start) = (BodyBudget::of(10), Instant::now());
        let mut slow = body(&budget, 10, start);
        let _other = body(&budget, 1, start + LONGEST_PAUSE);
        slow.gives_way().await;
        assert_eq!(slow.complete(), Err(NoRoom::GaveWay));
    }

    proptest::proptest! {
        /// Whatever bodies do, the room that they hold and the room that is free are the whole budget.
        #[test]
        fn no_room_is_lost(steps in proptest::collection::vec((0_usize..6, 0_usize..60, 0_u8..4), 0..200)) {
            let (budget, mut now) = (BodyBudget::of(100), Instant::now());
            let mut bodies: [Option<Reservation>; 6] = Default::default();
            for (place, bytes, step) in steps {
                now += LONGEST_PAUSE / 3;
                let slot = &mut bodies[place];
                match (step, slot.as_mut()) {
                    (0, _) => *slot = Some(budget.begin_at(now)),
                    (1, Some(body)) if body.complete.is_none() => drop(body.cover_at(FREE_BYTES + bytes, now)),
                    (2, Some(body)) if body.complete.is_none() => drop(body.complete()),
                    (3, _) => *slot = None,
                    _ => {}
                }
                let held = budget.lock();
                let complete: usize = bodies.iter().flatten().filter_map(|body| body.complete).sum();
                let incomplete: usize = held.incomplete.values().map(|body| body.bytes).sum();
                assert_eq!(held.free + complete + incomplete, 100);
            }
        }
    }
}
