//! Writes of the forwarding loops, and commands of people for the outbox.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use tokio::sync::watch;

use super::outbox::attempts::{self, AttemptOutcome, EndedAttempt};
use super::outbox::claim::{self, Claim, ClaimOrder};
use super::outbox::commands::{self, CommandCursor, CommandOutcome, CommandTotals, RetryCursor, RowCommand};
use super::outbox::group_commands::{self, RowGroup};
use super::outbox::{lane, reconcile, tell};
use super::{RetryRequests, Store, StoreError};
use crate::domain::lane::{Lane, LaneHealth};
use crate::domain::tell::{TellOrder, TellStep};
use crate::domain::timestamp::Timestamp;

impl Store {
    /// Takes or renews the right to send to `backend`, and returns its epoch. `None` while another replica has it.
    pub async fn take_lease(&self, backend: &str) -> Result<Option<i64>, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| session.take_lease(&backend)).await
    }

    /// Gives the right to send to `backend` to another replica. Called when no attempt of the backend is under way.
    pub async fn release_lease(&self, backend: &str) -> Result<(), StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| session.release_lease(&backend)).await
    }

    /// Frees the rows of `backend` that this process has claimed, and returns the epoch for new claims. On PostgreSQL claims
    /// end with their epoch, so if the lease still has the epoch of the last claims it is given back, and the result is
    /// `None` until it is taken again. Also `None` while another replica sends. Called when no attempt of the backend is
    /// under way.
    pub async fn begin_claims(&self, backend: &str) -> Result<Option<i64>, StoreError> {
        let before = self.claim_epochs().get(backend).copied();
        let name = backend.to_owned();
        self.queue(move |session| claim::begin(session, &name, before)).await
    }

    fn claim_epochs(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.claim_epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of commits so far without a clear answer. Rows of the outbox may be claimed by such a commit.
    pub fn unclear_commits(&self) -> u64 {
        self.unclear_commits.as_ref().map_or(0, |commits| commits.load(Ordering::Relaxed))
    }

    /// Claims up to `limit` due rows of a lane of `backend`; none if `epoch` is over. This process then sends them. `limit`
    /// is called in the transaction.
    pub async fn claim(
        &self,
        (backend, epoch): (&str, i64),
        lane: Lane,
        order: ClaimOrder,
        limit: impl Fn() -> usize + Send + 'static,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let backend = backend.to_owned();
        // Noted first: after an error, rows may be claimed.
        self.claim_epochs().insert(backend.clone(), epoch);
        self.queue(move |session| claim::claim(session, (&backend, epoch), lane, (order, limit()), now)).await
    }

    /// Gives back a row that was claimed in `epoch` and is not sent.
    pub async fn give_back(&self, row: i64, epoch: i64) -> Result<(), StoreError> {
        self.queue(move |session| claim::give_back(session, row, epoch)).await
    }

    /// Health of a lane of `backend`, as an earlier process left it.
    pub async fn lane_health(&self, backend: &str, lane: Lane) -> Result<LaneHealth, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| lane::load(session, &backend, lane)).await
    }

    /// The number of rows that wait in a lane of `backend`, or `most` if there are more.
    pub async fn waiting(&self, backend: &str, lane: Lane, most: u32) -> Result<u32, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| lane::waiting(session, &backend, lane, most)).await
    }

    /// Makes the rows of a lane due that wait because of failed attempts: `backend` answers again. If there are many, in
    /// parts, so that webhooks are answered in between.
    pub async fn make_due(&self, backend: &str, lane: Lane, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let backend = backend.to_owned();
            let part =
                self.queue(move |session| lane::make_due(session, &backend, (lane, false), now)).await?;
            if !part.may_have_more {
                return Ok(());
            }
        }
    }

    /// If marks are newly switched on for `backend`, reconciles a part of the marks that it has: those of deployments
    /// after the row `after`. Returns the row of the last deployment that was looked at; `None` if these were all.
    pub async fn reconcile_marks(
        &self,
        backend: &str,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| reconcile::known_marks(session, &backend, after, now)).await
    }

    /// Records the outcome of an attempt on a row of a lane of `backend`, and ends the claim. `health` is called
    /// when the record is written, so that the last one written has the latest health.
    pub async fn record_attempt(
        &self,
        (backend, lane): (&str, Lane),
        (row, epoch, outcome, taken): (i64, i64, AttemptOutcome, u32),
        health: impl Fn() -> LaneHealth + Send + 'static,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (backend, attempted) = (backend.to_owned(), EndedAttempt { row, epoch, outcome, taken });
        self.queue(move |session| {
            if !attempts::has_valid_claim(session, &attempted)? {
                // The lane is another replica's by now.
                return attempts::ended_late(session, &attempted, now);
            }
            lane::save(session, &backend, lane, &health())?;
            attempts::record(session, &attempted, now)
        })
        .await
    }

    /// Applies a person's command to a row of the outbox.
    pub async fn apply_command(
        &self,
        row: i64,
        command: RowCommand,
        now: Timestamp,
    ) -> Result<CommandOutcome, StoreError> {
        self.queue(move |session| commands::apply(session, row, command, now)).await
    }

    /// Applies a person's command to the next dead rows, of one backend or of all. Returns the place to continue after;
    /// `None` if there are no more. One part at a time, so that webhooks are answered in between.
    pub async fn apply_command_to_some(
        &self,
        backend: Option<String>,
        command: RowCommand,
        after: CommandCursor,
        now: Timestamp,
    ) -> Result<(CommandTotals, Option<CommandCursor>), StoreError> {
        self.queue(move |session| commands::apply_to_some(session, backend.as_deref(), command, &after, now))
            .await
    }

    /// Applies a person's command to the next rows of a group, after the row `after`. Returns the row to continue after;
    /// `None` if there are no more. One part at a time, so that webhooks are answered in between.
    pub async fn apply_command_to_group(
        &self,
        group: RowGroup,
        command: RowCommand,
        after: i64,
        now: Timestamp,
    ) -> Result<(CommandTotals, Option<i64>), StoreError> {
        self.queue(move |session| group_commands::apply_to_group(session, &group, command, after, now)).await
    }

    /// Retries at once some of the rows of one backend, or of all, that wait because of failed attempts. Returns their
    /// number, and the place to continue after; `None` if there are no more. One part at a time, so that webhooks are
    /// answered in between.
    pub async fn request_retry_of_some(
        &self,
        backend: Option<String>,
        after: RetryCursor,
        now: Timestamp,
    ) -> Result<(CommandTotals, Option<RetryCursor>), StoreError> {
        self.queue(move |session| commands::request_retry_of_some(session, backend.as_deref(), &after, now))
            .await
    }

    /// Tells backends again what ended at a time or later: one step. Webhooks are answered between the steps.
    pub async fn tell(&self, order: TellOrder, now: Timestamp) -> Result<TellStep, StoreError> {
        self.queue(move |session| tell::tell(session, &order, now)).await
    }

    /// Receiver that changes when the outbox may have new rows.
    pub fn outbox_changed(&self) -> watch::Receiver<()> {
        self.outbox_changed.clone()
    }

    /// Receiver of the number of retry commands so far, for each backend.
    pub fn retry_requests(&self) -> watch::Receiver<RetryRequests> {
        self.retry_requests.clone()
    }
}
