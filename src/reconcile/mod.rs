//! Reconciliation with PagerDuty: its REST API tells what webhooks have missed.
//!
//! A look asks for the incidents that changed since the last one, and for those that are open, here or at PagerDuty.
//! Each is read whole, and what is new becomes events of a source of its own. So a webhook that was lost is repaired,
//! and one that comes later changes nothing.

mod log;
mod look;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::log::ReconcileLog;
pub use self::look::{Look, LookError};
use crate::clock::Clock;
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty;
use crate::sources::pagerduty::reading::{self, FoundIncident, Reading};
use crate::sources::pagerduty::rest::{RestClient, RestError};
use crate::store::{ReadError, ReadIncident, Reader, Store};
use crate::telemetry::metrics::Metrics;

/// Time before the last look that the next one covers again: an entry may appear in PagerDuty's log a little late.
const OVERLAP: Duration = Duration::from_mins(10);
/// Time that the first look covers.
const FIRST_LOOK: Duration = Duration::from_hours(24);
/// Wait after a look that failed.
const RETRY: Duration = Duration::from_mins(1);
/// Shortest time between two looks.
const SHORTEST_WAIT: Duration = Duration::from_secs(10);

/// Looks at PagerDuty from time to time.
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
                Ok((at, look)) => {
                    self.metrics.reconciliation.succeeded(*at, look.events);
                    self.every
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
        self.clock.sleep(SHORTEST_WAIT).await;
        tokio::select! {
            () = self.clock.sleep(wait.saturating_sub(SHORTEST_WAIT)) => {}
            () = self.metrics.reconciliation.wanted() => {}
        }
    }

    /// One look. Returns its time and what it found. What was stored before an error stays.
    async fn look(&self) -> Result<(Timestamp, Look), LookError> {
        let now = self.clock.now();
        let reader = self.reader.clone();
        let (up_to, waiting) = tokio::task::spawn_blocking(move || {
            Ok((reader.reconciled_up_to()?, reader.incidents_to_read()?))
        })
        .await?
        .map_err(|error: ReadError| error)?;
        let since = up_to.map_or(now.saturating_sub(FIRST_LOOK), |up_to| up_to.saturating_sub(OVERLAP));
        let mut ids = self.client.touched_incidents(since, now).await?;
        ids.extend(self.client.open_incidents().await?);
        let source = &pagerduty::SOURCE.name;
        let mut incidents: BTreeSet<IncidentId> =
            ids.iter().filter_map(|id| IncidentId::parse(source, id)).collect();
        incidents.extend(waiting.into_iter().filter(|incident| incident.source() == source));
        // So that what webhooks told is known.
        self.store.wait_until_folded().await;
        let mut look = Look { incidents: incidents.len(), ..Look::default() };
        for incident in incidents {
            let stored = self.repair(incident).await?;
            look.repaired += usize::from(!stored.is_empty());
            look.events += stored.len();
        }
        self.store.set_reconciled_up_to(now).await?;
        Ok((now, look))
    }

    /// Reads an incident, and stores what is new. Returns the types of the new events.
    async fn repair(&self, incident: IncidentId) -> Result<Vec<String>, LookError> {
        let read = self.read(&incident).await?;
        let events = read.events().map_err(|reason| LookError::NotUnderstood(incident.clone(), reason))?;
        let read_at = self.clock.now();
        let read = ReadIncident { source: &reading::SOURCE, incident, events, read_at };
        Ok(self.store.record_read(read).await?)
    }

    async fn read(&self, incident: &IncidentId) -> Result<Reading, RestError> {
        let id = incident.as_str();
        let deleted = Reading { incident: incident.clone(), at: self.clock.now(), found: None };
        let Some((found, at)) = self.client.incident(id).await? else { return Ok(deleted) };
        match tokio::try_join!(self.client.log_of(id), self.client.notes_of(id)) {
            Ok((log, notes)) => {
                let found = Some(FoundIncident { incident: found, log, notes });
                Ok(Reading { at: at.unwrap_or(deleted.at), found, ..deleted })
            }
            // It was deleted meanwhile.
            Err(RestError::NotFound { .. }) => Ok(deleted),
            Err(error) => Err(error),
        }
    }
}
