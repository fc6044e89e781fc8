//! A connection that cannot write.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::engine::progress::{self, FOLDED_UP_TO};
use crate::store::engine::schema::{OpenError, in_file, open_to_read};

/// Longest wait for the daemon to fold its events. During a rush the events are folded only after the rush, and after a
/// crash only at the next start.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(2);

/// A connection that cannot write. Clones share it and take turns.
#[derive(Clone)]
pub struct Reader {
    db: Arc<Mutex<Connection>>,
}

impl Reader {
    /// Opens an existing store, query-only.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { db: Arc::new(Mutex::new(open_up_to_date(path)?)) })
    }

    /// The connection. A poisoned lock is no problem: a reader cannot leave a write half done.
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens an existing store, query-only, and waits a little until all answered events are folded into their failures: a
/// person who sends a webhook and then runs a command wants to see its effect.
pub(super) fn open_up_to_date(path: &Path) -> Result<Connection, OpenError> {
    const LAST: &str = "SELECT coalesce(max(id), 0) FROM event";
    let db = open_to_read(path)?;
    let (began, mut last) = (Instant::now(), None);
    loop {
        let folded = progress::get(&db, FOLDED_UP_TO).map_err(in_file(path))?;
        let kept: i64 = db.query_row(LAST, [], |row| row.get(0)).map_err(in_file(path))?;
        // Events that arrive meanwhile are not waited for.
        if folded >= *last.get_or_insert(kept) || began.elapsed() > MAX_WAIT {
            return Ok(db);
        }
        thread::sleep(PAUSE);
    }
}
