//! The store: the only SQL, and the only place that blocks on the disk.
//!
//! One writer thread owns the one connection that can write; it commits whatever waits as a group, and
//! nobody gets an answer before the disk has it. Readers cannot write.

mod blame;
mod checkpoint;
mod claim;
mod connected;
mod deployment_row;
mod event_row;
mod failure_row;
mod figures;
mod files;
mod find;
mod fold;
mod forwarded;
mod forwarding;
mod health;
mod job;
mod json;
mod lane;
mod late_links;
mod listing;
mod mark;
mod news;
mod orders;
mod outbox;
mod outbox_rows;
mod owed_mark;
mod quarantine;
mod record;
mod reevaluate;
mod resend;
mod schema;
mod sizes;
mod stored_failure;
mod story;
mod submit;
mod told_deployment;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

pub use claim::{Choice, Claim, Claimed};
pub use figures::FiguresReader;
pub use files::is_in_use;
pub use find::{Found, FoundKind, UnknownBackend};
pub use forwarded::{ForwardState, Forwarded};
pub use health::Trouble;
pub use lane::Standing;
pub use listing::{Filter, Gauges, ListedFailure, Page, ReadError, Reader};
pub use news::Hurried;
pub use orders::{After, Obeyed, Order, Total};
pub use outbox::Outcome;
pub use outbox_rows::{OutboxFilter, OutboxPage, OutboxRow, RowState};
pub use quarantine::{Body, QuarantinePage, QuarantineRow, Quarantined, Retried};
pub use record::{Delivery, Recorded};
pub use reevaluate::{Batch, Change, Changed, Span};
pub use schema::{OpenError, SCHEMA};
pub use sizes::{LITTLE_ROOM_BYTES, Sizes};
pub use story::{Attempt, Received, Story, Today};
pub use submit::Submitted;

use crate::domain::deployment::Deployment;
use crate::domain::event::Heading;
use crate::domain::forwarding::Destinations;
use crate::domain::id::FailureId;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use files::{Files, Lock};
use health::Health;
use job::{Job, Kind};
use news::News;
use writer::{Place, Session, Writer};

/// Number of writes that may wait. `offer` refuses one more, so that senders are answered in time; `queue` waits
/// for room.
const QUEUE: usize = 1024;

/// More events than this never wait to be folded: the last failures would be too late, and so would the next start
/// after a crash.
pub const MOST_UNFOLDED: usize = 128 * 1024;

/// Settings by which the writer turns events into failures and outbox rows.
pub struct Settings {
    /// Rules by which an incident becomes a failure.
    pub policy: Arc<Policy>,
    /// Backends that get a copy.
    pub destinations: Destinations,
    /// Longest time between the end of a deployment and a failure that it caused.
    pub link_window: Duration,
    /// Sources of events, each of which reads the bodies of its own.
    pub sources: Sources,
    /// Number of events that may wait to be folded; usually [`MOST_UNFOLDED`].
    pub most_unfolded: usize,
    /// Told of every commit.
    pub observer: Arc<dyn CommitObserver>,
}

/// Somebody who counts commits.
pub trait CommitObserver: Send + Sync {
    /// A group of `writes` became durable in `took`.
    fn committed(&self, writes: usize, took: Duration);

    /// So many `writes` were not done, because the store could not commit.
    fn refused(&self, _writes: usize) {}
}

/// Reason why a write was not done. In each case, nothing of it may be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue of writes is full.
    #[error("too many writes are waiting for the disk")]
    Busy,
    /// It was rolled back.
    #[error("the store could not commit: {0}")]
    NotCommitted(String),
    /// It took too long; it may still be done.
    #[error("the disk took too long")]
    TimedOut,
    /// The writer has ended; the process is about to.
    #[error("the store is closed")]
    Closed,
}

/// End of the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It still runs.
    Running,
    /// Every handle was dropped and everything was written.
    Cleanly,
    /// A sync failed, the store is damaged or can only be read, or a transaction could not be rolled back: what the disk
    /// holds or allows is in doubt, and only opening the store again can tell.
    InDoubt(String),
}

/// A handle to the writer. Clones share it; the writer ends when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Box<dyn Job>>,
    outbox_changed: watch::Receiver<()>,
    hurried: watch::Receiver<Hurried>,
    ended: watch::Receiver<Ended>,
    health: Health,
}

impl Store {
    /// Opens the store, migrates it, and starts its writer.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        let mut db = schema::open_to_write(path)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (changed, outbox_changed) = watch::channel(());
        let (hurry, hurried) = watch::channel(Hurried::new());
        let (end, ended) = watch::channel(Ended::Running);
        let (checkpointer, health) = (checkpoint::start(path, &mut db)?, Health::default());
        let files = Files::of(path).map_err(|error| OpenError::NoFile { path: path.to_owned(), error })?;
        let place = Place { db, lock, files, checkpointer };
        let mut writer = Writer::new(place, settings, queue, News { changed, hurry }, health.clone());
        writer.catch_up().map_err(schema::in_file(path))?;
        writer.start(end)?;
        Ok(Self { jobs, outbox_changed, hurried, ended, health })
    }

    /// Records a verified event. When this is `Ok`, the disk has it.
    pub fn record(&self, heading: Heading, delivery: Delivery) -> impl Answer<Recorded> {
        // Kept until the answer is there, so that the thread that made it frees it: an allocator has far more work with
        // what another thread frees.
        let kept = Arc::new((heading, delivery));
        let webhook = Arc::clone(&kept);
        let answer =
            self.offer(Kind::Webhook, move |session| record::record(session, &webhook.0, &webhook.1));
        async move {
            let recorded = answer.await;
            drop(kept);
            recorded
        }
    }

    /// Keeps a signed body that was not understood.
    pub fn quarantine(&self, reason: String, delivery: Delivery) -> impl Answer<Recorded> {
        self.offer(Kind::Webhook, move |session| record::quarantine(session, &reason, &delivery))
    }

    /// Saves a failure that came by the event API.
    pub async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.offer(Kind::Other, move |session| submit::save(session, &submission, now)).await
    }

    /// Removes a failure that came by the event API.
    pub async fn delete(&self, id: FailureId, now: Timestamp) -> Result<Submitted, StoreError> {
        self.offer(Kind::Other, move |session| submit::delete(session, &id, now)).await
    }

    /// Saves a deployment.
    pub async fn deploy(&self, deployment: Deployment, now: Timestamp) -> Result<(), StoreError> {
        self.offer(Kind::Other, move |session| deployment_row::save(session, &deployment, now)).await
    }

    /// Has a body in quarantine read again by its source.
    pub async fn retry_quarantined(&self, id: i64) -> Result<Retried, StoreError> {
        self.queue(move |session| quarantine::retry(session, id)).await
    }

    /// Looks at some failures again under today's policy, and saves those that are something else.
    pub async fn reevaluate(&self, span: Span, now: Timestamp) -> Result<Batch, StoreError> {
        self.queue(move |session| reevaluate::reevaluate(session, span, now)).await
    }

    /// Removes some of the raw bodies received before `before`, and says how many; none: there are no more.
    pub async fn forget_bodies(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.queue(move |session| event_row::forget_bodies(session, before)).await
    }

    /// Proves that the store can be written.
    pub async fn prove_writable(&self, now: Timestamp) -> Result<(), StoreError> {
        const PULSE: &str = "INSERT INTO pulse VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET at_ns = ?1";
        self.offer(Kind::Other, move |session| session.execute(PULSE, [now.as_nanos()]).map(drop)).await
    }

    /// The trouble that the store is in. `None`: no commit has failed in the last ten seconds.
    pub fn trouble(&self) -> Option<Trouble> {
        self.health.trouble(Instant::now())
    }

    /// Notes a webhook that was answered 503 because the writer did not come to it in time. If the store turns out to be
    /// unable to commit, the webhook is counted as put off by that.
    pub fn put_off(&self) {
        self.health.put_off();
    }

    /// Receiver of the writer's state, which changes when the writer ends.
    pub fn ended(&self) -> watch::Receiver<Ended> {
        self.ended.clone()
    }

    /// Does work in the writer if there is room for it. It is on its way before the answer is waited for, so that what
    /// waits is small.
    fn offer<T: Send + 'static>(&self, kind: Kind, work: impl Work<T>) -> impl Answer<T> {
        let (job, answer) = Pending::boxed(kind, work);
        let offered = self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        });
        async move {
            offered?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        }
    }

    /// Does work in the writer, waiting for room.
    async fn queue<T: Send + 'static>(&self, work: impl Work<T>) -> Result<T, StoreError> {
        let (job, answer) = Pending::boxed(Kind::Other, work);
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// Result of a write, once the disk has it.
#[must_use = "without it nobody knows whether the disk has it"]
pub trait Answer<T>: Future<Output = Result<T, StoreError>> + Send + 'static {}
impl<T, F: Future<Output = Result<T, StoreError>> + Send + 'static> Answer<T> for F {}

/// One closure: part of one transaction. It may run twice, because a group that fails is redone one by one.
trait Work<T>: FnMut(&mut Session<'_>) -> rusqlite::Result<T> + Send + 'static {}
impl<T, F: FnMut(&mut Session<'_>) -> rusqlite::Result<T> + Send + 'static> Work<T> for F {}

/// Work that waits for its commit, and somebody who waits for the result.
struct Pending<T, W> {
    kind: Kind,
    work: W,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send + 'static, W: Work<T>> Pending<T, W> {
    fn boxed(kind: Kind, work: W) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>) {
        let (answer, receiver) = oneshot::channel();
        (Box::new(Self { kind, work, result: None, answer }), receiver)
    }
}

impl<T: Send + 'static, W: Work<T>> Job for Pending<T, W> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.work)(session)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { work, result, answer, .. } = *self;
        // Before the answer: whoever waits for it is the last to hold what it works with.
        drop(work);
        let result = committed.and_then(|()| result.ok_or(StoreError::Closed));
        // Whoever asked may have given up waiting; the work is done all the same.
        let _ = answer.send(result);
    }
}
