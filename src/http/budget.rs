//! The room that all request bodies take together, and who gives way when it is short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// So much of every body is not counted. PagerDuty's usual ones fit into it, so large ones cannot keep them out; what is
/// free is bounded by the number of connections and the length of the writer's queue.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// All bodies together, beyond what is free.
const BUDGET_BYTES: usize = 8 * 1024 * 1024;

/// The bytes that all bodies being read and written may hold together.
///
/// A body counts while it is being read, before anybody knows whether it is signed. So where there is no room, the body
/// that was begun first and is still not complete gives way: a sender in earnest has sent the whole of it long before.
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
    gives_way: Arc<Notify>,
}

/// Reason why a body gets no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// It was the one to give way.
    GaveWay,
    /// Bodies that are complete take all of it.
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
        let mut held = self.lock();
        let (number, gives_way) = (held.next, Arc::new(Notify::new()));
        held.next += 1;
        held.incomplete.insert(number, Incomplete { bytes: 0, gives_way: Arc::clone(&gives_way) });
        Reservation { budget: self.clone(), number, gives_way, complete: None }
    }

    /// A panic elsewhere leaves plain numbers behind, which are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Has the oldest body that holds anything give way, unless that is this one.
    fn one_gives_way(&mut self, except: u64) -> Result<(), NoRoom> {
        let oldest = self.incomplete.iter().find(|(_, body)| body.bytes > 0).map(|(number, _)| *number);
        let alone = self.incomplete.iter().all(|(number, body)| *number == except || body.bytes == 0);
        match oldest {
            _ if alone => Err(NoRoom::Full),
            Some(oldest) if oldest != except => {
                if let Some(body) = self.incomplete.remove(&oldest) {
                    self.free += body.bytes;
                    body.gives_way.notify_one();
                }
                Ok(())
            }
            _ => Err(NoRoom::GaveWay),
        }
    }
}

impl Reservation {
    /// Covers a body of `length` bytes; others may have to give way for that.
    pub(super) fn cover(&mut self, length: usize) -> Result<(), NoRoom> {
        let mut held = self.budget.lock();
        let has = held.incomplete.get(&self.number).ok_or(NoRoom::GaveWay)?.bytes;
        let missing = length.saturating_sub(FREE_BYTES + has);
        while held.free < missing {
            held.one_gives_way(self.number)?;
        }
        held.free -= missing;
        if let Some(body) = held.incomplete.get_mut(&self.number) {
            body.bytes += missing;
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

    fn body(budget: &BodyBudget, bytes: usize) -> Reservation {
        let mut body = budget.begin();
        body.cover(FREE_BYTES + bytes).unwrap();
        body
    }

    #[test]
    fn the_oldest_that_is_not_complete_gives_way() {
        let budget = BodyBudget::of(100);
        let mut complete = body(&budget, 40);
        complete.complete().unwrap();
        let (mut oldest, mut second) = (body(&budget, 30), body(&budget, 30));
        let mut newest = body(&budget, 10);
        assert_eq!(oldest.cover(FREE_BYTES + 31), Err(NoRoom::GaveWay));
        assert_eq!(second.cover(FREE_BYTES + 40), Ok(()), "it is not the oldest");
        newest.cover(FREE_BYTES + 20).unwrap();
        assert_eq!(second.complete(), Ok(()));
        assert_eq!(newest.cover(FREE_BYTES + 21), Err(NoRoom::Full), "only complete ones are left");
        drop((complete, oldest, second, newest));
        assert_eq!(budget.lock().free, 100, "all of it is given back, once");
    }

    #[test]
    fn a_body_within_what_is_free_never_gives_way() {
        let budget = BodyBudget::of(10);
        let (mut small, _large) = (body(&budget, 0), body(&budget, 10));
        let _larger = body(&budget, 10);
        assert_eq!(small.complete(), Ok(()));
    }

    #[tokio::test]
    async fn who_gives_way_is_told() {
        let budget = BodyBudget::of(10);
        let mut slow = body(&budget, 10);
        let _other = body(&budget, 1);
        slow.gives_way().await;
        assert_eq!(slow.complete(), Err(NoRoom::GaveWay));
    }

    proptest::proptest! {
        /// Whatever bodies do, the room that they hold and the room that is free are the whole budget.
        #[test]
        fn no_room_is_lost(steps in proptest::collection::vec((0_usize..6, 0_usize..60, 0_u8..4), 0..200)) {
            let budget = BodyBudget::of(100);
            let mut bodies: [Option<Reservation>; 6] = Default::default();
            for (place, bytes, step) in steps {
                let slot = &mut bodies[place];
                match (step, slot.as_mut()) {
                    (0, _) => *slot = Some(budget.begin()),
                    (1, Some(body)) if body.complete.is_none() => drop(body.cover(FREE_BYTES + bytes)),
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
