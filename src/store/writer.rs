//! The writer thread and its group commit.
//!
//! While one group syncs, the next gathers: there is no timer and nothing to tune.

use std::collections::HashSet;
use std::thread;
use std::time::Instant;

use rusqlite::{CachedStatement, Connection, ErrorCode, Params, ffi};
use tokio::sync::{mpsc, watch};

use super::checkpoint::Checkpointer;
use super::{Ended, Settings, StoreError};

/// More writes than this do not join one group, so that the first of them is not kept waiting.
const LARGEST_GROUP: usize = 256;

/// Something to be done in a transaction, and somebody to be told once it is durable.
pub(super) trait Job: Send {
    /// Does it. After an error it may be called again, in a transaction of its own.
    fn run(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()>;
    /// Tells the outcome.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What a job works with: the open transaction, and what the writer knows.
pub(super) struct Session<'a> {
    db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// Outbox rows that this process is sending. In memory only: a crash lets go of them by itself.
    pub(super) claimed: &'a mut HashSet<i64>,
    /// Set by whoever adds to the outbox.
    pub(super) outbox_changed: bool,
}

impl<'a> Session<'a> {
    /// The statement, prepared once.
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.db.prepare_cached(sql)
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// The id of the row inserted last.
    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.db.last_insert_rowid()
    }
}

/// The thread's belongings.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) settings: Settings,
    pub(super) queue: mpsc::Receiver<Box<dyn Job>>,
    pub(super) changed: watch::Sender<()>,
    pub(super) checkpointer: Checkpointer,
}

impl Writer {
    /// Starts the thread; `end` is told how it ended.
    pub(super) fn start(self, end: watch::Sender<Ended>) -> std::io::Result<()> {
        thread::Builder::new().name("store-writer".into()).spawn(move || end.send_replace(self.run()))?;
        Ok(())
    }

    fn run(mut self) -> Ended {
        let mut claimed = HashSet::new();
        while let Some(group) = self.gather() {
            if let Err(doubt) = self.commit(group, &mut claimed) {
                return Ended::InDoubt(doubt);
            }
            self.checkpointer.keep_up(&self.db);
        }
        // Nobody else holds the store now: leave it in one piece, with nothing for the next start to recover.
        drop(self.checkpointer);
        match self.db.close() {
            Ok(()) => Ended::Cleanly,
            Err((_, error)) => Ended::InDoubt(error.to_string()),
        }
    }

    /// Waits for work, and takes all that waits.
    fn gather(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut group = vec![self.queue.blocking_recv()?];
        while group.len() < LARGEST_GROUP
            && let Ok(job) = self.queue.try_recv()
        {
            group.push(job);
        }
        Some(group)
    }

    /// Commits a group; one that fails is redone one by one, so that only the culprit is refused.
    fn commit(&self, mut group: Vec<Box<dyn Job>>, claimed: &mut HashSet<i64>) -> Result<(), String> {
        let before = claimed.clone();
        match self.transact(&mut group, claimed) {
            Ok(()) => {
                for job in group {
                    job.finish(Ok(()));
                }
                return Ok(());
            }
            Err(Failure::InDoubt(doubt)) => {
                tracing::error!(error = doubt, "a commit is in doubt: ending, so that a restart can tell");
                return Err(doubt);
            }
            Err(Failure::RolledBack(error)) if group.len() == 1 => {
                *claimed = before;
                tracing::error!(error, "the store could not commit");
                group.into_iter().for_each(|job| job.finish(Err(StoreError::NotCommitted(error.clone()))));
                return Ok(());
            }
            Err(Failure::RolledBack(_)) => *claimed = before,
        }
        group.into_iter().try_for_each(|job| self.commit(vec![job], claimed))
    }

    fn transact(&self, group: &mut [Box<dyn Job>], claimed: &mut HashSet<i64>) -> Result<(), Failure> {
        #[expect(clippy::disallowed_methods, reason = "how long it took, not what time it is")]
        let began = Instant::now();
        let mut session = Session { db: &self.db, settings: &self.settings, claimed, outbox_changed: false };
        let done = session
            .execute("BEGIN IMMEDIATE", [])
            .and_then(|_| group.iter_mut().try_for_each(|job| job.run(&mut session)))
            .and_then(|()| session.execute("COMMIT", []));
        match done {
            Ok(_) => {
                let outbox_changed = session.outbox_changed;
                self.settings.observer.committed(group.len(), began.elapsed());
                if outbox_changed {
                    self.changed.send_replace(());
                }
                Ok(())
            }
            Err(error) => Err(self.roll_back(&error)),
        }
    }

    /// Undoes the transaction. A sync that failed cannot be undone: the kernel may have dropped the pages.
    fn roll_back(&self, error: &rusqlite::Error) -> Failure {
        let code = error.sqlite_error().map(|error| error.extended_code);
        let sync_failed = matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC));
        let is_open = !self.db.is_autocommit();
        let undone = !is_open || self.db.execute_batch("ROLLBACK").is_ok();
        let corrupt = error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt);
        if sync_failed || corrupt || !undone {
            Failure::InDoubt(error.to_string())
        } else {
            Failure::RolledBack(error.to_string())
        }
    }
}

/// Why a transaction is not durable.
enum Failure {
    RolledBack(String),
    InDoubt(String),
}
