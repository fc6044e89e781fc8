//! Writes that may wait, such as those of a backfill: webhooks are written first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::job::{Job, WriteKind};

/// Longest time that a write waits while webhooks come without a pause.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The writes that wait.
#[derive(Default)]
pub(super) struct BackgroundJobs {
    waiting: VecDeque<Box<dyn Job>>,
    /// Time since when the first of them waits.
    since: Option<Instant>,
}

impl BackgroundJobs {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a job to the group if it is urgent, else to the writes that wait.
    pub(super) fn sort(&mut self, job: Box<dyn Job>, group: &mut Vec<Box<dyn Job>>) {
        match job.kind() {
            WriteKind::Background => {
                self.since.get_or_insert_with(Instant::now);
                self.waiting.push_back(job);
            }
            WriteKind::Webhook | WriteKind::Other => group.push(job),
        }
    }

    /// `true` if the first job has waited long enough.
    pub(super) fn has_waited(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() > LONGEST_WAIT)
    }

    /// Takes the first job if it is its turn.
    pub(super) fn next(&mut self, has_webhooks: bool) -> Option<Box<dyn Job>> {
        if has_webhooks && !self.has_waited() {
            return None;
        }
        let job = self.waiting.pop_front();
        self.since = (!self.waiting.is_empty()).then(Instant::now);
        job
    }

    /// Puts a job back that has more to do.
    pub(super) fn put_back(&mut self, job: Box<dyn Job>) {
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_front(job);
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::StoreError;
    use super::super::session::Session;
    use super::super::sql;
    use super::*;

    struct Idle(WriteKind);

    impl Job for Idle {
        fn kind(&self) -> WriteKind {
            self.0
        }

        fn is_awaited(&self) -> bool {
            true
        }

        fn run(&mut self, _: &mut Session<'_>) -> sql::Result<()> {
            Ok(())
        }

        fn is_done(&self) -> bool {
            true
        }

        fn finish(self: Box<Self>, _: Result<(), StoreError>) {}
    }

    #[test]
    fn a_job_waits_for_webhooks_but_not_for_ever() {
        let (mut jobs, mut group) = (BackgroundJobs::default(), Vec::new());
        for kind in [WriteKind::Background, WriteKind::Webhook, WriteKind::Background, WriteKind::Other] {
            jobs.sort(Box::new(Idle(kind)), &mut group);
        }
        let urgent: Vec<WriteKind> = group.iter().map(|job| job.kind()).collect();
        assert_eq!(urgent, [WriteKind::Webhook, WriteKind::Other]);
        assert!(jobs.next(true).is_none());
        let first = jobs.next(false).unwrap();
        assert!(jobs.next(true).is_none(), "the second has only begun to wait");
        jobs.since = Instant::now().checked_sub(2 * LONGEST_WAIT);
        assert!(jobs.next(true).is_some());
        assert!(jobs.is_empty() && jobs.next(false).is_none());
        jobs.put_back(first);
        assert!(jobs.next(true).is_none() && jobs.next(false).is_some());
    }
}
