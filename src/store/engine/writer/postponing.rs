//! Jobs that are tried again, because another process held a lock, or their statement took too long, while the rest of
//! their group is committed.

use std::time::{Duration, Instant};

use super::Writer;
use crate::store::engine::job::{Job, StoreError};
use crate::store::engine::postponed::Postponed;

/// Time after which the jobs are tried again if no other job comes.
pub(super) const POSTPONED_PAUSE: Duration = Duration::from_millis(20);
/// Longest time for which a job is tried again. Somebody who sends a webhook waits less long.
const LONGEST: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(5) };
/// Number of jobs of a group that are tried alone, and held up, before all others are postponed untried. A lock on a whole
/// table holds up each of them.
const MOST_HELD_UP: usize = 3;

impl Writer {
    /// Commits the jobs of a group one by one. Those that are held up are postponed.
    pub(super) fn commit_one_by_one(&mut self, group: Vec<Box<dyn Job>>, error: &str) -> Result<(), String> {
        self.commit_each(group.into_iter().map(|job| (job, None)), error)
    }

    /// Tries the postponed jobs again that somebody still waits for.
    pub(super) fn try_postponed(&mut self) -> Result<(), String> {
        if self.postponed.is_empty() {
            return Ok(());
        }
        let Postponed { jobs, error } = std::mem::take(&mut self.postponed);
        let may_wait = |(job, since): &(Box<dyn Job>, Option<Instant>)| {
            job.is_awaited() && since.is_none_or(|since| since.elapsed() < LONGEST)
        };
        let (waiting, over): (Vec<_>, Vec<_>) = jobs.into_iter().partition(may_wait);
        // The store is well: it is only these jobs that are held up.
        self.settings.observer.refused(over.len());
        for (job, _) in over {
            job.finish(Err(StoreError::NotCommitted(error.clone())));
        }
        self.commit_each(waiting, &error)
    }

    /// Tries the jobs one by one. Those that are held up are tried last the next time.
    fn commit_each(
        &mut self,
        jobs: impl IntoIterator<Item = (Box<dyn Job>, Option<Instant>)>,
        error: &str,
    ) -> Result<(), String> {
        let (first, mut held_up, mut untried) = (self.postponed.jobs.len(), 0, Vec::new());
        for (job, since) in jobs {
            if held_up == MOST_HELD_UP {
                untried.push((job, since));
                continue;
            }
            let before = self.postponed.jobs.len();
            self.commit(vec![job])?;
            if let Some((_, held_up_since)) = self.postponed.jobs.get_mut(before) {
                *held_up_since = since.or(*held_up_since);
                held_up += 1;
            }
        }
        if !untried.is_empty() {
            error.clone_into(&mut self.postponed.error);
            self.postponed.jobs.splice(first..first, untried);
        }
        Ok(())
    }

    /// Keeps a job to try it again.
    pub(super) fn postpone(&mut self, job: Vec<Box<dyn Job>>, error: &str) {
        let now = Some(Instant::now());
        self.postponed.jobs.extend(job.into_iter().map(|job| (job, now)));
        error.clone_into(&mut self.postponed.error);
    }
}
