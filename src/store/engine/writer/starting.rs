//! The start of the writer: what an earlier process left, and its thread.

use std::thread;
use std::time::{Duration, Instant};

use super::Writer;
use crate::store::engine::job::Durability;
use crate::store::engine::merge_targets::MergeTargets;
use crate::store::engine::repeats::LONGEST_PAUSE;
use crate::store::engine::writer_end::WriterEnd;
use crate::store::engine::{backlog, folding, progress, sql};

/// Longest time for which the start is repeated, if the server cannot be reached.
const OPEN_LIMIT: Duration = Duration::from_mins(1);

impl Writer {
    /// Begins an epoch, and folds the events that an earlier process stored and did not fold.
    pub(in crate::store) fn catch_up(&mut self) -> sql::Result<()> {
        let began = Instant::now();
        self.epoch = loop {
            match self.begin_epoch() {
                Err(error) if error.is_worth_repeating() && began.elapsed() < OPEN_LIMIT => {
                    self.roll_back(&error);
                    thread::sleep(LONGEST_PAUSE);
                }
                done => break done?,
            }
        };
        if self.folding.is_shared() {
            // All replicas fold them, one slice after the other, and nobody waits for that here.
            return Ok(());
        }
        self.merge_targets = MergeTargets::Known((self.hooks.merge_targets)(self.store.db())?);
        let mut after = folding::folded_up_to(self.store.db())?;
        while let Some(left) = (self.hooks.left_over)(self.store.db(), &self.settings, after)? {
            after = left.up_to;
            self.folding.extend(Some(after), left.events);
            while !self.folding.is_empty() {
                self.fold(backlog::LARGE_SLICE)?;
            }
        }
        Ok(())
    }

    fn begin_epoch(&mut self) -> sql::Result<i64> {
        let begin = self.hooks.begin;
        let (epoch, _) = self.transact(Durability::Synced, |session, _| {
            begin(session)?;
            progress::begin_epoch(session.db)
        })?;
        Ok(epoch)
    }

    /// Starts the thread.
    pub(in crate::store) fn start(self, end: WriterEnd) -> std::io::Result<()> {
        thread::Builder::new().name("store-writer".into()).spawn(move || end.report(self.run()))?;
        Ok(())
    }
}
