//! The writer thread and its group commit.
//!
//! While one group syncs, the next gathers: no commit waits for a timer. The only one, `CALM_AFTER`, puts off folding.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection, Params};
use tokio::sync::{mpsc, watch};

use super::checkpoint::Checkpointer;
use super::connected::{self, Incidents};
use super::files::{Files, Lock};
use super::fold::{self, Backlog, Slice, Unfolded};
use super::health::Health;
use super::job::{Job, Kind, NotCommitted, Received, receive_within};
use super::news::News;
use super::{Ended, Settings, StoreError, late_links, mark, record};
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;

/// More writes than this do not join one group, so that the first of them is not kept waiting.
const LARGEST_GROUP: usize = 256;
/// A rush is over once there was no more of it for that long.
const CALM_AFTER: Duration = Duration::from_millis(20);

/// Time between two looks at the store's files while nothing is written.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// State that a job works with: the open transaction, and the writer's knowledge.
pub(super) struct Session<'a> {
    db: &'a Connection,
    pub(super) settings: &'a Settings,
    /// Outbox rows that this process is sending. In memory only: a crash lets go of them by itself.
    pub(super) claimed: &'a mut HashSet<i64>,
    /// The last event that this transaction keeps.
    pub(super) kept: Option<i64>,
    /// Events of these that are to be folded.
    pub(super) fresh: Vec<Unfolded>,
    /// Bodies that this transaction puts in quarantine, and why.
    pub(super) quarantined: Vec<(i64, String)>,
    /// The key of every failure that an incident was ever merged into, and perhaps of some more: hardly any is
    /// among them, and the others need not be asked for.
    pub(super) merge_targets: &'a mut HashSet<i64>,
    /// `true` if failed deployments are kept track of.
    pub(super) keeps_marks: bool,
    /// Deployments about which something changed that decides how they are marked, and when it was heard of.
    pub(super) affected: BTreeMap<i64, Timestamp>,
    /// Set by whoever adds to the outbox.
    pub(super) outbox_changed: bool,
    /// The backends whose rows a person wants tried again at once.
    pub(super) hurried: BTreeSet<String>,
}

impl<'a> Session<'a> {
    /// Source of incidents.
    pub(super) fn incidents(&self) -> Incidents<'a> {
        Incidents { db: self.db, sources: self.settings.sources }
    }

    /// The connection, for reading.
    pub(super) fn db(&self) -> &'a Connection {
        self.db
    }

    /// The statement, prepared once.
    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.db.prepare_cached(sql)
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// Has the mark of a deployment looked at before the transaction ends.
    pub(super) fn affect(&mut self, deployment: Option<i64>, now: Timestamp) {
        if let Some(deployment) = deployment {
            let heard_at = self.affected.entry(deployment).or_insert(now);
            *heard_at = now.max(*heard_at);
        }
    }

    /// The id of the row inserted last.
    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.db.last_insert_rowid()
    }
}

/// The open store: its connection to write, and what watches over its files.
pub(super) struct Place {
    pub(super) db: Connection,
    /// Keeps other processes from writing. Dropped after the connection.
    pub(super) lock: Lock,
    pub(super) files: Files,
    pub(super) checkpointer: Checkpointer,
}

/// The thread's belongings.
pub(super) struct Writer {
    db: Connection,
    files: Files,
    settings: Settings,
    queue: mpsc::Receiver<Box<dyn Job>>,
    news: News,
    checkpointer: Checkpointer,
    health: Health,
    /// Lines that say that something could not be folded.
    unfolded_lines: LogLimit,
    /// Lines that say that something is in quarantine.
    quarantine_lines: LogLimit,
    claimed: HashSet<i64>,
    backlog: Backlog,
    merge_targets: HashSet<i64>,
    /// `true` if links are kept. Once begun for a backend, this goes on without the backend: the links that are
    /// kept must stay true.
    keeps_marks: bool,
    /// Time at which many events last came in at once. `None`: no rush since, or it is over.
    rushed_at: Option<Instant>,
    /// The last transaction failed: do not try again before somebody asks for something.
    is_stuck: bool,
    /// Keeps other processes from writing. Last, so that it is dropped after the connection.
    _lock: Lock,
}

impl Writer {
    pub(super) fn new(
        Place { db, lock, files, checkpointer }: Place,
        settings: Settings,
        queue: mpsc::Receiver<Box<dyn Job>>,
        news: News,
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
            news,
            checkpointer,
            claimed: HashSet::new(),
            backlog: Backlog::new(most_unfolded),
            merge_targets: HashSet::new(),
            keeps_marks: false,
            rushed_at: None,
            is_stuck: false,
        }
    }

    /// Links and folds what an earlier process kept and did not come to link or fold.
    pub(super) fn catch_up(&mut self) -> rusqlite::Result<()> {
        let is_wanted = self.settings.destinations.iter().any(|destination| destination.takes_marks());
        self.keeps_marks = is_wanted || late_links::is_begun(&self.db)?;
        while self.keeps_marks && !late_links::is_done(&self.db)? {
            self.transact(late_links::link_some)?;
        }
        self.merge_targets = connected::merge_targets(&self.db)?;
        let mut after = 0;
        while let Some(last) = fold::left_over(&self.db, &self.settings, after, &mut self.backlog)? {
            while !self.backlog.is_empty() {
                self.fold(fold::LARGE_SLICE)?;
            }
            after = last;
        }
        Ok(())
    }

    /// Starts the thread; `end` is told how it ended.
    pub(super) fn start(self, end: watch::Sender<Ended>) -> std::io::Result<()> {
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
        let slice = fold::slice_beside(group.len());
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
            Some(path) => Err(format!(
                "{} was moved, removed or replaced while the program was running: put the store's files back, or leave it to the next start to create new ones",
                path.display()
            )),
        }
    }

    /// Takes all that waits. Where nothing does and nothing is left to be folded, it waits, and returns nothing now and
    /// then; in a rush it waits a little all the same. `None`: the end.
    fn gather(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut group = Vec::new();
        if self.backlog.is_empty() || self.is_stuck {
            match receive_within(&mut self.queue, LOOK_EVERY) {
                Received::Job(job) => group.push(job),
                Received::Nothing => return Some(group),
                Received::End => return None,
            }
        } else if let Some(pause) = self.calm_in() {
            match receive_within(&mut self.queue, pause) {
                Received::Job(job) => group.push(job),
                Received::Nothing | Received::End => self.rushed_at = None,
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
                for job in group {
                    job.finish(Ok(()));
                }
                record::tell_quarantined(quarantined, &self.quarantine_lines);
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
            self.fold(fold::LARGE_SLICE)?;
        }
        Ok(())
    }

    /// Folds some of what was put off, unless many events come in just now.
    fn fold_in_a_calm(&mut self, slice: usize) -> Result<(), String> {
        if self.is_stuck || self.backlog.is_empty() || self.calm_in().is_some() {
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

    /// Does what a group wants, and folds its events at once where they are few and none wait already.
    /// Returns what went to quarantine.
    fn keep(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<Vec<(i64, String)>> {
        let is_first = self.backlog.is_empty();
        let (left_for_later, quarantined) = self.transact(|session| {
            group.iter_mut().try_for_each(|job| job.run(session))?;
            if is_first && session.fresh.len() < fold::RUSH_FROM_EVENTS {
                fold::fold_fresh(session)?;
            }
            Ok((std::mem::take(&mut session.fresh), std::mem::take(&mut session.quarantined)))
        })?;
        if left_for_later.len() >= fold::RUSH_FROM_EVENTS {
            self.rushed_at = Some(Instant::now());
        }
        self.backlog.extend(left_for_later);
        Ok(quarantined)
    }

    /// Folds a part of the backlog.
    fn fold(&mut self, wanted: usize) -> rusqlite::Result<()> {
        let slice: Slice = self.backlog.slice(wanted);
        self.transact(|session| fold::fold_slice(session, &slice))?;
        self.backlog.done(&slice);
        Ok(())
    }

    /// One transaction. After an error the caller rolls back, or gives the connection up. `claimed` is as it was;
    /// `merge_targets` may hold more, which does no harm.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Session<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let claimed_before = self.claimed.clone();
        let mut session = Session {
            db: &self.db,
            settings: &self.settings,
            claimed: &mut self.claimed,
            kept: None,
            fresh: Vec::new(),
            quarantined: Vec::new(),
            merge_targets: &mut self.merge_targets,
            keeps_marks: self.keeps_marks,
            affected: BTreeMap::new(),
            outbox_changed: false,
            hurried: BTreeSet::new(),
        };
        let done = session
            .execute("BEGIN IMMEDIATE", [])
            .and_then(|_| work(&mut session))
            .and_then(|result| mark::tell_affected(&mut session).map(|()| result))
            .and_then(|result| session.execute("COMMIT", []).map(|_| result));
        let (outbox_changed, hurried) = (session.outbox_changed, session.hurried);
        self.is_stuck = done.is_err();
        if done.is_err() {
            self.claimed = claimed_before;
            return done;
        }
        self.news.tell(outbox_changed, hurried);
        done
    }

    /// Tells everybody in a group that nothing of it was done.
    fn refuse(&self, group: Vec<Box<dyn Job>>, error: &str) {
        // Those that nobody waits for any more were answered 503 before, and counted then.
        let webhooks = group.iter().filter(|job| job.kind() == Kind::Webhook && job.is_awaited()).count();
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
