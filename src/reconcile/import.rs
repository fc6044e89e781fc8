//! Import: every failure and deployment that Datadog holds in a period is read, and stored as it is. Backends are not told.
//!
//! It goes on step by step, as a backfill does. An answer has at most 1,000 records, so the period is read in slices. A
//! slice that is full is halved. A second that is still full is reported.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use crate::backend::datadog_listed::{deployment, failure, id_of};
use crate::backend::datadog_lists::{DatadogLists, ListError, ListKind, MOST_LISTED};
use crate::clock::Clock;
use crate::domain::backfill::BackfillError;
use crate::domain::import::{ImportOrder, ImportStep};
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::store::{ImportPart, Store, StoreError};

/// Time after which a step ends, so that its caller can show how far it has come.
const STEP: Duration = Duration::from_secs(3);
/// Length of the first slice, and of the longest one.
const FIRST_SLICE: Duration = Duration::from_hours(24);
const LONGEST_SLICE: Duration = Duration::from_hours(24 * 32);
const SHORTEST_SLICE: Duration = Duration::from_secs(1);
/// If a slice has fewer records, the next one is longer.
const FEW: usize = MOST_LISTED / 4;

/// Reads what Datadog holds, for one caller at a time.
pub struct Import {
    lists: DatadogLists,
    /// Name of the backend whose lists these are.
    backend: String,
    store: Store,
    clock: Arc<dyn Clock>,
    policy: Arc<Policy>,
    state: tokio::sync::Mutex<Slices>,
    /// Tells a step that another one is wanted.
    next_caller: Notify,
}

/// Progress in slices.
struct Slices {
    /// Length of the next slice.
    length: Duration,
    /// Time at which the next slice is expected to begin.
    at: Option<Timestamp>,
    /// Ids of the last slice: Datadog may list a record that starts between two slices in both.
    last: HashSet<String>,
}

impl Default for Slices {
    fn default() -> Self {
        Self { length: FIRST_SLICE, at: None, last: HashSet::new() }
    }
}

/// Reason why a step ended early.
enum StepError {
    List(ListError),
    Store(StoreError),
}

impl From<ListError> for StepError {
    fn from(error: ListError) -> Self {
        Self::List(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Import {
    /// An import of what these lists hold, which are those of `backend`.
    pub fn new(
        (backend, lists): (String, DatadogLists),
        store: Store,
        clock: Arc<dyn Clock>,
        policy: Arc<Policy>,
    ) -> Self {
        let state = tokio::sync::Mutex::default();
        Self { lists, backend, store, clock, policy, state, next_caller: Notify::new() }
    }

    /// Reads some slices, and stores what is new. A step that is still under way, perhaps for a caller that has gone, is
    /// given up.
    ///
    /// # Errors
    /// Datadog gave no list, the store cannot be written, or another caller has asked for a step.
    pub async fn step(&self, order: ImportOrder) -> Result<ImportStep, BackfillError> {
        self.next_caller.notify_waiters();
        let mut slices = self.state.lock().await;
        // Slices begin with a second.
        let (asked_at, order) = (order.at, ImportOrder { at: whole(order.at), ..order });
        let mut step = ImportStep::begin(order.at);
        let result = tokio::select! {
            result = self.advance(&mut slices, order, &mut step) => result,
            () = self.next_caller.notified() => return Err(BackfillError::TakenOver),
        };
        let has_progress = step.at > order.at;
        step.at = step.at.max(asked_at);
        match result {
            Ok(()) => Ok(step),
            Err(StepError::List(ListError::Wait(wait))) => {
                Ok(ImportStep { wait_seconds: Some(wait.as_secs()), ..step })
            }
            // What the earlier slices have changed is told.
            Err(StepError::List(error)) if has_progress => {
                Ok(ImportStep { failed: Some(error.to_string()), ..step })
            }
            Err(StepError::List(error)) => Err(BackfillError::NoAnswer(error.to_string())),
            Err(StepError::Store(error)) => Err(BackfillError::NotStored(error.to_string())),
        }
    }

    async fn advance(
        &self,
        slices: &mut Slices,
        order: ImportOrder,
        step: &mut ImportStep,
    ) -> Result<(), StepError> {
        if slices.at != Some(order.at) {
            *slices = Slices { at: Some(order.at), ..Slices::default() };
        }
        let begin = self.clock.now();
        while step.at < order.until && self.clock.now().duration_since(begin) <= STEP {
            let end = step.at.saturating_add(slices.length).min(order.until);
            // A slice and the next one share a moment. In the shortest slices, that moment may be what fills both.
            let is_shortest = slices.length <= SHORTEST_SLICE;
            let period =
                (step.at, if is_shortest { end.saturating_sub(Duration::from_nanos(1)) } else { end });
            let (failures, deployments) = tokio::join!(
                self.lists.list(ListKind::Failures, period, self.clock.now()),
                self.lists.list(ListKind::Deployments, period, self.clock.now()),
            );
            let (failures, deployments) = (failures?, deployments?);
            let most = failures.len().max(deployments.len());
            if most >= MOST_LISTED && !is_shortest {
                slices.length = half(slices.length);
                continue;
            }
            if most >= MOST_LISTED {
                step.incomplete_seconds.push(step.at);
            }
            self.store_slice(slices, (failures, deployments), order.is_dry_run, step).await?;
            step.at = end;
            slices.at = Some(end);
            if !order.is_dry_run {
                self.store.set_imported(self.backend.clone(), (order.since, end)).await?;
            }
            if most < FEW {
                slices.length = (slices.length * 2).min(LONGEST_SLICE);
            }
        }
        step.done = step.at >= order.until;
        if step.done && !order.is_dry_run {
            self.store.end_import(self.backend.clone()).await?;
        }
        Ok(())
    }

    /// Stores the records of a slice that the last one did not have.
    async fn store_slice(
        &self,
        slices: &mut Slices,
        (failures, deployments): (Vec<Value>, Vec<Value>),
        is_dry_run: bool,
        step: &mut ImportStep,
    ) -> Result<(), StepError> {
        let now = self.clock.now();
        let ids = failures.iter().chain(&deployments).filter_map(id_of).collect();
        let (last, at) = (&slices.last, step.at);
        let read = |record| deployment(record, &self.policy);
        let (deployments, skipped) = new_records(deployments, last, ("deployment", at), read);
        step.deployments.found += skipped.len();
        step.skipped.extend(skipped);
        let read = |record| failure(record, &self.policy, now);
        let (failures, skipped) = new_records(failures, last, ("failure", at), read);
        step.failures.found += skipped.len();
        step.skipped.extend(skipped);
        let part = ImportPart { deployments, failures, is_dry_run, now };
        let imported = self.store.import(part).await?;
        // Not earlier: a slice that could not be stored is read again.
        slices.last = ids;
        step.deployments += imported.deployments;
        step.failures += imported.failures;
        step.open += imported.open;
        Ok(())
    }
}

/// The records of a slice that the last one did not have, and those that cannot be read, by their names, with the reasons.
/// Records without an id are never taken for each other.
fn new_records<T>(
    listed: Vec<Value>,
    last: &HashSet<String>,
    (kind, at): (&str, Timestamp),
    read: impl Fn(Value) -> Result<T, String>,
) -> (Vec<T>, BTreeMap<String, String>) {
    let (mut records, mut skipped) = (Vec::new(), BTreeMap::new());
    for (place, record) in (1..).zip(listed) {
        let id = id_of(&record);
        if id.as_ref().is_some_and(|id| last.contains(id)) {
            continue;
        }
        match read(record) {
            Ok(record) => records.push(record),
            Err(reason) => {
                let nameless = || format!("{kind} {place} without an id, in the slice from {at}");
                skipped.insert(id.unwrap_or_else(nameless), reason);
            }
        }
    }
    (records, skipped)
}

/// Half of a length, in whole seconds.
fn half(length: Duration) -> Duration {
    Duration::from_secs(length.as_secs() / 2).max(SHORTEST_SLICE)
}

/// The beginning of the second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_seconds() * 1_000_000_000)
}
