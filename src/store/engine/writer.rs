//! The writer thread and its group commit.
//!
//! While one group is synced, the jobs of the next one collect, so no commit waits for a timer. The only timer,
//! `CALM_AFTER`, delays folding.

mod gathering;
mod postponing;
mod repeating;
mod starting;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::background::BackgroundJobs;
use super::backlog;
use super::change_channels::ChangeChannels;
use super::folding::{self, Folding};
use super::health::Health;
use super::hooks::Hooks;
use super::job::{Durability, Job, Message, NotCommitted, WriteKind, WriterState};
use super::merge_targets::MergeTargets;
use super::open_store::OpenStore;
use super::postponed::Postponed;
use super::repeats::Repeats;
use super::session::{Changes, Session};
use super::settings::CurrentSettings;
use super::sql;
use crate::log_limit::LogLimit;

/// Largest number of writes in a group, so that the first one does not wait too long.
const LARGEST_GROUP: usize = 256;

/// Longest transaction of a background job. A webhook ends it earlier.
const LONGEST_BACKGROUND: Duration = Duration::from_millis(5);

/// Jobs that are to be done, and what other writers tell.
type Queue = mpsc::Receiver<Message>;

/// State of the writer thread.
pub(in crate::store) struct Writer {
    store: OpenStore,
    settings: CurrentSettings,
    queue: Queue,
    background: BackgroundJobs,
    change_channels: ChangeChannels,
    health: Health,
    /// Limit for the log line about events that could not be folded.
    unfolded_lines: LogLimit,
    /// Limit for the log line about bodies in quarantine.
    quarantine_lines: LogLimit,
    hooks: Hooks,
    /// Epoch of this process: counts the processes that have opened the store for writing.
    epoch: i64,
    folding: Folding,
    merge_targets: MergeTargets,
    /// Time of the last large group of events. `None` if there is no rush.
    rushed_at: Option<Instant>,
    /// `true` while a later start of the program, with another version or configuration, decides.
    has_stepped_back: bool,
    /// Repeats of a group, since the first of them. `None` if the last group was committed.
    repeats: Option<Repeats>,
    /// Jobs that are tried again: another process held a lock, or their statement took too long.
    postponed: Postponed,
    /// Time since when no job can come any more, and shared events are still folded.
    ends_since: Option<Instant>,
    /// `true` if the last transaction failed: folding is not retried before the next write.
    last_transaction_failed: bool,
}

impl Writer {
    pub(in crate::store) fn new(
        store: OpenStore,
        (settings, hooks): (CurrentSettings, Hooks),
        (queue, folding): (Queue, Folding),
        change_channels: ChangeChannels,
        health: Health,
    ) -> Self {
        let merge_targets = match folding {
            Folding::Own(_) => MergeTargets::Known(HashSet::new()),
            Folding::Shared { .. } | Folding::Elsewhere(_) => MergeTargets::InTable,
        };
        Self {
            store,
            health,
            unfolded_lines: LogLimit::default(),
            quarantine_lines: LogLimit::default(),
            settings,
            queue,
            background: BackgroundJobs::default(),
            change_channels,
            hooks,
            epoch: 0,
            folding,
            merge_targets,
            rushed_at: None,
            has_stepped_back: false,
            repeats: None,
            postponed: Postponed::default(),
            ends_since: None,
            last_transaction_failed: false,
        }
    }

    fn run(mut self) -> WriterState {
        while let Some(group) = self.gather() {
            if let Err(doubt) = self.round(group) {
                tracing::error!(
                    "{doubt}; the program ends with status 74, so that a restart opens the store again"
                );
                return WriterState::InDoubt(doubt);
            }
        }
        match self.store.close() {
            Ok(()) => WriterState::Stopped,
            Err(error) => WriterState::InDoubt(error.to_string()),
        }
    }

    /// Commits a group, which may be empty, and does the work that is due after it. Fails if the store has to be opened
    /// again.
    fn round(&mut self, group: Vec<Box<dyn Job>>) -> Result<(), String> {
        self.settings.renew();
        let slice = backlog::slice_after_group(group.len());
        let has_webhooks = group.iter().any(|job| job.kind() == WriteKind::Webhook);
        if group.is_empty() {
            self.store.is_in_place()?;
        }
        let postponed = self.postponed.jobs.len();
        self.commit(group)?;
        // What the last commit waited for in vain is not tried again at once.
        if self.postponed.jobs.len() == postponed {
            self.try_postponed()?;
        }
        self.fold_unless_rush(slice)?;
        let has_waited = self.background.has_waited();
        if !self.store.is_busy()
            && let Some(job) = self.background.next(has_webhooks || !self.folding.is_empty())
        {
            self.commit_in_background(job, has_waited)?;
        }
        self.store.keep_up();
        self.health.look(Instant::now());
        Ok(())
    }

    /// Commits a group. A group that fails is repeated job by job, so that only the failing job is refused.
    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) -> Result<(), String> {
        if group.is_empty() {
            return Ok(());
        }
        // A full backlog is folded first, so that a start after a crash has limited work. If folding fails, writes are
        // refused, so that the backlog does not grow without end.
        if let Err(error) = self.make_room(group.len()) {
            return match self.roll_back(&error) {
                NotCommitted::InDoubt(doubt) => Err(doubt),
                NotCommitted::RolledBack(error)
                | NotCommitted::Conflict(error)
                | NotCommitted::Repeat(error) => {
                    let error = format!("too many events wait to be folded, and folding fails: {error}");
                    self.refuse(group, &error);
                    Ok(())
                }
            };
        }
        let began = Instant::now();
        match self.run_group(&mut group).map_err(|error| self.roll_back(&error)) {
            Ok(quarantined) => {
                // Checked before anybody is answered: the data may have been written to a file that was removed.
                self.store.is_in_place()?;
                self.settings.observer.committed(group.len(), began.elapsed());
                self.health.committed(Instant::now());
                // Sent before the answers: a client that then asks for failures waits until they are up to date.
                self.report_folded();
                for job in group {
                    job.finish(Ok(()));
                }
                (self.hooks.log_quarantined)(quarantined, &self.quarantine_lines);
                Ok(())
            }
            Err(NotCommitted::InDoubt(doubt)) => Err(doubt),
            Err(NotCommitted::Repeat(error)) => self.repeat(group, &error),
            Err(NotCommitted::RolledBack(error)) if group.len() == 1 => {
                self.refuse(group, &error);
                Ok(())
            }
            Err(NotCommitted::Conflict(error)) if group.len() == 1 => {
                self.postpone(group, &error);
                Ok(())
            }
            Err(NotCommitted::RolledBack(_)) => group.into_iter().try_for_each(|job| self.commit(vec![job])),
            Err(NotCommitted::Conflict(error)) => self.commit_one_by_one(group, &error),
        }
    }

    /// Runs some parts of a background job in a transaction, until another job comes, unless it has waited too long.
    fn commit_in_background(&mut self, mut job: Box<dyn Job>, has_waited: bool) -> Result<(), String> {
        let began = Instant::now();
        let parts = |session: &mut Session<'_>, queue: &Queue| loop {
            job.run(session)?;
            let must_yield = !queue.is_empty() && !has_waited;
            if job.is_done() || must_yield || began.elapsed() > LONGEST_BACKGROUND {
                return Ok(());
            }
        };
        match self.transact(Durability::Later, parts).map_err(|error| self.roll_back(&error)) {
            Ok(((), changes)) => {
                self.folding.extend(changes.kept, changes.to_fold);
                self.store.is_in_place()?;
                self.health.committed(Instant::now());
                self.report_folded();
                if job.is_done() {
                    job.finish(Ok(()));
                } else if job.is_awaited() {
                    self.background.put_back(job);
                }
            }
            Err(NotCommitted::InDoubt(doubt)) => return Err(doubt),
            Err(
                NotCommitted::RolledBack(error) | NotCommitted::Conflict(error) | NotCommitted::Repeat(error),
            ) => {
                self.refuse(vec![job], &error);
            }
        }
        Ok(())
    }

    /// Folds until the backlog has room for a group of events.
    fn make_room(&mut self, group: usize) -> sql::Result<()> {
        let most = self.settings.max_backlog;
        while self.folding.is_full(group, most) {
            self.fold(backlog::LARGE_SLICE)?;
        }
        Ok(())
    }

    /// Folds a part of the backlog, unless there is a rush.
    fn fold_unless_rush(&mut self, slice: usize) -> Result<(), String> {
        // Other processes may write meanwhile, so what is shared is tried again without a write of this one.
        let has_failed = self.last_transaction_failed && !self.folding.is_shared();
        if has_failed || self.folding.is_empty() || self.time_to_calm().is_some() {
            return Ok(());
        }
        match self.fold(slice).map_err(|error| self.roll_back(&error)) {
            Ok(()) => Ok(()),
            Err(NotCommitted::InDoubt(doubt)) => Err(doubt),
            Err(
                NotCommitted::RolledBack(error) | NotCommitted::Conflict(error) | NotCommitted::Repeat(error),
            ) => {
                self.folding.look_later();
                if self.has_stepped_back {
                    return Ok(());
                }
                if let Some(held_back) = self.unfolded_lines.pass(Instant::now()) {
                    let retry = if self.folding.is_shared() { "in a second" } else { "with the next write" };
                    tracing::error!(
                        error,
                        held_back,
                        "events are kept, but do not become failures: will retry {retry}"
                    );
                }
                Ok(())
            }
        }
    }

    /// Runs the jobs of a group in one transaction. Returns the bodies that went to quarantine.
    fn run_group(&mut self, group: &mut [Box<dyn Job>]) -> sql::Result<Vec<(i64, String)>> {
        let ((), changes) = self.transact(Durability::Synced, |session, _| {
            group.iter_mut().try_for_each(|job| job.run(session))
        })?;
        if changes.to_fold.len() >= backlog::RUSH_FROM_EVENTS {
            self.rushed_at = Some(Instant::now());
        }
        self.folding.extend(changes.kept, changes.to_fold);
        Ok(changes.quarantined)
    }

    /// Folds a part of the backlog.
    fn fold(&mut self, wanted: usize) -> sql::Result<()> {
        let fold = self.hooks.fold;
        match self.folding.own_slice(wanted) {
            Some(slice) => {
                self.transact(Durability::Later, |session, _| fold(session, &slice))?;
                self.folding.done(&slice);
            }
            None => self.fold_shared()?,
        }
        self.report_folded();
        Ok(())
    }

    /// Reports if every event is folded that this writer has stored.
    fn report_folded(&self) {
        if self.folding.is_own() {
            self.change_channels.folded(self.folding.is_empty());
        }
    }

    /// Folds some of the events that a table has.
    fn fold_shared(&mut self) -> sql::Result<()> {
        let (fold, stored) = (self.hooks.fold, self.change_channels.stored_so_far());
        let has_some = folding::has_shared(self.store.db())?;
        if has_some {
            let wanted = self.folding.shared_slice_size();
            let (folded, took) = self
                .transact(Durability::Later, |session, _| {
                    let began = Instant::now();
                    let Some(slice) = folding::shared_slice(session.db(), wanted)? else {
                        return Ok((0, began));
                    };
                    fold(session, &slice)?;
                    folding::remove_shared(session.db(), &slice)?;
                    Ok((slice.events.len(), began))
                })?
                .0;
            self.folding.has_taken(folded, took.elapsed());
        }
        // The next look finds out if there are more.
        self.folding.looked(has_some);
        if !has_some {
            self.change_channels.folded_at(stored);
        }
        Ok(())
    }

    /// Runs one transaction. After an error the caller rolls back, or closes the connection. `merge_targets` may then
    /// have too many keys, which only costs a few queries.
    fn transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Session<'_>, &Queue) -> sql::Result<T>,
    ) -> sql::Result<(T, Changes)> {
        let done = self.try_transact(durability, work);
        self.last_transaction_failed = done.is_err();
        let (result, mut changes) = done?;
        self.note_stepped_back(None);
        if !self.folding.is_own() && !changes.to_fold.is_empty() {
            self.change_channels.stored();
        }
        self.change_channels.send(changes.outbox_changed, std::mem::take(&mut changes.retry_requests));
        if changes.resolve_is_missing {
            self.settings.observer.missed_resolve();
        }
        Ok((result, changes))
    }

    fn try_transact<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Session<'_>, &Queue) -> sql::Result<T>,
    ) -> sql::Result<(T, Changes)> {
        self.store.begin(durability, &self.settings)?;
        let mut session = Session {
            db: self.store.db(),
            settings: &self.settings,
            epoch: self.store.epoch(self.epoch),
            merge_targets: &mut self.merge_targets,
            changes: Changes::default(),
        };
        let result = work(&mut session, &self.queue)?;
        (self.hooks.finish)(&mut session)?;
        let changes = session.changes;
        self.store.commit(durability, &changes.to_fold)?;
        self.repeats = None;
        Ok((result, changes))
    }
}
