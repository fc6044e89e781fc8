//! A fixed number of connections, each lent to one read at a time.

use crate::store::engine::sql::Db;

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The connections of a reader.
pub(super) struct Pool {
    connections: Vec<Mutex<Db>>,
    /// Places of the connections that nobody uses.
    idle: Mutex<Vec<usize>>,
    /// Wakes a read that waits for a connection.
    returned: Condvar,
}

impl Pool {
    pub(super) fn new(connections: Vec<Db>) -> Self {
        // The first connection is used most, so that its cache and its prepared statements are of use.
        let idle = Mutex::new((0..connections.len()).rev().collect());
        let connections = connections.into_iter().map(Mutex::new).collect();
        Self { connections, idle, returned: Condvar::new() }
    }

    /// A connection that nobody else uses. Waits for one if all are in use.
    pub(super) fn take(&self) -> Lent<'_> {
        let mut idle = unpoisoned(self.idle.lock());
        let place = loop {
            match idle.pop() {
                Some(place) => break place,
                None => idle = unpoisoned(self.returned.wait(idle)),
            }
        };
        drop(idle);
        Lent { connection: unpoisoned(self.connections[place].lock()), _return: Return { pool: self, place } }
    }
}

/// A connection that is lent. It returns to its pool when it is dropped.
pub(super) struct Lent<'a> {
    // Dropped first: the place is idle only after that.
    connection: MutexGuard<'a, Db>,
    _return: Return<'a>,
}

impl Deref for Lent<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.connection
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.connection
    }
}

/// Makes a place idle again when it is dropped.
struct Return<'a> {
    pool: &'a Pool,
    place: usize,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        unpoisoned(self.pool.idle.lock()).push(self.place);
        self.pool.returned.notify_one();
    }
}

/// The value of a lock. A poisoned lock is no problem: a reader cannot leave a write half done.
fn unpoisoned<T>(lock: Result<T, PoisonError<T>>) -> T {
    lock.unwrap_or_else(PoisonError::into_inner)
}
