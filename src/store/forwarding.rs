//! Writes for the forwarding loops, and for people who look after the outbox.

use tokio::sync::watch;

use super::outbox::attempts::{self, AttemptOutcome, EndedAttempt};
use super::outbox::claim::{self, Claim, ClaimOrder};
use super::outbox::commands::{self, After, CommandOutcome, RowCommand, Total};
use super::outbox::{lane, reconcile};
use super::{RetryRequests, Store, StoreError};
use crate::domain::lane::{Lane, LaneHealth};
use crate::domain::timestamp::Timestamp;

impl Store {
    /// Takes up to `limit` rows of a lane that are due for `backend`, for this process to send.
    pub async fn claim(
        &self,
        backend: &str,
        lane: Lane,
        (choice, limit): (ClaimOrder, usize),
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| claim::claim(session, &backend, lane, (choice, limit), now)).await
    }

    /// Health of a lane of `backend`, as an earlier process left it.
    pub async fn lane_health(&self, backend: &str, lane: Lane) -> Result<LaneHealth, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| lane::load(session, &backend, lane)).await
    }

    /// The number of rows that wait in a lane of `backend`.
    pub async fn waiting(&self, backend: &str, lane: Lane) -> Result<i64, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| lane::waiting(session, &backend, lane)).await
    }

    /// Has the rows of a lane that wait because attempts failed be due now: `backend` answers again.
    pub async fn release(&self, backend: &str, lane: Lane, now: Timestamp) -> Result<(), StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| lane::release(session, &backend, (lane, false), now).map(drop)).await
    }

    /// Looks again at some of the marks that `backend` knows, after this deployment, where it is told of marks since this
    /// start. Returns the last deployment that was looked at; `None`: that was all.
    pub async fn reconcile_marks(
        &self,
        backend: &str,
        after: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let backend = backend.to_owned();
        self.queue(move |session| reconcile::known_marks(session, &backend, after, now)).await
    }

    /// Records what came of an attempt on a row of a lane of `backend`, and lets go of the claim. `health` is asked when
    /// the record is written, so that of several attempts the last one to be written has the latest.
    pub async fn record_attempt(
        &self,
        (backend, lane): (&str, Lane),
        (row, outcome, taken): (i64, AttemptOutcome, u32),
        health: impl Fn() -> LaneHealth + Send + 'static,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (backend, attempted) = (backend.to_owned(), EndedAttempt { row, outcome, taken });
        self.queue(move |session| {
            lane::save(session, &backend, lane, &health())?;
            attempts::record(session, &attempted, now)
        })
        .await
    }

    /// Does with a row of the outbox what a person wants.
    pub async fn apply_command(
        &self,
        row: i64,
        apply_command: RowCommand,
        now: Timestamp,
    ) -> Result<CommandOutcome, StoreError> {
        self.queue(move |session| commands::apply(session, row, apply_command, now)).await
    }

    /// Does with some dead rows, of one backend or of all, what a person wants. Returns what to go on after; `None`: there
    /// are no more. A part at a time, so that webhooks are answered meanwhile.
    pub async fn apply_command_to_some(
        &self,
        backend: Option<String>,
        apply_command: RowCommand,
        after: After,
        now: Timestamp,
    ) -> Result<(Total, Option<After>), StoreError> {
        self.queue(move |session| {
            commands::apply_to_some(session, backend.as_deref(), apply_command, &after, now)
        })
        .await
    }

    /// Has what waits for one backend, or for all, because attempts failed tried again at once. Returns how much waits.
    pub async fn request_retry(&self, backend: Option<String>, now: Timestamp) -> Result<Total, StoreError> {
        self.queue(move |session| commands::request_retry_of_all(session, backend.as_deref(), now)).await
    }

    /// Ready whenever the outbox may hold something new.
    pub fn outbox_changed(&self) -> watch::Receiver<()> {
        self.outbox_changed.clone()
    }

    /// Receiver of the number of times that a person had the rows of each backend tried again at once.
    pub fn retry_requests(&self) -> watch::Receiver<RetryRequests> {
        self.retry_requests.clone()
    }
}
