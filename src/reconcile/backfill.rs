//! Backfill: every incident that was created in a period is read, however long ago, and what is missing or different
//! becomes events.
//!
//! It goes on step by step, and each step says what it has changed. The store remembers how far it has come, so that it
//! can be stopped at any time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::found::Found;
use super::look::{DELIVERY, FailedInARow, ReconcileError};
use super::read::read;
use super::scope::Scope;
use crate::clock::Clock;
use crate::domain::backfill::{BackfillError, BackfillOrder, BackfillStep};
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty::reading::{self, FoundIncident, Reading};
use crate::sources::pagerduty::rest::RestClient;
use crate::store::{BackfillPart, ReadIncident, Store};

/// Time after which a step ends, so that its caller can show how far it has come.
const STEP: Duration = Duration::from_secs(3);
/// Number of incidents that are read at the same time at first, and at most.
const FEWEST: usize = 4;
const MOST: usize = 64;
/// If reading some incidents takes longer, fewer are read at a time; if it takes less than the second, more.
const SLOW: Duration = Duration::from_secs(2);
const FAST: Duration = Duration::from_millis(500);

/// Reads the incidents of a period, for one caller at a time.
pub struct Backfill {
    /// Client of PagerDuty's REST API.
    client: RestClient,
    /// Store, for new events.
    store: Store,
    clock: Arc<dyn Clock>,
    /// Id of the webhook subscription, if the configuration names it.
    subscription: Option<String>,
    /// Path of the webhooks, by which the subscription is found otherwise.
    path: String,
    state: tokio::sync::Mutex<State>,
    /// Tells a step that another one is wanted.
    next_caller: Notify,
}

#[derive(Default)]
struct State {
    found: Found,
    /// Number of incidents that are read at the same time.
    at_once: usize,
}

/// Outcome of reading an incident.
type ReadResult = (IncidentId, Result<Reading, ReconcileError>);

impl Backfill {
    /// A backfill that reads with this client. `subscription` and `path` find the webhook subscription.
    pub fn new(
        client: RestClient,
        store: Store,
        clock: Arc<dyn Clock>,
        (subscription, path): (Option<String>, String),
    ) -> Self {
        Self {
            client,
            store,
            clock,
            subscription,
            path,
            state: tokio::sync::Mutex::default(),
            next_caller: Notify::new(),
        }
    }

    /// Reads some incidents, and stores what is new. A step that is still under way, perhaps for a caller that has gone,
    /// is given up.
    ///
    /// # Errors
    /// PagerDuty gave no usable answer, the store cannot be written, or another caller has asked for a step.
    pub async fn step(&self, order: BackfillOrder) -> Result<BackfillStep, BackfillError> {
        self.next_caller.notify_waiters();
        let mut state = self.state.lock().await;
        // Times in answers are in whole seconds.
        let order = BackfillOrder { since: whole(order.since), at: whole(order.at), ..order };
        let mut step = BackfillStep::begin(order.at);
        let result = tokio::select! {
            result = self.advance(&mut state, order, &mut step) => result,
            () = self.next_caller.notified() => return Err(BackfillError::TakenOver),
        };
        let Err(error) = result else { return Ok(step) };
        *state = State::default();
        match error {
            // What the earlier parts have changed is told.
            error if step.incidents > 0 => Ok(BackfillStep { failed: Some(error.to_string()), ..step }),
            ReconcileError::Write(error) => Err(BackfillError::NotStored(error.to_string())),
            error => Err(BackfillError::NoAnswer(error.to_string())),
        }
    }

    async fn advance(
        &self,
        State { found, at_once }: &mut State,
        order: BackfillOrder,
        step: &mut BackfillStep,
    ) -> Result<(), ReconcileError> {
        let scope = Scope::find(&self.client, self.subscription.as_deref(), &self.path).await?;
        found.go_to(order.at, order.until);
        *at_once = (*at_once).max(FEWEST);
        let (begin, mut failed) = (self.clock.now(), FailedInARow::default());
        // While some incidents are stored, the next ones are read.
        let mut ready: Vec<ReadResult> = Vec::new();
        loop {
            let is_over = self.clock.now().duration_since(begin) > STEP;
            if !is_over {
                found.find(&self.client, ready.len(), self.clock.now()).await?;
            }
            let next = found.some(ready.len(), if is_over { 0 } else { *at_once });
            if ready.is_empty() && next.is_empty() && (is_over || found.is_done(0)) {
                break;
            }
            let (stored, up_to) = (ready.len(), found.at(ready.len()));
            let ready_now = std::mem::take(&mut ready);
            let storing = self.store_read(ready_now, (order, up_to), &scope, (&mut failed, step));
            let (result, (read, took)) = tokio::join!(storing, self.read_all(next));
            result?;
            ready = read;
            found.forget(stored);
            step.at = up_to.max(order.at);
            if took > SLOW {
                *at_once = (*at_once / 2).max(1);
            } else if took < FAST {
                *at_once = (*at_once * 2).min(MOST);
            }
        }
        step.done = found.is_done(0);
        if step.done && !order.is_dry_run {
            self.store.end_backfill().await?;
        }
        Ok(())
    }

    /// Reads these incidents, all at the same time. Returns them in this order, and the time that it took.
    async fn read_all(&self, incidents: Vec<IncidentId>) -> (Vec<ReadResult>, Duration) {
        let begin = self.clock.now();
        let mut tasks = JoinSet::new();
        for (place, incident) in incidents.into_iter().enumerate() {
            let (client, clock) = (self.client.clone(), Arc::clone(&self.clock));
            tasks.spawn(async move {
                let reading = read(&client, &*clock, &incident).await;
                (place, incident, reading)
            });
        }
        let mut read: Vec<_> = tasks.join_all().await;
        read.sort_by_key(|(place, ..)| *place);
        let read = read.into_iter().map(|(_, incident, reading)| (incident, reading)).collect();
        (read, self.clock.now().duration_since(begin))
    }

    /// Stores what is new in these answers.
    async fn store_read(
        &self,
        read: Vec<ReadResult>,
        (order, up_to): (BackfillOrder, Timestamp),
        scope: &Scope,
        (failed, step): (&mut FailedInARow, &mut BackfillStep),
    ) -> Result<(), ReconcileError> {
        if read.is_empty() {
            return Ok(());
        }
        let (mut incidents, read_at) = (Vec::new(), self.clock.now());
        for (incident, result) in read {
            let reading = match result {
                Ok(reading) => reading,
                Err(error) => {
                    step.skipped.insert(incident, failed.failed(error)?);
                    step.incidents += 1;
                    continue;
                }
            };
            step.incidents += 1;
            failed.passed();
            if reading.found.as_ref().is_some_and(|found| !scope.includes(found)) {
                step.out_of_scope += 1;
                continue;
            }
            let changed_at = reading.found.as_ref().and_then(FoundIncident::changed_at);
            if changed_at.is_some_and(|at| at.saturating_add(DELIVERY) > reading.at) {
                step.deferred.insert(incident);
                continue;
            }
            match reading.events() {
                Ok(events) => {
                    incidents.push(ReadIncident { source: &reading::SOURCE, incident, events, read_at });
                }
                Err(error) => {
                    step.skipped.insert(incident, ReconcileError::from(error).to_string());
                }
            }
        }
        let BackfillOrder { since, is_dry_run, is_quiet, .. } = order;
        let part = BackfillPart { incidents, is_dry_run, is_quiet };
        let stored = self.store.backfill(part).await?;
        if !is_dry_run {
            self.store.set_backfilled(since, up_to).await?;
        }
        step.events += stored.events;
        step.added.extend(stored.added);
        step.changed.extend(stored.changed);
        Ok(())
    }
}

/// The beginning of the second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_seconds() * 1_000_000_000)
}
