//! Connections that cannot write.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::pool::{Lent, Pool};
use crate::store::engine::address::StoreAddress;
use crate::store::engine::folding::folded_up_to;
use crate::store::engine::open_error::{OpenError, in_store};
use crate::store::engine::open_store::open_to_read;
use crate::store::engine::sql::{Db, params};

/// Longest wait for the daemon to fold its events. During a rush the events are folded only after the rush, and after a
/// crash only at the next start.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(2);

/// Connections that cannot write. Clones share them. While all are in use, the next read waits.
#[derive(Clone)]
pub struct Reader {
    pool: Arc<Pool>,
}

impl Reader {
    /// Opens an existing store, query-only, on one connection.
    pub fn open(address: impl Into<StoreAddress>) -> Result<Self, OpenError> {
        Self::open_several(address, NonZeroUsize::MIN)
    }

    /// Opens an existing store, query-only, on several connections, so that a slow read does not delay another.
    pub fn open_several(
        address: impl Into<StoreAddress>,
        connections: NonZeroUsize,
    ) -> Result<Self, OpenError> {
        let address = address.into();
        let first = open_up_to_date(&address);
        let others = (1..connections.get()).map(|_| open_to_read(&address));
        let connections = std::iter::once(first).chain(others).collect::<Result<_, _>>()?;
        Ok(Self { pool: Arc::new(Pool::new(connections)) })
    }

    /// A connection for one read.
    pub(super) fn lock(&self) -> Lent<'_> {
        self.pool.take()
    }
}

/// Opens an existing store, query-only, and waits a little until all answered events are folded into their failures: a
/// person who sends a webhook and then runs a command wants to see its effect.
pub(super) fn open_up_to_date(address: &StoreAddress) -> Result<Db, OpenError> {
    const LAST: &str = "SELECT coalesce(max(id), 0) FROM event";
    let db = open_to_read(address)?;
    let (began, mut last) = (Instant::now(), None);
    loop {
        let folded = folded_up_to(&db).map_err(in_store(address))?;
        let kept: i64 = db.only(LAST, params![], |row| row.get(0)).map_err(in_store(address))?;
        // Events that arrive meanwhile are not waited for.
        if folded >= *last.get_or_insert(kept) || began.elapsed() > MAX_WAIT {
            return Ok(db);
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::store::engine::open_store::open_to_write;
    use crate::store::read::failure_filter::FailureFilter;

    /// Longest wait of the test for a read that nothing delays.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_slow_read_delays_no_other_until_all_connections_are_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open_to_write(&path).unwrap());
        let reader = Reader::open_several(&path, NonZeroUsize::new(2).unwrap()).unwrap();
        let list_in_thread = || {
            let (reader, (done, listed)) = (reader.clone(), mpsc::channel());
            thread::spawn(move || done.send(reader.failures(&FailureFilter::default()).unwrap().failures));
            listed
        };

        // A read that lasts until it is dropped.
        let slow = reader.lock();
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        slow.find(numbers, params![], |_| {
            assert!(list_in_thread().recv_timeout(PATIENCE).unwrap().is_empty());

            // With both in use, a read waits for the first one that ends.
            let second = reader.lock();
            let waiting = list_in_thread();
            assert_eq!(waiting.try_recv().unwrap_err(), mpsc::TryRecvError::Empty);
            drop(second);
            assert!(waiting.recv_timeout(PATIENCE).unwrap().is_empty());
            Ok(Some(()))
        })
        .unwrap();
    }
}
