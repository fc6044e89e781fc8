//! Forwarding: one loop for each backend, which sends the rows of its outbox.
//!
//! A loop knows the rest of the program only through the store: it claims rows, records results, and is woken when the
//! outbox changes.

mod attempt;
mod backend_log;
mod lane;
mod lanes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use self::backend_log::BackendLog;
use self::lane::AttemptFacts;
use self::lanes::{Lanes, SharedLane};
use crate::backend::Backend;
use crate::clock::Clock;
use crate::domain::forwarding::Destination;
use crate::domain::lane::Lane;
use crate::domain::timestamp::Timestamp;
use crate::lease::Lease;
use crate::store::{Claim, ClaimOrder, Store};
use crate::telemetry::metrics::Metrics;

/// Wait after an error of the store.
const STORE_ERROR_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two queries of the outbox. It limits the delay if the clock is set back.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// The same if other replicas change the outbox, too, and tell nobody.
const SHARED_SLEEP: Duration = Duration::from_secs(1);
/// Time that attempts under way get when the program stops. The next process repeats those that did not finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Forwards to one backend.
pub struct Forwarder {
    /// Backend that requests are sent to.
    pub backend: Arc<Backend>,
    /// The store, which holds the outbox.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Metrics that count attempts.
    pub metrics: Arc<Metrics>,
}

/// A [`Forwarder`] at work.
struct RunningForwarder {
    backend: Arc<Backend>,
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    lanes: Lanes,
    log: BackendLog,
    lease: Lease,
    stop: watch::Receiver<bool>,
}

/// The epoch in which rows are claimed.
struct ClaimEpoch {
    number: i64,
    /// Number of commits without a clear answer before it was found.
    unclear_commits: u64,
}

/// Attempts under way, each with its lane.
#[derive(Default)]
struct Attempts {
    tasks: JoinSet<()>,
    begun: HashMap<Id, (SharedLane, AttemptFacts)>,
}

impl Attempts {
    /// Notes all attempts that ended together, so that one claim is made for them.
    fn ended(&mut self, first: Result<(Id, ()), JoinError>) {
        let mut next = Some(first);
        while let Some(ended) = next {
            let id = ended.map_or_else(|panicked| panicked.id(), |(id, ())| id);
            if let Some((lane, tried)) = self.begun.remove(&id) {
                lane.with(|state| state.end(tried));
            }
            next = self.tasks.try_join_next_with_id();
        }
    }
}

impl Forwarder {
    /// Forwards until `stop` is set, then waits for the attempts under way. Of several replicas, one at a time forwards. A
    /// loop of the same backend that this one replaces has ended, perhaps without the results of its last attempts: their
    /// rows are sent again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut lease = Lease::begin(self.backend.name(), &self.store, &self.metrics);
        while !*stop.borrow() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = lease.until_taken() => {}
            }
            self.forward_while(&mut lease, &mut stop).await;
        }
        lease.release().await;
    }

    /// Forwards until `stop` is set, or another replica forwards, then waits for the attempts under way.
    async fn forward_while(&self, lease: &mut Lease, stop: &mut watch::Receiver<bool>) {
        let Self { backend, store, clock, metrics } = self;
        let mut outbox_changed = store.outbox_changed();
        let mut probe_requests = store.retry_requests();
        reconcile_marks(backend, store, &**clock).await;
        let running = Arc::new(RunningForwarder {
            backend: Arc::clone(backend),
            store: store.clone(),
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
            lanes: Lanes::load(backend, store).await,
            log: BackendLog::new(backend.name()),
            lease: lease.clone(),
            stop: stop.clone(),
        });
        let mut attempts = Attempts::default();
        let mut epoch = None;
        loop {
            outbox_changed.mark_unchanged();
            let (has_room, next_due_at) = match running.claim_epoch(&mut epoch, &attempts).await {
                Some(epoch) => running.send_due(&mut attempts, epoch).await,
                None => (false, Some(clock.now().saturating_add(STORE_ERROR_PAUSE))),
            };
            let pause = match next_due_at {
                Some(then) => running.clock.sleep_until(then, self.longest_sleep()),
                None => running.clock.sleep(self.longest_sleep()),
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = lease.until_lost() => break,
                Some(ended) = attempts.tasks.join_next_with_id(), if !attempts.tasks.is_empty() => {
                    attempts.ended(ended);
                }
                // Only `Ok`: once the store is closed, both would return errors for ever.
                Ok(()) = outbox_changed.changed(), if has_room => {}
                Ok(()) = probe_requests.changed() => running.probe_now(&probe_requests.borrow_and_update()),
                () = pause => {}
            }
        }
        running.drain(attempts).await;
    }

    fn longest_sleep(&self) -> Duration {
        if self.store.is_shared() { SHARED_SLEEP } else { LONGEST_SLEEP }
    }
}

impl RunningForwarder {
    /// Waits for the attempts under way.
    async fn drain(&self, mut attempts: Attempts) {
        let all_done = async {
            while let Some(ended) = attempts.tasks.join_next_with_id().await {
                attempts.ended(ended);
            }
        };
        tokio::select! {
            () = all_done => {}
            () = self.clock.sleep(DRAIN_TIMEOUT) => {
                let backend = self.backend.name();
                tracing::warn!(backend, "attempts under way were cut off: they are repeated");
            }
        }
        // Nothing of them may be under way when their rows are claimed again.
        attempts.tasks.shutdown().await;
        let now = self.clock.now();
        self.lanes.in_turn().iter().for_each(|lane| self.log.claimed(lane, true, now));
    }

    /// The epoch to claim rows in. A commit without a clear answer may have claimed rows that this process does not know
    /// of. So another epoch is asked for after such a commit, once no attempt is under way. `None` until then.
    async fn claim_epoch(&self, found: &mut Option<ClaimEpoch>, attempts: &Attempts) -> Option<i64> {
        let unclear_commits = self.store.unclear_commits();
        found.take_if(|found| found.unclear_commits != unclear_commits);
        if found.is_none() && attempts.tasks.is_empty() {
            match self.store.begin_claims(self.backend.name()).await {
                Ok(epoch) => *found = epoch.map(|number| ClaimEpoch { number, unclear_commits }),
                Err(error) => self.log.store_trouble("the outbox could not be read", &error),
            }
        }
        found.as_ref().map(|found| found.number)
    }

    /// Sends the due rows that the lanes allow. Returns `true` if there is room for more, and the time of the next look
    /// at the outbox.
    async fn send_due(self: &Arc<Self>, attempts: &mut Attempts, epoch: i64) -> (bool, Option<Timestamp>) {
        let now = self.clock.now();
        if !self.lease.is_usable() {
            return (false, None);
        }
        if self.store.is_shared() {
            self.note_other_requests(now).await;
        }
        let mut room = self.backend.concurrency().saturating_sub(attempts.tasks.len());
        let (mut has_room, mut next) = (false, None);
        for lane in self.lanes.in_turn() {
            let (choice, limit, next_probe_at) =
                lane.with(|state| (state.choice(), state.room(room, now), state.health().next_probe_at(now)));
            next = earlier(next, next_probe_at);
            if limit == 0 {
                continue;
            }
            let Claim { rows, next_due_at } = self.claim((epoch, lane.lane), choice, limit, now).await;
            has_room |= rows.len() < limit;
            next = earlier(next, next_due_at);
            room -= rows.len();
            self.log.claimed(&lane, rows.is_empty(), now);
            for claimed in rows {
                let tried = lane.with(|state| state.begin(claimed.row, claimed.failing_since));
                let attempt = Arc::clone(self).attempt(lane.clone(), tried, claimed);
                attempts.begun.insert(attempts.tasks.spawn(attempt).id(), (lane.clone(), tried));
            }
        }
        (has_room, next)
    }

    async fn claim(
        &self,
        (epoch, lane): (i64, Lane),
        order: ClaimOrder,
        limit: usize,
        now: Timestamp,
    ) -> Claim {
        let stop = self.stop.clone();
        // After a reload nothing is sent to the old address any more, so a claim that comes late gets no rows.
        let limit = move || if *stop.borrow() { 0 } else { limit };
        let place = (self.backend.name(), epoch);
        self.store.claim(place, lane, order, limit, now).await.unwrap_or_else(|error| {
            self.log.store_trouble("the outbox could not be read", &error);
            Claim { rows: Vec::new(), next_due_at: Some(now.saturating_add(STORE_ERROR_PAUSE)) }
        })
    }

    /// Sends the next probe of a lane at once if a person requested it of another replica.
    async fn note_other_requests(&self, now: Timestamp) {
        for lane in self.lanes.in_turn() {
            let waits = lane.with(|state| state.health().not_before.is_some_and(|then| then > now));
            if waits
                && let Ok(saved) = self.store.lane_health(self.backend.name(), lane.lane).await
                && saved.not_before.is_some_and(|then| then <= now)
            {
                lane.with(|state| state.probe_now(now));
            }
        }
    }

    /// Sends the next probes at once if a person requested it.
    fn probe_now(&self, requests: &crate::store::RetryRequests) {
        if self.lanes.has_new_request(requests.get(self.backend.name()).copied().unwrap_or_default()) {
            let now = self.clock.now();
            self.lanes.each(|state| state.probe_now(now));
        }
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Adds rows for the marks that changed while marks were switched off for this backend.
async fn reconcile_marks(backend: &Backend, store: &Store, clock: &dyn Clock) {
    let name = backend.name();
    let mut after = backend.forwards_marks().then_some(0);
    while let Some(deployment) = after {
        after = store.reconcile_marks(name, deployment, clock.now()).await.unwrap_or_else(|error| {
            tracing::warn!(backend = name, %error, "changed marks were not put into the outbox: the next start will");
            None
        });
    }
}

#[cfg(test)]
mod tests;
