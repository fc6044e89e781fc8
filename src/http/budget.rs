//! Memory budget of all request bodies together. When it is used up, a slow body gives way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes of each body that the budget does not count. PagerDuty's usual bodies fit, so large ones cannot keep them out.
/// The number of connections and the length of the writer's queue limit these bytes.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// Budget of all bodies together, without the first [`FREE_BYTES`] of each.
const BUDGET_BYTES: usize = 8 * 1024 * 1024;

/// A body is slow if no byte has arrived for this time.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// A body below this average speed is slow.
const PACE_BYTES_PER_SECOND: u128 = 64 * 1024;

/// Memory budget of all bodies that are being read or written.
///
/// A body takes room while it is read, before its signature can be checked. When there is no room, the slow body whose
/// last byte is oldest gives way, because honest senders send without pauses. If no body is slow, the body that needs
/// more room is refused.
#[derive(Debug, Clone)]
pub struct BodyBudget(Arc<Mutex<BudgetState>>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self::of(BUDGET_BYTES)
    }
}

#[derive(Debug)]
struct BudgetState {
    free: usize,
    next: u64,
    /// Bodies that are still being read, oldest first.
    incomplete: BTreeMap<u64, Incomplete>,
}

#[derive(Debug)]
struct Incomplete {
    bytes: usize,
    began: Instant,
    last_byte_at: Instant,
    gives_way: Arc<Notify>,
}

impl Incomplete {
    fn is_slow(&self, now: Instant) -> bool {
        let wanted = now.duration_since(self.began).as_millis() * PACE_BYTES_PER_SECOND / 1_000;
        now.duration_since(self.last_byte_at) >= LONGEST_PAUSE || ((FREE_BYTES + self.bytes) as u128) < wanted
    }
}

/// Reason why a body gets no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The body was slow, and gave way to another one.
    GaveWay,
    /// All other bodies are complete or fast enough.
    Full,
}

/// Room reserved for one body, without its first [`FREE_BYTES`].
#[derive(Debug)]
pub(super) struct Reservation {
    budget: BodyBudget,
    number: u64,
    gives_way: Arc<Notify>,
    /// Bytes of a complete body. `None` while the body is being read: then `BudgetState::incomplete` has them.
    complete: Option<usize>,
}

impl BodyBudget {
    fn of(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(BudgetState { free: bytes, next: 0, incomplete: BTreeMap::new() })))
    }

    /// Begins a body, with no room yet.
    pub(super) fn begin(&self) -> Reservation {
        self.begin_at(Instant::now())
    }

    fn begin_at(&self, now: Instant) -> Reservation {
        let mut held = self.lock();
        let (number, gives_way) = (held.next, Arc::new(Notify::new()));
        held.next += 1;
        let body = Incomplete { bytes: 0, began: now, last_byte_at: now, gives_way: Arc::clone(&gives_way) };
        held.incomplete.insert(number, body);
        Reservation { budget: self.clone(), number, gives_way, complete: None }
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetState {
    /// Makes the slow body with the oldest last byte give way, but never `except`.
    fn make_one_give_way(&mut self, except: u64, now: Instant) -> Result<(), NoRoom> {
        let others = self.incomplete.iter().filter(|(number, body)| **number != except && body.bytes > 0);
        let slow = others.filter(|(_, body)| body.is_slow(now)).min_by_key(|(_, body)| body.last_byte_at);
        let slowest = slow.map(|(number, _)| *number).ok_or(NoRoom::Full)?;
        if let Some(body) = self.incomplete.remove(&slowest) {
            self.free += body.bytes;
            body.gives_way.notify_one();
        }
        Ok(())
    }
}

impl Reservation {
    /// Extends the reservation to a body of `length` bytes. Other bodies may have to give way.
    pub(super) fn cover(&mut self, length: usize) -> Result<(), NoRoom> {
        self.cover_at(length, Instant::now())
    }

    fn cover_at(&mut self, length: usize, now: Instant) -> Result<(), NoRoom> {
        let mut held = self.budget.lock();
        let has = held.incomplete.get(&self.number).ok_or(NoRoom::GaveWay)?.bytes;
        let missing = length.saturating_sub(FREE_BYTES + has);
        while held.free < missing {
            held.make_one_give_way(self.number, now)?;
        }
        held.free -= missing;
        if let Some(body) = held.incomplete.get_mut(&self.number) {
            body.bytes += missing;
            body.last_byte_at = now;
        }
        Ok(())
    }

    /// Marks the body as complete. It no longer gives way, and keeps its room until this value is dropped.
    pub(super) fn complete(&mut self) -> Result<(), NoRoom> {
        let body = self.budget.lock().incomplete.remove(&self.number);
        self.complete = Some(body.ok_or(NoRoom::GaveWay)?.bytes);
        Ok(())
    }

    /// Waits until this body has to give way to another one.
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
        assert_eq!(newest.cover_at(FREE_BYTES + 11, after(99)), Err(NoRoom::Full), "no body is slow yet");
        assert_eq!(newest.cover_at(FREE_BYTES + 11, after(100)), Ok(()), "the first one is slow now");
        assert_eq!(first.complete(), Err(NoRoom::GaveWay));
        assert_eq!(second.complete(), Ok(()), "a complete body does not give way");
        assert_eq!(newest.cover_at(FREE_BYTES + 41, after(999)), Err(NoRoom::Full));
        drop((complete, first, second, newest));
        assert_eq!(budget.lock().free, 100, "all room is given back exactly once");
    }

    #[test]
    fn a_trickle_without_pauses_is_slow() {
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
    fn a_body_within_the_free_bytes_never_gives_way() {
        let (budget, start) = (BodyBudget::of(10), Instant::now());
        let (mut small, _large) = (body(&budget, 0, start), body(&budget, 10, start));
        let _larger = body(&budget, 10, start + LONGEST_PAUSE);
        assert_eq!(small.complete(), Ok(()));
    }

    #[tokio::test]
    async fn a_body_that_gives_way_is_notified() {
        let (budget, start) = (BodyBudget::of(10), Instant::now());
        let mut slow = body(&budget, 10, start);
        let _other = body(&budget, 1, start + LONGEST_PAUSE);
        slow.gives_way().await;
        assert_eq!(slow.complete(), Err(NoRoom::GaveWay));
    }

    proptest::proptest! {
        /// The room of all bodies and the free room always add up to the budget.
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
