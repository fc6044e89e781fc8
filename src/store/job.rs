//! What the writer is asked to do, and how it waits for more.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::StoreError;
use super::writer::Session;

/// What a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A webhook, whose sender is answered 503 where it is refused.
    Webhook,
    /// Anything else.
    Other,
}

/// Something to be done in a transaction, and somebody to be told once it is durable.
pub(super) trait Job: Send {
    /// What it is for.
    fn kind(&self) -> Kind;
    /// Does it. After an error it may be called again, in a transaction of its own.
    fn run(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()>;
    /// Tells the outcome.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What came of waiting for a job.
pub(super) enum Received {
    Job(Box<dyn Job>),
    Nothing,
    /// There will be none any more.
    End,
}

/// The next job, if one comes soon.
pub(super) fn receive_within(queue: &mut mpsc::Receiver<Box<dyn Job>>, pause: Duration) -> Received {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let began = Instant::now();
    loop {
        if let Poll::Ready(job) = queue.poll_recv(&mut Context::from_waker(&waker)) {
            return job.map_or(Received::End, Received::Job);
        }
        match pause.checked_sub(began.elapsed()) {
            Some(left) => thread::park_timeout(left),
            None => return Received::Nothing,
        }
    }
}
