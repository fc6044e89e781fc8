//! Checkpoints: a thread moves pages from the WAL into the database file while the writer writes.
//!
//! SQLite starts the WAL from its beginning again once all its pages are moved and nobody reads it. While the writer
//! never pauses, the thread never reaches that moment. So when the WAL is long, the writer itself moves the last few
//! pages.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::open::{PAGE_BYTES, open_to_checkpoint};
use crate::log_limit::LogLimit;
use crate::store::engine::open_error::{OpenError, in_file};
use crate::store::engine::sql::{Db, params};

/// Growth of the WAL after which the thread is woken. Small, so that SQLite soon writes the WAL from its beginning
/// again: a disk syncs overwritten blocks faster than blocks that make a file longer.
const WAKE_AFTER_PAGES: usize = 4 * 1024 * 1024 / PAGE_BYTES as usize;
/// Length of the WAL at which the writer moves pages itself: short enough for a start after a crash to read it quickly.
const WRITER_MOVES_FROM_PAGES: usize = 12 * 1024 * 1024 / PAGE_BYTES as usize;
/// Largest number of times that the thread begins again when it is woken.
const MOST_PASSES: usize = 3;

/// The writer's handle of the thread.
pub(super) struct Checkpointer {
    wal_pages: Arc<AtomicUsize>,
    /// Length of the WAL when the thread was last woken.
    pages_when_woken: usize,
    /// Length of the WAL when the writer last moved pages itself.
    pages_when_helped: usize,
    /// `true` from a wake until the thread has moved what it could.
    is_moving: Arc<AtomicBool>,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Starts the thread, and records the WAL's length at each commit of `writer`.
pub(super) fn start(path: &Path, writer: &mut Connection) -> Result<Checkpointer, OpenError> {
    let wal_pages = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&wal_pages);
    // Replaces SQLite's automatic checkpoint, which would run in the writer.
    let hook = move |_: &mut Wal, pages: i32| {
        seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    };
    writer.wal_hook(Some(hook)).map_err(in_file(path))?;
    let (wake, woken) = sync_channel(1);
    let db = Db::Sqlite(super::connection::Connection::new(open_to_checkpoint(path)?));
    let is_moving = Arc::new(AtomicBool::new(false));
    let (moving, written) = (Arc::clone(&is_moving), Arc::clone(&wal_pages));
    let run = move || {
        while woken.recv().is_ok() {
            // The second time, only what was written meanwhile is left.
            for _ in 0..MOST_PASSES {
                // A pass that failed is not repeated at once: the writer may have to notice the same error first.
                if checkpoint(&db).is_none_or(|moved| moved >= written.load(Ordering::Relaxed)) {
                    break;
                }
            }
            moving.store(false, Ordering::Relaxed);
        }
    };
    let thread = thread::Builder::new().name("store-checkpoint".into()).spawn(run)?;
    Ok(Checkpointer { wal_pages, pages_when_woken: 0, pages_when_helped: 0, is_moving, wake, thread })
}

impl Checkpointer {
    /// Ends the thread, so that the writer closes the store last. The last close removes the WAL.
    pub(super) fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread of the store panicked");
        }
    }

    /// `true` while the thread moves pages. What can wait is written afterwards, so that the WAL can start from its
    /// beginning again, and the writer need not move pages itself.
    pub(super) fn is_moving(&self) -> bool {
        self.is_moving.load(Ordering::Relaxed)
    }

    /// Wakes the thread, or moves pages itself, if the WAL has grown enough. Called after every round of the writer.
    pub(super) fn keep_up(&mut self, writer: &Db) {
        let wal_pages = self.wal_pages.load(Ordering::Relaxed);
        if wal_pages < self.pages_when_woken.max(self.pages_when_helped) {
            // The WAL has started from its beginning again.
            (self.pages_when_woken, self.pages_when_helped) = (0, 0);
        }
        // A long read keeps pages in the WAL. Trying after every group would then take time for nothing.
        if wal_pages >= WRITER_MOVES_FROM_PAGES.max(self.pages_when_helped + WAKE_AFTER_PAGES) {
            self.pages_when_helped = wal_pages;
            checkpoint(writer);
        } else if wal_pages >= self.pages_when_woken + WAKE_AFTER_PAGES {
            self.pages_when_woken = wal_pages;
            self.is_moving.store(true, Ordering::Relaxed);
            // A full channel means that the thread is woken already.
            let _ = self.wake.try_send(());
        }
    }
}

/// Limit for the log line about a failed checkpoint.
static LINES: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);

/// Moves the pages that can be moved without making anybody wait. Returns the number of pages at the beginning of the WAL
/// that are moved. `None` after an error.
pub(super) fn checkpoint(db: &Db) -> Option<usize> {
    match db.only("PRAGMA wal_checkpoint(PASSIVE)", params![], |row| row.get::<i64>(2)) {
        Ok(moved) => usize::try_from(moved).ok(),
        Err(error) => {
            // Nothing is lost: the pages stay in the WAL, and the next commit or checkpoint will report the error, too.
            if let Some(held_back) = LINES.pass(Instant::now()) {
                tracing::warn!(%error, held_back, "pages of the WAL could not be moved into the database: will retry");
            }
            None
        }
    }
}
