//! Transactions that were not committed: they are undone, repeated or refused.

use std::thread;
use std::time::Instant;

use super::Writer;
use crate::store::engine::job::{Job, NotCommitted, StoreError, WriteKind};
use crate::store::engine::repeats::Repeats;
use crate::store::engine::sql;

impl Writer {
    /// Repeats a group that may not be committed, as long as somebody waits for it. What it has stored already is not
    /// stored twice.
    pub(super) fn repeat(&mut self, mut group: Vec<Box<dyn Job>>, error: &str) -> Result<(), String> {
        group.retain(|job| job.is_awaited());
        let repeats = self.repeats.get_or_insert_with(Repeats::begin);
        if group.is_empty() || repeats.are_over() {
            self.repeats = None;
            self.refuse(group, error);
            return Ok(());
        }
        thread::sleep(repeats.next_pause());
        self.commit(group)
    }

    /// Answers every job of a group that it was not done.
    pub(super) fn refuse(&self, group: Vec<Box<dyn Job>>, error: &str) {
        // Webhooks that nobody waits for any more were answered 503 and counted before.
        let webhooks =
            group.iter().filter(|job| job.kind() == WriteKind::Webhook && job.is_awaited()).count();
        let writes = group.len();
        for job in group {
            let error = error.to_owned();
            job.finish(Err(if self.has_stepped_back {
                StoreError::SteppedBack(error)
            } else {
                StoreError::NotCommitted(error)
            }));
        }
        if self.has_stepped_back {
            // The store is well, and has nothing that a person must look for: others do these writes.
            return;
        }
        self.settings.observer.refused(writes);
        self.health.failed(Instant::now(), error, writes, webhooks);
    }

    /// Undoes the transaction.
    pub(super) fn roll_back(&mut self, error: &sql::Error) -> NotCommitted {
        let is_undone = self.store.db().roll_back();
        if error.is_stepped_back() {
            self.note_stepped_back(Some(error));
        }
        NotCommitted::of(error, is_undone)
    }

    /// Notes if a later start of the program decides. `error` has the reason.
    pub(super) fn note_stepped_back(&mut self, error: Option<&sql::Error>) {
        let has_stepped_back = error.is_some();
        if std::mem::replace(&mut self.has_stepped_back, has_stepped_back) == has_stepped_back {
            return;
        }
        self.settings.observer.stepped_back(has_stepped_back);
        if let Some(error) = error {
            tracing::warn!("this replica only takes webhooks in: {error}");
        } else {
            tracing::info!("this replica decides again");
        }
    }
}
