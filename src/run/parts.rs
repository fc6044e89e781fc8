//! Parts of the daemon that stay the same when the configuration is read again.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::watch;

use super::api_thread::ApiThread;
use super::error::RunError;
use super::reload::ReloadRequests;
use super::setup::Setup;
use super::store::open_store;
use crate::clock::Clock;
use crate::http::{BodyBudget, Token};
use crate::store::{FiguresReader, OutboxGauge, ReadError, Reader, Store, StoreAddress};
use crate::telemetry::metrics::Metrics;

/// Connections for listings, so that a slow one delays no other.
const LISTING_CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// Shared parts of the daemon. Each server and each loop takes only the parts that it uses.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    /// Reader for listings.
    pub(super) listing_reader: Reader,
    /// Reader of the question if the program is ready, which waits for no listing and no other server.
    pub(super) readiness_reader: Reader,
    /// Reader for figures.
    pub(super) figures: FiguresReader,
    /// Reader of the reconciliation. Listings must not wait for it.
    pub(super) reconciliation_reader: Reader,
    /// Reader of the loop for related changes.
    pub(super) related_changes_reader: Reader,
    /// Reader of the loops that read deployments.
    pub(super) deployments_reader: Reader,
    /// Thread for requests to PagerDuty's REST API.
    pub(super) api_thread: ApiThread,
    /// Memory for the bodies of requests.
    pub(super) budget: BodyBudget,
    /// Token of the dashboard's forms.
    pub(super) token: Arc<Token>,
    /// Requests of the admin listener to reload the configuration.
    pub(super) reload_requests: ReloadRequests,
    /// Address that the admin listener is bound to.
    pub(super) admin_address: IpAddr,
    /// `true` once the program begins to stop.
    pub(super) stop: watch::Receiver<bool>,
}

impl Parts {
    /// Opens the store, which folds the events that an earlier process left unfolded, and its readers.
    pub(super) fn open(
        setup: &Setup,
        clock: Arc<dyn Clock>,
        admin_address: IpAddr,
        reload_requests: ReloadRequests,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, RunError> {
        let metrics = match setup.store {
            StoreAddress::File(_) => Metrics::new(setup.backend_names()),
            StoreAddress::Postgres(_) => Metrics::with_replicas(setup.backend_names()),
        };
        let store = open_store(
            setup.store.clone(),
            (&setup.policy, setup.destinations()),
            (Arc::clone(&setup.fingerprint), true),
            Arc::clone(&metrics),
        )?;
        let address = || setup.store.clone();
        // What is asked and stored follows from what these read, so they must not lag.
        let primary = || setup.store.primary();
        Ok(Self {
            store,
            clock,
            metrics,
            listing_reader: Reader::open_several(address(), LISTING_CONNECTIONS)?,
            figures: FiguresReader::open(address())?,
            readiness_reader: Reader::open(primary())?,
            reconciliation_reader: Reader::open(primary())?,
            related_changes_reader: Reader::open(primary())?,
            deployments_reader: Reader::open(primary())?,
            api_thread: ApiThread::start().map_err(RunError::Thread)?,
            budget: BodyBudget::default(),
            token: Arc::new(Token::new().map_err(RunError::Random)?),
            reload_requests,
            admin_address,
            stop,
        })
    }

    /// Logs each backend that rows wait for and that is not configured: the rows are not sent.
    pub(super) fn warn_of_unknown_backends(&self, setup: &Setup) -> Result<(), ReadError> {
        let is_known = |name: &String| setup.backend_names().any(|known| known == *name);
        for OutboxGauge { backend, pending, .. } in self.listing_reader.gauges()?.outbox {
            if pending > 0 && !is_known(&backend) {
                tracing::warn!(
                    backend,
                    waiting = pending,
                    "rows wait for a backend that has no [[backend]] entry, and are not sent: put the entry back under \
                     this name, then reload or restart"
                );
            }
        }
        Ok(())
    }
}
