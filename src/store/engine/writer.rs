//! The writer thread and its group commit.
//!
//! While one group syncs, the next gathers: no commit waits for a timer. The only one, `CALM_AFTER`, puts off folding.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::backlog::{self, Backlog, Remaining, Slice};
use super::change_channels::ChangeChannels;
use super::checkpoint::{self, Checkpointer};
use super::files::{Files, Lock};
use super::health::Health;
use super::job::{Ended, Job, NextJob, NotCommitted, StoreError, WriteKind, receive_within};
use super::progress::{self, FOLDED_UP_TO};
use super::session::{Changes, Session};
use super::settings::Settings;
use crate::log_limit::LogLimit;

/// More writes than this do not join one group, so that the first of them is not kept waiting.
const LARGEST_GROUP: usize = 256;
/// A rush is over once there was no more of it for that long.
const CALM_AFTER: Duration = Duration::from_millis(20);

/// Time between two looks at the store's files while nothing is written.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Work that the engine does besides committing, given by the parts of the store that know failures.
#[derive(Clone, Copy)]
pub(in crate::store) struct Hooks {
    /// Begins this process's writing.
    pub(in crate::store) begin: fn(&mut Session<'_>) -> rusqlite::Result<()>,
    /// Brings the failures of some events up to date.
    pub(in crate::store) fold: fn(&mut Session<'_>, &Slice) -> rusqlite::Result<()>,
    /// Ends a transaction: decides links anew, and puts before backends what changed.
    pub(in crate::store) finish: fn(&mut Session<'_>) -> rusqlite::Result<()>,
    /// The next events after this row, which an earlier process kept and did not fold. `None`: there are no more.
    pub(in crate::store) left_over: fn(&Connection, &Settings, i64) -> rusqlite::Result<Option<Remaining>>,
    /// The key of every failure that an incident was merged into.
    pub(in crate::store) merge_targets: fn(&Connection) -> rusqlite::Result<HashSet<i64>>,
    /// Says which bodies went to quarantine.
    pub(in crate::store) log_quarantined: fn(Vec<(i64, String)>, &LogLimit),
}

/// Durability of a transaction at its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The disk has it: somebody will be told so.
    Synced,
    /// The disk has it with the next one that is synced. It follows from what the disk has, and can be done again.
    Later,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Synced => "PRAGMA synchronous = FULL",
            Self::Later => "PRAGMA synchronous = NORMAL",
        }
    }
}

/// The open store: its connection to write, and what watches over its files.
pub(in crate::store) struct OpenStore {
    pub(in crate::store) db: Connection,
    /// Keeps other processes from writing. Dropped after the connection.
    pub(in crate::store) lock: Lock,
    pub(in crate::store) files: Files,
    pub(in crate::store) checkpointer: Checkpointer,
}

/// The thread's belongings.
pub(in crate::store) struct Writer {
    db: Connection,
    files: Files,
    settings: Settings,
    queue: mpsc::Receiver<Box<dyn Job>>,
    change_channels: ChangeChannels,
    checkpointer: Checkpointer,
    health: Health,
    /// Lines that say that something could not be folded.
    unfolded_lines: LogLimit,
    /// Lines that say that something is in quarantine.
    quarantine_lines: LogLimit,
    hooks: Hooks,
    /// This process among those that have opened the store to write.
    epoch: i64,
    /// Durability of the next commit, as SQLite was last told. `None`: it is not known.
    durability: Option<Durability>,
    backlog: Backlog,
    merge_targets: HashSet<i64>,
    /// Time at which many events last came in at once. `None`: no rush since, or it is over.
    rushed_at: Option<Instant>,
    /// The last transaction failed: do not try again before somebody asks for something.
    last_transaction_failed: bool,
    /// Keeps other processes from writing. Last, so that it is dropped after the connection.
    _lock: Lock,
}

impl Writer {
    pub(in crate::store) fn new(
        OpenStore { db, lock, files, checkpointer }: OpenStore,
        (settings, hooks): (Settings, Hooks),
        queue: mpsc::Receiver<Box<dyn Job>>,
        change_channels: ChangeChannels,
        health: Health,
    ) -> Self {
        let most_unfolded = settings.most_unfolded;
        Self {
            db,
            _lock: lock,
            files,
            health,
            unfolded_lines: LogLimit::default(),
            quarantine_lines: LogLimit::default(),
            settings,
            queue,
            change_channels,
            checkpointer,
            hooks,
            epoch: 0,
            durability: None,
            backlog: Backlog::new(most_unfolded),
            merge_targets: HashSet::new(),
            rushed_at: None,
            last_transaction_failed: false,
        }
    }

    /// Begins an epoch, and folds what an earlier process kept and did not come to fold.
    pub(in crate::store) fn catch_up(&mut self) -> rusqlite::Result<()> {
        let begin = self.hooks.begin;
        let (epoch, _) = self.transact(Durability::Synced, |session| {
            begin(session)?;
            progress::begin_epoch(session.db)
        })?;
        self.epoch = epoch;
        self.merge_targets = (self.hooks.merge_targets)(&self.db)?;
        let mut after = progress::get(&self.db, FOLDED_UP_TO)?;
        while let Some(left) = (self.hooks.left_over)(&self.db, &self.settings, after)? {
            after = left.up_to;
            self.backlog.extend(Some(after), left.events);
            while !self.backlog.is_empty() {
                self.fold(backlog::LARGE_SLICE)?;
            }
        }
        Ok(())
    }

    /// Starts the thread; `end` is told how it ended.
    pub(in crate::store) fn start(self, end: watch::Sender<Ended>) -> std::io::Result<()> {
        thread::Builder::new().name("store-writer".into()).spawn(move || end.send_replace(self.run()))?;
        Ok(())
    }

    fn run(mut self) -> Ended {
        while let Some(group) = self.gather() {
            if let Err(doubt) = self.turn(group) {
                tracing::error!(
                    "{doubt}; the program ends with status 74, so that a restart opens the store again"
                );
                return Ended::InDoubt(doubt);
            }
        }
        // Nobody else writes now: leave the store in one piece, with nothing for the next start to recover.
        self.checkpointer.stop();
        match self.db.close() {
            Ok(()) => Ended::Cleanly,
            Err((_, error)) => Ended::InDoubt(error.to_string()),
        }
    }

    /// Commits a group, which may be empty, and does the work that is due after it. An error if the store has to
    /// be opened again.
    fn turn(&mut self, group: Vec<Box<dyn Job>>) -> Result<(), String> {
        let slice = backlog::slice_beside(group.len());
        if group.is_empty() {
            self.files_are_in_place()?;
        }
        self.commit(group)?;
        self.fold_in_a_calm(slice)?;
        self.checkpointer.keep_up(&self.db);
        self.health.look(Instant::now());
        Ok(())
    }

    /// An error where a file of the store is not where it was: what is written there may be gone later.
    fn files_are_in_place(&self) -> Result<(), String> {
        match self.files.moved() {
            None => Ok(()),
            Some(path) => {
                // Where only the log lost its name, the database file can still take what is in it.
                checkpoint::checkpoint(&self.db);
                let path = path.display();
                Err(format!(
                    "{path} was moved, removed or replaced while the program was running: put the store's files back, \
                     or leave it to the next start to create new ones"
                ))
            }
        }
    }

    /// Takes all that waits. Where nothing does and nothing is left to be folded, it waits, and returns nothing now and
    /// then; in a rush it waits a little all the same. `None`: the end.
    fn gather(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut group = Vec::new();
        if self.backlog.is_empty() || self.last_transaction_failed {
            match receive_within(&mut self.queue, LOOK_EVERY) {
                NextJob::Job(job) => group.push(job),
                NextJob::Nothing => return Some(group),
                NextJob::End => return None,
            }
        } else if let Some(pause) = self.calm_in() {
            match receive_within(&mut self.queue, pause) {
                NextJob::Job(job) => group.push(job),
                NextJob::Nothing | NextJob::End => self.rushed_at = None,
            }
        }
        while group.len() < LARGEST_GROUP
            && let Ok(job) = self.queue.try_recv()
        {
            group.push(job);
        }
        Some(group)
    }

    /// Time until the rush is over; `None`: there is none.
    fn calm_in(&self) -> Option<Duration> {
        CALM_AFTER.checked_sub(self.rushed_at?.elapsed()).filter(|pause| !pause.is_zero())
    }

    /// Commits a group; one that fails is redone one by one, so that only the culprit is refused.
    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) -> Result<(), String> {
        if group.is_empty() {
            return Ok(());
        }
        // No more than may wait for a start after a crash: some are folded first. Where that fails, writes are refused
        // rather than events gathered without end.
        if let Err(error) = self.make_room(group.len()) {
            return match self.roll_back(&error) {
                NotCommitted::InDoubt(doubt) => Err(doubt),
                NotCommitted::RolledBack(error) => {
                    let error = format!("too many events wait to become failures, and that fails: {error}");
                    self.refuse(group, &error);
                    Ok(())
                }
            };
        }
        let began = Instant::now();
        match self.keep(&mut group).map_err(|error| self.roll_back(&error)) {
            Ok(quarantined) => {
                // Before anybody is answered: what has just been written may be in a file that is gone.
                self.files_are_in_place()?;
                self.settings.observer.committed(group.len(), began.elapsed());
                self.health.committed(Instant::now());
                // Whoever has an answer and then asks for failures waits until they are up to date.
                self.change_channels.folded(self.backlog.is_empty());
                for job in group {
                    job.finish(Ok(()));
                }
                (self.hooks.log_quarantined)(quarantined, &self.quarantine_lines);
                Ok(())
            }
            Err(NotCommitted::InDoubt(doubt)) => Err(doubt),
            Err(NotCommitted::RolledBack(error)) if group.len() == 1 => {
                self.refuse(group, &error);
                Ok(())
            }
            Err(NotCommitted::RolledBack(_)) => group.into_iter().try_for_each(|job| self.commit(vec![job])),
        }
    }

    /// Folds until a group of events may wait beside the others.
    fn make_room(&mut self, group: usize) -> rusqlite::Result<()> {
        let most = self.settings.most_unfolded;
        while !self.backlog.is_empty() && self.backlog.len_after_a_crash() + group > most {
            self.fold(backlog::LARGE_SLICE)?;
        }
        Ok(())
    }

    /// Folds some of what was put off, unless many events come in just now.
    fn fold_in_a_calm(&mut self, slice: usize) -> Result<(), String> {
        if self.last_transaction_failed || self.backlog.is_empty() || self.calm_in().is_some() {
            return Ok(());
        }
        match self.fold(slice).map_err(|error| self.roll_back(&error)) {
            Ok(()) => Ok(()),
            Err(NotCommitted::InDoubt(doubt)) => Err(doubt),
            Err(NotCommitted::RolledBack(error)) => {
                if let Some(held_back) = self.unfolded_lines.pass(Instant::now()) {
                    tracing::error!(
                        error,
                        held_back,
                        "events are kept, but do not become failures: this is tried again with the next write"
                    );
                }
                Ok(())
            }
        }
    }

    /// Does what a group wants. Returns what went to quarantine.
    fn keep(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<Vec<(i64, String)>> {
        let ((), changes) = self
            .transact(Durability::Synced, |session| group.iter_mut().try_for_each(|job| job.run(session)))?;
        if changes.fresh.len() >= backlog::RUSH_FROM_EVENTS {
            self.rushed_at = Some(Instant::now());
        }
        self.backlog.extend(changes.kept, changes.fresh);
        Ok(changes.quarantined)
    }

    /// Folds a part of the backlog.
    fn fold(&mut self, wanted: usize) -> rusqlite::Result<()> {
        let (slice, fold) = (self.backlog.slice(wanted), self.hooks.fold);
        self.transact(Durability::Later, |session| fold(session, &slice))?;
        self.backlog.done(&slice);
        self.change_channels.folded(self.backlog.is_empty());
        Ok(())
    }

    /// One transaction. After an error the caller rolls back, or gives the connection up; `merge_targets` may hold more
    /// then, which does no harm.
    fn transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Session<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<(T, Changes)> {
        let done = self.try_transact(durability, work);
        self.last_transaction_failed = done.is_err();
        let (result, mut changes) = done?;
        self.change_channels.send(changes.outbox_changed, std::mem::take(&mut changes.retry_requests));
        Ok((result, changes))
    }

    fn try_transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Session<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<(T, Changes)> {
        if self.durability != Some(durability) {
            self.durability = None;
            self.db.prepare_cached(durability.pragma())?.execute([])?;
            self.durability = Some(durability);
        }
        let mut session = Session {
            db: &self.db,
            settings: &self.settings,
            epoch: self.epoch,
            merge_targets: &mut self.merge_targets,
            changes: Changes::default(),
        };
        session.execute("BEGIN IMMEDIATE", [])?;
        let result = work(&mut session)?;
        (self.hooks.finish)(&mut session)?;
        session.execute("COMMIT", [])?;
        Ok((result, session.changes))
    }

    /// Tells everybody in a group that nothing of it was done.
    fn refuse(&self, group: Vec<Box<dyn Job>>, error: &str) {
        // Those that nobody waits for any more were answered 503 before, and counted then.
        let webhooks =
            group.iter().filter(|job| job.kind() == WriteKind::Webhook && job.is_awaited()).count();
        let writes = group.len();
        for job in group {
            job.finish(Err(StoreError::NotCommitted(error.to_owned())));
        }
        self.settings.observer.refused(writes);
        self.health.failed(Instant::now(), error, writes, webhooks);
    }

    /// Undoes the transaction.
    fn roll_back(&self, error: &rusqlite::Error) -> NotCommitted {
        let is_undone = self.db.is_autocommit() || self.db.execute_batch("ROLLBACK").is_ok();
        NotCommitted::of(error, is_undone)
    }
}
