//! One attempt: a row is sent once, the result is recorded, and only then logged.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::lane::{AttemptFacts, Evidence, REFUSED_WAIT, StateChange};
use super::lanes::SharedLane;
use super::{RunningForwarder, STORE_ERROR_PAUSE};
use crate::backend::{Attempt, Reply};
use crate::domain::forwarding::Destination;
use crate::domain::lane::BackendState;
use crate::domain::retry::{Verdict, wait};
use crate::domain::text_limits::on_one_line;
use crate::store::{AttemptOutcome, Claimed, StoreError};
use crate::telemetry::metrics::AttemptResult;

impl RunningForwarder {
    /// Sends one row and records the result in the store. A row that may not be sent any more is given back.
    pub(super) async fn attempt(self: Arc<Self>, lane: SharedLane, tried: AttemptFacts, claimed: Claimed) {
        let Some(reply) = self.send(&claimed).await else {
            self.until_recorded(|| self.store.give_back(claimed.row, claimed.epoch)).await;
            return;
        };
        let evidence = Evidence::of(reply.verdict, reply.status, claimed.prepared.action);
        let is_own_fault = lane.with(|state| state.is_own_fault(&tried));
        let outcome = self.outcome(&claimed, &reply, is_own_fault);
        let now = self.clock.now();
        let change = lane.with(|state| {
            if evidence != Evidence::None {
                state.record_answer(reply.status, reply.error.clone(), now);
            }
            state.note(tried, evidence, now, fastrand::f64())
        });
        self.metrics.attempted(self.backend.name(), attempted(&outcome));
        self.record(&lane, &claimed, &outcome, reply.taken).await;
        self.log.changed(lane.lane, change, now);
        self.log.attempted(lane.lane, &claimed, &outcome);
        self.log.own_fault(&claimed, &outcome, is_own_fault);
        self.follow(&lane, change).await;
    }

    /// Sends one row. `None` if another replica may send to the backend by now, so that the request did not begin.
    async fn send(&self, claimed: &Claimed) -> Option<Reply> {
        let Claimed { subject, revision, attempts, prepared, taken, .. } = claimed.clone();
        let attempt = Attempt { subject, revision, attempts, prepared, taken, now: self.clock.now() };
        let (backend, lease) = (Arc::clone(&self.backend), self.lease.clone());
        // In a task of its own, so that a panic is only a failed attempt and ends the row's claim. A request that is cut
        // off with its attempt ends, too, because the row is sent again.
        let mut sending = JoinSet::new();
        sending.spawn(async move {
            // Asked here once more: since the claim, this process may have been paused.
            if lease.is_usable() { Some(backend.send(attempt).await) } else { None }
        });
        let reply = sending.join_next().await?.unwrap_or_else(|panicked| {
            let error = Some(panicked.to_string());
            Some(Reply { verdict: Verdict::Retry(None), status: None, error, taken })
        })?;
        Some(Reply { error: reply.error.map(on_one_line), ..reply })
    }

    fn outcome(&self, claimed: &Claimed, reply: &Reply, is_own_fault: bool) -> AttemptOutcome {
        let now = self.clock.now();
        let (status, error) = (reply.status, reply.error.clone().unwrap_or_default());
        let retry = |requested| {
            let pause = wait(claimed.attempts + 1, requested, fastrand::f64());
            AttemptOutcome::Retry { due_at: now.saturating_add(pause), status, error: error.clone() }
        };
        match reply.verdict {
            Verdict::Sent => AttemptOutcome::Sent { status },
            Verdict::CredentialsRefused if is_own_fault => retry(None),
            Verdict::CredentialsRefused => {
                AttemptOutcome::CredentialsRefused { due_at: now.saturating_add(REFUSED_WAIT), status, error }
            }
            Verdict::Retry(requested) => retry(requested),
            Verdict::NotFound if !claimed.not_found.makes_row_dead(now) => retry(None),
            Verdict::NotFound | Verdict::Dead => AttemptOutcome::Dead { status, error },
        }
    }

    async fn record(&self, lane: &SharedLane, claimed: &Claimed, outcome: &AttemptOutcome, taken: u32) {
        let name = self.backend.name();
        self.until_recorded(|| {
            let attempted = (claimed.row, claimed.epoch, outcome.clone(), taken);
            self.store.record_attempt((name, lane.lane), attempted, lane.health(), self.clock.now())
        })
        .await;
    }

    /// Records the end of an attempt. After an error of the store it tries again.
    async fn until_recorded<F: Future<Output = Result<(), StoreError>>>(&self, record: impl Fn() -> F) {
        while let Err(error) = record().await {
            self.log.store_trouble("the result of an attempt could not be recorded", &error);
            if error == StoreError::Closed || *self.stop.borrow() {
                // The next loop or process sends the row again: the same bytes under the same id.
                break;
            }
            // The claim stays until the result is recorded, so that the row is not sent again before that.
            self.clock.sleep(STORE_ERROR_PAUSE).await;
        }
    }

    /// Makes waiting rows due if the backend answers again. Logs the state of a backend that is down.
    async fn follow(&self, lane: &SharedLane, change: Option<StateChange>) {
        let name = self.backend.name();
        if change.is_some_and(|change| {
            matches!(change.from, BackendState::Unreachable | BackendState::Refusing)
                && change.to == BackendState::Delivering
        }) && let Err(error) = self.store.make_due(name, lane.lane, self.clock.now()).await
        {
            self.log.store_trouble("waiting rows could not be made due: each waits for its own time", &error);
        }
        let (health, now) = (lane.with(|state| state.health().clone()), self.clock.now());
        if health.state != BackendState::Delivering {
            let count = async |most| self.store.waiting(name, lane.lane, most).await.ok();
            self.log.log_down(lane.lane, &health, now, count).await;
        }
    }
}

/// Result of an attempt for the metrics.
fn attempted(outcome: &AttemptOutcome) -> AttemptResult {
    match outcome {
        AttemptOutcome::Sent { .. } => AttemptResult::Sent,
        AttemptOutcome::Retry { .. } => AttemptResult::Retry,
        AttemptOutcome::CredentialsRefused { .. } => AttemptResult::Refused,
        AttemptOutcome::Dead { .. } => AttemptResult::Dead,
    }
}
