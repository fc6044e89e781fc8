//! The store: the only module with SQL, and the only one that blocks on the disk.
//!
//! For a file, one writer thread owns the only connection that can write. For a database, each replica has two: one takes
//! events in, and one decides. A writer commits all waiting writes as a group, and answers them once they are durable.
//!
//! Each folder imports only from those to its left: `engine` (connections, the writer, migrations) < `facts` (events
//! and deployments as received) < `state` (failures and their links) < `outbox` (requests to backends) < `read` < `copy`.

pub mod copy;
mod engine;
mod facts;
mod forwarding;
mod outbox;
mod pending;
mod read;
mod state;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

pub use engine::address::{Acknowledgement, PostgresAddress, StoreAddress};
pub use engine::change_channels::RetryRequests;
pub use engine::error::ReadError;
pub use engine::health::StoreOutage;
pub use engine::job::{StoreError, WriterState};
pub use engine::open_error::OpenError;
pub use engine::postgres::{guarantees::ServerGuarantees, tls::check_certificates};
pub use engine::schema::SCHEMA;
pub use engine::settings::{CommitObserver, MAX_BACKLOG, Settings};
pub use engine::shared_gauges::SharedGauges;
pub use engine::sizes::{NEARLY_FULL_BYTES, Sizes};
pub use engine::sql::error::Error as DatabaseError;
pub use engine::sqlite::backup::{BackupError, BackupSummary, backup};
pub use engine::sqlite::files::is_in_use;

pub use facts::delivery::Delivery;
pub use facts::quarantine::QuarantineRetry;
pub use facts::record::Recorded;
pub use outbox::attempts::AttemptOutcome;
pub use outbox::backfill::{BackfillPart, Backfilled};
pub use outbox::claim::{Claim, ClaimOrder, Claimed};
pub use outbox::commands::{CommandCursor, CommandOutcome, CommandTotals, RetryCursor, RowCommand};
pub use outbox::group_commands::{GroupKind, RowGroup};
pub use outbox::import::{ImportPart, ImportedPart};
pub use outbox::lane::MOST_COUNTED;
pub use outbox::rows::RowState;
pub use read::{
    AttemptRecord, BackendStatus, DeadRow, DeployedNames, DeploymentContext, DeploymentFilter,
    DeploymentPage, DeploymentStory, FailureFilter, FailurePage, FiguresReader, ForwardState, Forwarded,
    FoundId, FoundKind, Growth, ListedFailure, ListedGroup, OpenNow, OutboxFilter, OutboxGauge, OutboxPage,
    OutboxRow, QuarantinePage, QuarantineRow, Quarantined, QuarantinedBody, Reader, ReceivedEvent,
    StoreGauges, Story, StoryContext, TimedFailure, TimedFailureFilter, TimedFailures, UnfinishedDeployment,
    UnknownBackend,
};
pub use state::read_deployments::ReadDeployments;
pub use state::reading::ReadIncident;
pub use state::reevaluate::{ReevaluatePart, ReevaluatePlace, ReevaluateSpan, ReevaluatedBatch};
pub use state::submission::Submitted;

use crate::domain::deployment::Deployment;
use crate::domain::event::Heading;
use crate::domain::forwarding::Destinations;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::policy::Policy;
use crate::domain::related_change::RelatedChange;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use engine::backlog::Backlog;
use engine::change_channels::ChangeChannels;
use engine::folding::Folding;
use engine::health::Health;
use engine::hooks::Hooks;
use engine::job::{Message, WriteKind};
use engine::open_error::in_store;
use engine::open_store::Opened;
use engine::session::Session;
use engine::settings::CurrentSettings;
use engine::writer::Writer;
use engine::writer_end::WriterEnd;
use facts::{quarantine, record, related_changes, retention};
use outbox::{backfill, import, reconcile};
pub use pending::WriteFuture;
use pending::{NewJob, Pending, Work};
use state::{duplicates, fold, merge_group, read_deployments, reading, reevaluate, renew, submission};

/// Work of the writer on stored events, and at the end of a transaction.
const HOOKS: Hooks = Hooks {
    begin: |session| reconcile::forget_unmarked(session),
    fold: fold::slice,
    finish: |session| {
        duplicates::settle(session)?;
        renew::links(session)?;
        reconcile::all(session)
    },
    left_over: fold::left_over,
    merge_targets: merge_group::merge_targets,
    log_quarantined: record::log_quarantined,
};

/// Number of writes that may wait. `offer` refuses one more, so that senders are answered in time; `queue` waits
/// for room.
const QUEUE: usize = 1024;

/// A handle to the writer. Clones share it; the writer ends when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    /// Queue of the writer that stores webhooks. With one writer, that of all jobs.
    webhooks: mpsc::Sender<Message>,
    jobs: mpsc::Sender<Message>,
    /// Counts the commits without a clear answer. `None` if this process has the store for itself.
    unclear_commits: Option<Arc<AtomicU64>>,
    /// For each backend, the last epoch in which this process has claimed rows.
    claim_epochs: Arc<Mutex<HashMap<String, i64>>>,
    configure: Arc<watch::Sender<Settings>>,
    outbox_changed: watch::Receiver<()>,
    retry_requests: watch::Receiver<RetryRequests>,
    is_folded: watch::Receiver<bool>,
    ended: watch::Receiver<WriterState>,
    health: Health,
}

impl Store {
    /// Opens the store, migrates it, and starts its writers.
    pub fn open(address: impl Into<StoreAddress>, settings: Settings) -> Result<Self, OpenError> {
        let address = address.into();
        let opened = Opened::open(&address, settings.is_daemon)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (changed, outbox_changed) = watch::channel(());
        let (request_retry, retry_requests) = watch::channel(RetryRequests::new());
        let (fold, is_folded) = watch::channel(true);
        let health = Health::of(&address);
        let change_channels =
            ChangeChannels { changed, request_retry, is_folded: fold, stored: Arc::default() };
        let max_backlog = settings.max_backlog;
        let (configure, configured) = watch::channel(settings);
        let writer = |store, queue, folding| {
            let settings = CurrentSettings::of(configured.clone());
            Writer::new(store, (settings, HOOKS), (queue, folding), change_channels.clone(), health.clone())
        };
        let unclear_commits = opened.unclear_commits();
        let (mut decider, webhooks, end, ended) = match opened {
            Opened::Alone(store) => {
                let ([end], ended) = WriterEnd::of();
                (writer(store, queue, Folding::Own(Backlog::new(max_backlog))), jobs.clone(), end, ended)
            }
            Opened::Shared { intake, decider } => {
                let (webhooks, taken_in) = mpsc::channel(QUEUE);
                let ([webhooks_end, end], ended) = WriterEnd::of();
                writer(intake, taken_in, Folding::Elsewhere(jobs.clone())).start(webhooks_end)?;
                // Nobody knows before the first look.
                change_channels.folded(false);
                (writer(decider, queue, Folding::shared()), webhooks, end, ended)
            }
        };
        decider.catch_up().map_err(in_store(&address))?;
        decider.start(end)?;
        let configure = Arc::new(configure);
        Ok(Self {
            webhooks,
            jobs,
            unclear_commits,
            claim_epochs: Arc::default(),
            configure,
            outbox_changed,
            retry_requests,
            is_folded,
            ended,
            health,
        })
    }

    /// Makes the writer use another policy and other backends from its next transaction on. `fingerprint`: that of the new
    /// configuration, as in [`Settings`].
    pub fn configure(&self, policy: Arc<Policy>, destinations: Destinations, fingerprint: Option<Arc<str>>) {
        self.configure.send_modify(|settings| {
            settings.policy = policy;
            settings.destinations = destinations;
            settings.fingerprint = fingerprint;
        });
    }

    /// Forgets the marks of backends that take no marks any more, as each start does.
    pub async fn forget_unmarked(&self) -> Result<(), StoreError> {
        self.queue(|session| reconcile::forget_unmarked(session)).await
    }

    /// Records a verified event. `Ok` means that the disk has it.
    pub fn record(&self, heading: Heading, delivery: Delivery) -> impl WriteFuture<Recorded> {
        // Kept until the answer arrives, so that the thread that allocated it frees it. An allocator has far more work
        // if another thread frees it.
        let kept = Arc::new((heading, delivery));
        let webhook = Arc::clone(&kept);
        let answer =
            self.offer(WriteKind::Webhook, move |session| record::record(session, &webhook.0, &webhook.1));
        async move {
            let recorded = answer.await;
            drop(kept);
            recorded
        }
    }

    /// Puts a signed body that was not understood in quarantine.
    pub fn quarantine(&self, reason: String, delivery: Delivery) -> impl WriteFuture<Recorded> {
        self.offer(WriteKind::Webhook, move |session| record::quarantine(session, &reason, &delivery))
    }

    /// Stores those events of an incident that were read from its source's API and tell something new. Returns their
    /// types. A power loss before the next [`Self::set_reconciled_up_to`] may lose them.
    pub async fn record_read(&self, read: ReadIncident) -> Result<Vec<String>, StoreError> {
        self.send(Pending::boxed(WriteKind::Background, move |session| reading::record(session, &read))).await
    }

    /// Notes that everything that the source's API told up to this time is stored, except about incidents that could
    /// not be read.
    pub async fn set_reconciled_up_to(
        &self,
        at: Timestamp,
        unread: BTreeSet<IncidentId>,
    ) -> Result<(), StoreError> {
        self.queue(move |session| reading::end_look(session, at, &unread)).await
    }

    /// Stores those events about deployments that were read from a source's API and that no webhook has told. Returns their
    /// number. A power loss before the next [`Self::set_deployments_read`] may lose them.
    pub async fn record_read_deployments(&self, read: ReadDeployments) -> Result<usize, StoreError> {
        let work = move |session: &mut Session<'_>| read_deployments::record(session, &read);
        self.send(Pending::boxed(WriteKind::Background, work)).await
    }

    /// Notes that everything that the source's API tells of a repository's deployments up to this time is stored.
    pub async fn set_deployments_read(&self, repository: String, up_to: Timestamp) -> Result<(), StoreError> {
        self.queue(move |session| read_deployments::end(session, &repository, up_to)).await
    }

    /// Stores what a part of a backfill tells, or finds out what that would change. Webhooks are stored in between. A
    /// power loss before the next [`Self::set_backfilled`] may lose it.
    pub async fn backfill(&self, part: BackfillPart) -> Result<Backfilled, StoreError> {
        let mut backfill = backfill::Work::of(part);
        self.send(Pending::in_parts(move |session| backfill.advance(session))).await
    }

    /// Notes that a backfill has stored everything that was created from `since` until `up_to`.
    pub async fn set_backfilled(&self, since: Timestamp, up_to: Timestamp) -> Result<(), StoreError> {
        self.queue(move |session| backfill::set_progress(session, since, up_to)).await
    }

    /// Notes that no backfill is unfinished.
    pub async fn end_backfill(&self) -> Result<(), StoreError> {
        self.queue(|session| backfill::end(session)).await
    }

    /// Stores a part of an import, or finds out what that would change. Webhooks are stored in between. A power loss before
    /// the next [`Self::set_imported`] may lose it.
    pub async fn import(&self, part: ImportPart) -> Result<ImportedPart, StoreError> {
        let mut import = import::Work::of(part);
        self.send(Pending::in_parts(move |session| import.advance(session))).await
    }

    /// Notes that an import from a backend has stored everything that started in this period.
    pub async fn set_imported(
        &self,
        backend: String,
        period: (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        self.queue(move |session| import::set_progress(session, &backend, period)).await
    }

    /// Notes that no import from a backend is unfinished.
    pub async fn end_import(&self, backend: String) -> Result<(), StoreError> {
        self.queue(move |session| import::end(session, &backend)).await
    }

    /// Saves the changes that the source of an incident relates to it, unless some are saved already. `None`: the source
    /// does not tell.
    pub async fn save_related_changes(
        &self,
        incident: IncidentId,
        changes: Option<Vec<RelatedChange>>,
    ) -> Result<(), StoreError> {
        self.queue(move |session| related_changes::save(session, &incident, changes.as_deref())).await
    }

    /// Saves a failure that was sent to the event API.
    pub async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.offer(WriteKind::Other, move |session| submission::save(session, &submission, now)).await
    }

    /// Removes a failure that was sent to the event API.
    pub async fn delete(&self, id: FailureId, now: Timestamp) -> Result<Submitted, StoreError> {
        self.offer(WriteKind::Other, move |session| submission::delete(session, &id, now)).await
    }

    /// Saves a deployment.
    pub async fn record_deployment(&self, deployment: Deployment, now: Timestamp) -> Result<(), StoreError> {
        self.offer(WriteKind::Other, move |session| duplicates::save_submitted(session, &deployment, now))
            .await
    }

    /// Has a body in quarantine read again by its source.
    pub async fn retry_quarantined(&self, id: i64) -> Result<QuarantineRetry, StoreError> {
        self.queue(move |session| quarantine::retry(session, id)).await
    }

    /// Evaluates some failures or deployments again under the present policy, and saves those whose result differs.
    pub async fn reevaluate(
        &self,
        span: ReevaluateSpan,
        now: Timestamp,
    ) -> Result<ReevaluatedBatch, StoreError> {
        self.queue(move |session| reevaluate::reevaluate(session, span, now)).await
    }

    /// Removes some of the raw bodies received before `before`. Returns their number, or 0 if no such body is left.
    /// Webhooks are stored first.
    pub async fn forget_bodies(&self, before: Timestamp) -> Result<usize, StoreError> {
        let forget = move |session: &mut Session<'_>| retention::forget_bodies(session, before);
        self.send(Pending::boxed(WriteKind::Background, forget)).await
    }

    /// Gives space that is free inside of the database file back to the file system. Webhooks are stored in between.
    pub async fn give_back_space(&self) -> Result<(), StoreError> {
        self.send(Pending::in_parts(|session| session.db().give_back_space())).await
    }

    /// Proves that the store can be written.
    pub async fn prove_writable(&self, now: Timestamp) -> Result<(), StoreError> {
        let prove = move |session: &mut Session<'_>| session.prove_writable(now);
        // By the writer of webhooks, because that is what senders need.
        Self::offer_to(&self.webhooks, WriteKind::Other, prove).await
    }

    /// Waits until all answered events are folded into their failures. In a rush, or while the store cannot be written,
    /// this can take long.
    pub async fn wait_until_folded(&self) {
        let mut is_folded = self.is_folded.clone();
        // An error means that the writer has ended: there is nothing to wait for.
        let _ = is_folded.wait_for(|is_folded| *is_folded).await;
    }

    /// The present trouble of the store. `None` if no commit has failed for a while.
    pub fn trouble(&self) -> Option<StoreOutage> {
        self.health.trouble(Instant::now())
    }

    /// Records a webhook that was answered 503 because the writer did not handle it in time. If the store turns out to
    /// be unable to commit, the webhook is counted as refused for that reason.
    pub fn count_late_webhook(&self) {
        self.health.count_late_webhook();
    }

    /// `true` if other replicas may write to the store, too.
    pub fn is_shared(&self) -> bool {
        self.unclear_commits.is_some()
    }

    /// Receiver of the writer's state, which changes when the writer ends.
    pub fn ended(&self) -> watch::Receiver<WriterState> {
        self.ended.clone()
    }

    /// Does work in the writer if its queue has room. The work is queued before the returned future is awaited, so that
    /// the future is small.
    fn offer<T: Send + 'static>(&self, kind: WriteKind, work: impl Work<T>) -> impl WriteFuture<T> {
        let queue = if kind == WriteKind::Webhook { &self.webhooks } else { &self.jobs };
        Self::offer_to(queue, kind, work)
    }

    fn offer_to<T: Send + 'static>(
        queue: &mpsc::Sender<Message>,
        kind: WriteKind,
        work: impl Work<T>,
    ) -> impl WriteFuture<T> {
        let (job, answer) = Pending::boxed(kind, work);
        let offered = queue.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        });
        async move {
            offered?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        }
    }

    /// Does work in the writer, after waiting for room in its queue.
    async fn queue<T: Send + 'static>(&self, work: impl Work<T>) -> Result<T, StoreError> {
        self.send(Pending::boxed(WriteKind::Other, work)).await
    }

    async fn send<T>(&self, (job, answer): NewJob<T>) -> Result<T, StoreError> {
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

#[cfg(test)]
mod tests;
