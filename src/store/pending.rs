//! A write that waits for its commit, and the channel for its result.

use tokio::sync::oneshot;

use super::engine::job::{Job, Message, StoreError, WriteKind};
use super::engine::session::Session;
use crate::store::engine::sql;

/// One closure: part of one transaction. It may run twice, because a group that fails is repeated job by job.
pub(super) trait Work<T>: FnMut(&mut Session<'_>) -> sql::Result<T> + Send + 'static {}
impl<T, F: FnMut(&mut Session<'_>) -> sql::Result<T> + Send + 'static> Work<T> for F {}

/// A job for the writer's queue, and the receiver of its result.
pub(super) type NewJob<T> = (Message, oneshot::Receiver<Result<T, StoreError>>);

/// Result of a write, once it is committed.
#[must_use = "only the result shows whether the write is committed"]
pub trait WriteFuture<T>: Future<Output = Result<T, StoreError>> + Send + 'static {}
impl<T, F: Future<Output = Result<T, StoreError>> + Send + 'static> WriteFuture<T> for F {}

/// A [`Job`] for a closure.
pub(super) struct Pending<T, W> {
    kind: WriteKind,
    /// Returns `None` if there is more to do.
    work: W,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send + 'static> Pending<T, ()> {
    /// A job that is done after one call.
    pub(super) fn boxed(kind: WriteKind, mut work: impl Work<T>) -> NewJob<T> {
        Self::with_answer(kind, move |session: &mut Session<'_>| work(session).map(Some))
    }

    /// A background job that is called until it has a result.
    pub(super) fn in_parts(work: impl Work<Option<T>>) -> NewJob<T> {
        Self::with_answer(WriteKind::Background, work)
    }

    fn with_answer<W: Work<Option<T>>>(kind: WriteKind, work: W) -> NewJob<T> {
        let (answer, receiver) = oneshot::channel();
        (Message::Job(Box::new(Pending { kind, work, result: None, answer })), receiver)
    }
}

impl<T: Send + 'static, W: Work<Option<T>>> Job for Pending<T, W> {
    fn kind(&self) -> WriteKind {
        self.kind
    }

    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(&mut self, session: &mut Session<'_>) -> sql::Result<()> {
        self.result = (self.work)(session)?;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.result.is_some()
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { work, result, answer, .. } = *self;
        // Dropped before the answer, so that the waiting caller is the last to hold the data.
        drop(work);
        let result = committed.and_then(|()| result.ok_or(StoreError::Closed));
        // The caller may have stopped waiting. The work is done even then.
        let _ = answer.send(result);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use crate::store::engine::sql::error::ErrorKind;
    use crate::store::engine::sql::{self, Error};
    use crate::store::tests::store_with;

    #[tokio::test]
    async fn a_job_is_not_refused_before_it_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(0, &folder).await;
        let (go_on, wait) = mpsc::channel::<()>();
        // The other jobs come into one group while this one waits for the end of the channel.
        let first = store.queue(move |_| {
            let _ = wait.recv();
            Ok(())
        });
        let held_up =
            || store.queue(|_| sql::Result::<()>::Err(Error::new(ErrorKind::Conflict, "a lock is held")));
        let (first, one, two, three, last, ()) =
            tokio::join!(first, held_up(), held_up(), held_up(), store.queue(|_| Ok(())), async {
                drop(go_on);
            });
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!((first, last), (Ok(()), Ok(())));
    }
}
