//! The wait of the writer for jobs.

use std::time::{Duration, Instant};

use super::postponing::POSTPONED_PAUSE;
use super::{LARGEST_GROUP, Writer};
use crate::store::engine::job::{Job, Message};
use crate::store::engine::wait::wait;

/// Time without a large group of events after which a rush is over.
const CALM_AFTER: Duration = Duration::from_millis(20);
/// Time between two checks of the store's files while there are no writes.
const FILE_CHECK_EVERY: Duration = Duration::from_secs(2);
/// Longest wait for a job while other processes may have stored events.
const SHARED_PAUSE: Duration = Duration::from_secs(1);
/// Longest time of folding after the last job. Other replicas may go on storing events.
const LAST_FOLDS: Duration = Duration::from_secs(20);
/// Time after which a background job that has to wait looks again.
const BACKGROUND_PAUSE: Duration = Duration::from_millis(1);

impl Writer {
    /// Takes all waiting jobs. Without jobs and backlog it waits, and returns an empty group after `FILE_CHECK_EVERY`. In a
    /// rush it waits a little even with a backlog. `None` at the end.
    pub(super) fn gather(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let mut group = Vec::new();
        if self.folding.is_empty() || self.last_transaction_failed {
            let pause = match (self.background.is_empty(), self.folding.is_shared()) {
                _ if !self.postponed.is_empty() => POSTPONED_PAUSE,
                (false, _) => BACKGROUND_PAUSE,
                (true, true) => SHARED_PAUSE,
                (true, false) => FILE_CHECK_EVERY,
            };
            // A backlog that is left here could not be folded.
            if self.background.is_empty() || self.store.is_busy() || !self.folding.is_empty() {
                match wait(self.queue.recv(), pause) {
                    Some(Some(message)) => self.sort(message, &mut group),
                    // No job will come any more.
                    Some(None) => return None,
                    None => return Some(group),
                }
            }
        } else if let Some(pause) = self.time_to_calm() {
            match wait(self.queue.recv(), pause) {
                Some(Some(message)) => self.sort(message, &mut group),
                Some(None) | None => self.rushed_at = None,
            }
        }
        while group.len() < LARGEST_GROUP
            && let Ok(message) = self.queue.try_recv()
        {
            self.sort(message, &mut group);
        }
        // What is still left to fold is left to the other replicas, or to the next start.
        let is_over = group.is_empty() && self.folding.is_shared() && self.queue.is_closed();
        (!is_over || self.ends_since.get_or_insert_with(Instant::now).elapsed() < LAST_FOLDS).then_some(group)
    }

    /// Adds a job to the group, or to the writes that wait.
    fn sort(&mut self, message: Message, group: &mut Vec<Box<dyn Job>>) {
        match message {
            Message::Job(job) => self.background.sort(job, group),
            Message::FoldSoon => self.folding.wake(),
        }
    }

    /// Time until the rush counts as over. `None` if there is no rush.
    pub(super) fn time_to_calm(&self) -> Option<Duration> {
        CALM_AFTER.checked_sub(self.rushed_at?.elapsed()).filter(|pause| !pause.is_zero())
    }
}
