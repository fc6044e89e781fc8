//! Reconciliation with PagerDuty: its REST API tells what webhooks have missed. `deployments.rs` does the same with the
//! APIs of GitHub and GitLab.
//!
//! A look asks for the incidents that changed since the last one, and for those that are open, here or at PagerDuty.
//! Each is read whole, and what is new becomes events of a source of its own. So a webhook that was lost is repaired,
//! and one that comes later changes nothing.

mod backfill;
mod care;
mod deployments;
mod deployments_log;
mod deployments_reading;
mod deployments_waits;
mod found;
mod import;
mod log;
mod look;
mod read;
mod related_changes;
mod scope;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::backfill::Backfill;
pub use self::care::SubscriptionCare;
pub use self::deployments::{DeploymentReader, NamedRepositories};
pub use self::import::Import;
use self::log::ReconcileLog;
use self::look::{DELIVERY, FailedInARow};
pub use self::look::{Look, ReconcileError};
use self::read::read;
pub use self::related_changes::RelatedChangesLoop;
use self::scope::Scope;
use crate::clock::Clock;
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty;
use crate::sources::pagerduty::reading::{self, Reading};
use crate::sources::pagerduty::rest::RestClient;
use crate::store::{ReadError, ReadIncident, Reader, Store};
use crate::telemetry::metrics::Metrics;

/// Time before the last look that the next one covers again: an entry may appear in PagerDuty's log a little late.
const OVERLAP: Duration = Duration::from_mins(10);
/// Time that the first look covers.
const FIRST_LOOK: Duration = Duration::from_hours(24);
/// PagerDuty's log is read in parts of this length, and the progress is stored after each: after a long pause there is
/// much to read.
const PART: Duration = Duration::from_hours(6);
/// Wait after a look that failed.
const RETRY: Duration = Duration::from_mins(1);
/// Shortest time between two looks that somebody asks for. Anybody can post a wrong signature.
const SHORTEST_WAIT: Duration = Duration::from_mins(2);
/// Looks at PagerDuty from time to time.
#[derive(Clone)]
pub struct Reconciler {
    /// Client of PagerDuty's REST API.
    pub client: RestClient,
    /// Store, for new events.
    pub store: Store,
    /// Reader, for the incidents that have to be read.
    pub reader: Reader,
    /// Clock for the waits.
    pub clock: Arc<dyn Clock>,
    /// Metrics and the state that the dashboard shows.
    pub metrics: Arc<Metrics>,
    /// Time between two looks.
    pub every: Duration,
    /// Id of the webhook subscription, if the configuration names it.
    pub subscription: Option<String>,
    /// Path of the webhooks, by which the subscription is found otherwise.
    pub path: String,
}

/// Part of the store that a look begins with.
struct Stored {
    /// Time from which on changes have to be read.
    since: Timestamp,
    /// Stored incidents that have to be read.
    known: BTreeSet<IncidentId>,
    /// Incidents that the last look could not read, or left to their webhooks.
    unread: BTreeSet<IncidentId>,
}

impl Reconciler {
    /// Looks until `stop` is set: at once, then from time to time, and soon after a webhook was answered 503 or 401.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut log = ReconcileLog::default();
        loop {
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            let looked = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                looked = self.look() => looked,
            };
            log.note(&looked);
            let wait = match &looked {
                Ok(look) => {
                    self.metrics.reconciliation.succeeded(self.clock.now(), look.events);
                    if look.deferred.is_empty() { self.every } else { self.every.min(DELIVERY) }
                }
                Err(error) => {
                    self.metrics.reconciliation.failed(self.clock.now(), error.to_string());
                    self.every.min(RETRY)
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.next_is_due(wait) => {}
            }
        }
    }

    async fn next_is_due(&self, wait: Duration) {
        let shortest = wait.min(SHORTEST_WAIT);
        self.clock.sleep(shortest).await;
        tokio::select! {
            () = self.clock.sleep(wait.saturating_sub(shortest)) => {}
            () = self.metrics.reconciliation.wanted() => {}
        }
    }

    /// One look. What was stored before an error stays.
    async fn look(&self) -> Result<Look, ReconcileError> {
        let now = self.clock.now();
        let Stored { since, known, unread } = self.stored(now).await?;
        let scope = Scope::find(&self.client, self.subscription.as_deref(), &self.path).await?;
        // This machine's clock may be ahead: what happens before PagerDuty's gets there is read by later looks.
        let mut look = Look::begin(self.client.answered_at().map_or(now, |at| at.min(now)));
        // So that what webhooks told is known.
        self.store.wait_until_folded().await;
        let (mut failed, mut deleted) = (FailedInARow::default(), Vec::new());
        for incident in &known {
            deleted.extend(self.repair(incident, None, (&mut failed, &mut look)).await?);
        }
        if deleted.len() > 1 && deleted.len() == known.len() {
            return Err(ReconcileError::OtherAccount(deleted.len()));
        }
        for reading in deleted {
            self.store_new(reading, &mut look).await?;
        }
        let mut done = known;
        self.repair_listed(unread.iter().cloned(), &scope, &mut done, (&mut failed, &mut look)).await?;
        let mut begin = since;
        while begin < now {
            let end = begin.saturating_add(PART).min(now);
            let ids = self.client.touched_incidents(begin, end).await?;
            self.repair_listed(incidents(ids), &scope, &mut done, (&mut failed, &mut look)).await?;
            self.store.set_reconciled_up_to(end.min(look.up_to), look.unread()).await?;
            begin = end;
        }
        let open = self.client.open_incidents().await?;
        self.repair_listed(incidents(open), &scope, &mut done, (&mut failed, &mut look)).await?;
        self.store.set_reconciled_up_to(look.up_to, look.unread()).await?;
        Ok(look)
    }

    /// Reads incidents that PagerDuty lists, those that are not done yet, and stores what is new.
    async fn repair_listed(
        &self,
        listed: impl Iterator<Item = IncidentId>,
        scope: &Scope,
        done: &mut BTreeSet<IncidentId>,
        (failed, look): (&mut FailedInARow, &mut Look),
    ) -> Result<(), ReconcileError> {
        for incident in listed {
            if done.contains(&incident) {
                continue;
            }
            if let Some(deleted) = self.repair(&incident, Some(scope), (failed, look)).await? {
                self.store_new(deleted, look).await?;
            }
            done.insert(incident);
        }
        Ok(())
    }

    async fn stored(&self, now: Timestamp) -> Result<Stored, ReconcileError> {
        let reader = self.reader.clone();
        let stored =
            move || Ok((reader.reconciled_up_to()?, reader.incidents_to_read()?, reader.unread_incidents()?));
        let (up_to, incidents, unread) =
            tokio::task::spawn_blocking(stored).await?.map_err(|error: ReadError| error)?;
        // The clock may have been set back since the last look.
        let since =
            up_to.map_or(now.saturating_sub(FIRST_LOOK), |up_to| up_to.min(now).saturating_sub(OVERLAP));
        let is_own = |incident: &IncidentId| *incident.source() == pagerduty::SOURCE.name;
        Ok(Stored { since, known: incidents.into_iter().filter(is_own).collect(), unread })
    }

    /// Reads an incident, and stores what is new. Returns the reading if PagerDuty does not have the incident.
    async fn repair(
        &self,
        incident: &IncidentId,
        scope: Option<&Scope>,
        (failed, look): (&mut FailedInARow, &mut Look),
    ) -> Result<Option<Reading>, ReconcileError> {
        look.incidents += 1;
        let reading = match read(&self.client, &*self.clock, incident).await {
            Ok(reading) => reading,
            Err(error) => {
                look.skipped.insert(incident.clone(), failed.failed(error)?);
                return Ok(None);
            }
        };
        failed.passed();
        let Some(found) = &reading.found else { return Ok(Some(reading)) };
        look.up_to = look.up_to.min(reading.at);
        if scope.is_some_and(|scope| !scope.includes(found)) {
            return Ok(None);
        }
        if found.changed_at().is_some_and(|at| at.saturating_add(DELIVERY) > reading.at) {
            look.deferred.insert(incident.clone());
            return Ok(None);
        }
        if let Err(error) = self.store_new(reading, look).await {
            look.skipped.insert(incident.clone(), failed.failed(error)?);
        }
        Ok(None)
    }

    /// Stores what is new in a reading.
    async fn store_new(&self, reading: Reading, look: &mut Look) -> Result<(), ReconcileError> {
        let events = reading.events()?;
        let read_at = self.clock.now();
        let read = ReadIncident { source: &reading::SOURCE, incident: reading.incident, events, read_at };
        let stored = self.store.record_read(read).await?;
        look.repaired += usize::from(!stored.is_empty());
        look.events += stored.len();
        Ok(())
    }
}

/// The incidents of these ids. An id that cannot be one is left out.
fn incidents(ids: BTreeSet<String>) -> impl Iterator<Item = IncidentId> {
    ids.into_iter().filter_map(|id| IncidentId::parse(&pagerduty::SOURCE.name, &id))
}
