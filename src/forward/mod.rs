//! Forwarding: one loop for each backend, which sends what its outbox holds.
//!
//! It knows the rest of the program only through the store: what to claim, what came of it, and that the outbox
//! has changed.

mod circuit;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::circuit::{Answer, Circuit, Circuits};
use crate::backend::{Attempt, Backend, Reply};
use crate::clock::Clock;
use crate::domain::forwarding::{Action, Destination, Subject};
use crate::domain::retry::{Verdict, wait};
use crate::domain::timestamp::Timestamp;
use crate::store::{Claim, Claimed, Outcome, Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// How long to wait where the store itself is in trouble.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// The loop looks at the outbox at least that often: the clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How long attempts in hand may take after the order to stop. What is cut off is sent again by the next process.
const LONGEST_DRAIN: Duration = Duration::from_secs(20);

/// Forwards to one backend.
pub struct Forwarder {
    /// Who is told.
    pub backend: Arc<Backend>,
    /// Where the outbox is.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who counts.
    pub metrics: Arc<Metrics>,
}

impl Forwarder {
    /// Forwards until `stop` is set, then finishes the attempts in hand.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let forwarder = Arc::new(self);
        let mut changed = forwarder.store.outbox_changed();
        forwarder.make_up_for_marks().await;
        let (mut circuits, mut attempts) = (forwarder.circuits().await, JoinSet::new());
        while !*stop.borrow() {
            let most = circuits.room(forwarder.backend.concurrency(), forwarder.clock.now());
            let room = most.saturating_sub(attempts.len());
            changed.mark_unchanged();
            let Claim { rows, next_due_at } = forwarder.claim(&mut circuits, room).await;
            for claimed in rows {
                attempts.spawn(Arc::clone(&forwarder).attempt(claimed, stop.clone()));
            }
            // From now on, not from when the outbox was asked: time has passed since.
            let until_then = |then: Timestamp| then.duration_since(forwarder.clock.now());
            let pause = next_due_at.map_or(LONGEST_SLEEP, until_then).min(LONGEST_SLEEP);
            tokio::select! {
                biased;
                _ = stop.changed() => {}
                Some(answer) = attempts.join_next(), if !attempts.is_empty() => {
                    // One claim for all that ended together.
                    let others = std::iter::from_fn(|| attempts.try_join_next());
                    // A task that panicked says nothing.
                    for answer in std::iter::once(answer).chain(others).flatten() {
                        circuits.note(answer, forwarder.clock.now());
                    }
                }
                // Once the store is closed this would be ready for ever, without any news.
                Ok(()) = changed.changed(), if room > 0 => {}
                () = forwarder.clock.sleep(pause) => {}
            }
        }
        let all_done = async { while attempts.join_next().await.is_some() {} };
        tokio::select! {
            () = all_done => {}
            () = forwarder.clock.sleep(LONGEST_DRAIN) => {
                tracing::warn!(backend = forwarder.backend.name(), "attempts that did not end in time were cut off");
            }
        }
    }

    /// Has the outbox take in what changed about marks while this backend was not told of any.
    async fn make_up_for_marks(&self) {
        let name = self.backend.name();
        let mut is_left = self.backend.takes_marks();
        while is_left {
            is_left = self.store.make_up_for_marks(name, self.clock.now()).await.unwrap_or_else(|error| {
                tracing::warn!(backend = name, %error, "what changed about marks waits for the next start");
                false
            });
        }
    }

    /// As an earlier process left them: a restart is no reason to ask sooner.
    async fn circuits(&self) -> Circuits {
        let name = self.backend.name();
        let left =
            async |needs_more| Circuit::left(self.store.last_answer(name, needs_more).await.ok().flatten());
        let has_more = self.backend.needs_more(Action::Delete);
        Circuits {
            usual: left(false).await,
            more: if has_more { left(true).await } else { Circuit::default() },
        }
    }

    /// Claims as much of what is due as there is room for: what is claimed is sent at once.
    async fn claim(&self, circuits: &mut Circuits, mut room: usize) -> Claim {
        let now = self.clock.now();
        let mut all = Claim { rows: Vec::new(), next_due_at: circuits.next_probe_at(now) };
        for (most, share) in circuits.shares(room, now) {
            let limit = most.min(room);
            if limit == 0 {
                continue;
            }
            let claim = self.store.claim(self.backend.name(), now, limit, share).await;
            let claim = claim.unwrap_or_else(|error| {
                tracing::warn!(backend = self.backend.name(), %error, "the outbox could not be read");
                Claim { rows: Vec::new(), next_due_at: Some(now.saturating_add(STORE_PAUSE)) }
            });
            circuits.claimed(share, claim.rows.len(), now);
            room -= claim.rows.len();
            all.rows.extend(claim.rows);
            all.next_due_at = all.next_due_at.into_iter().chain(claim.next_due_at).min();
        }
        all
    }

    /// Sends one revision and has the store record what came of it.
    async fn attempt(self: Arc<Self>, claimed: Claimed, stop: watch::Receiver<bool>) -> Answer {
        let Claimed { subject, revision, attempts, frozen, taken, .. } = claimed.clone();
        let attempt = Attempt { subject, revision, attempts, frozen, taken, now: self.clock.now() };
        let backend = Arc::clone(&self.backend);
        // In a task of its own, so that a panic is no more than a failed attempt, and its claim is let go of.
        let sent = tokio::spawn(async move { backend.send(attempt).await }).await;
        let reply = sent.unwrap_or_else(|panicked| Reply {
            verdict: Verdict::Retry(None),
            status: None,
            error: Some(panicked.to_string()),
            taken,
        });
        let (verdict, taken) = (reply.verdict, reply.taken);
        let needs_more = self.backend.needs_more(claimed.frozen.action);
        // Whoever is told that it is not there was let in.
        let was_let_in = reply.status == Some(404);
        let answer = Answer { verdict: if was_let_in { Verdict::Dead } else { verdict }, needs_more };
        self.metrics.attempted(self.backend.name(), label(verdict));
        self.log(&claimed, &reply);
        let outcome = self.outcome(&claimed, reply);
        let record = || self.store.record_attempt(claimed.row, outcome.clone(), taken, self.clock.now());
        while let Err(error) = record().await {
            tracing::warn!(backend = self.backend.name(), %error, "what came of an attempt could not be recorded");
            if error == StoreError::Closed || *stop.borrow() {
                // It will be sent again by the next process: the same bytes under the same id.
                break;
            }
            // Until it is recorded the claim stays: better one attempt too few than one too many.
            self.clock.sleep(STORE_PAUSE).await;
        }
        answer
    }

    fn outcome(&self, claimed: &Claimed, Reply { verdict, status, error, .. }: Reply) -> Outcome {
        let now = self.clock.now();
        let said = error.unwrap_or_default();
        match verdict {
            Verdict::Sent => Outcome::Sent { status },
            Verdict::Dead => Outcome::Dead { status, error: said },
            Verdict::Refused => Outcome::Released { due_at: now, status, error: said },
            Verdict::Retry(asked) => {
                let pause = wait(claimed.attempts + 1, asked, fastrand::f64());
                Outcome::Retry { due_at: now.saturating_add(pause), status, error: said }
            }
        }
    }

    fn log(&self, Claimed { subject, revision, .. }: &Claimed, reply: &Reply) {
        let (backend, revision) = (self.backend.name(), *revision);
        let error = reply.error.as_deref().unwrap_or_default();
        let (failure, deployment) = match subject {
            Subject::Failure(id) => (Some(id.as_str()), None),
            Subject::Deployment(id) => (None, Some(id.as_str())),
        };
        match reply.verdict {
            Verdict::Sent => tracing::info!(backend, failure, deployment, revision, "forwarded"),
            Verdict::Retry(_) => {
                tracing::warn!(backend, failure, deployment, revision, error, "to be tried again");
            }
            Verdict::Refused => {
                tracing::error!(backend, failure, deployment, revision, error, "the backend refuses us");
            }
            Verdict::Dead => {
                tracing::error!(
                    backend,
                    failure,
                    deployment,
                    revision,
                    error,
                    "the backend will not take it"
                );
            }
        }
    }
}

/// The word for it in metrics.
fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sent => "sent",
        Verdict::Retry(_) => "retry",
        Verdict::Refused => "refused",
        Verdict::Dead => "dead",
    }
}

#[cfg(test)]
mod tests;
