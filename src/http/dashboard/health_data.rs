//! State of the program, as its health is told from it.

use super::site::Site;
use crate::domain::timestamp::Timestamp;
use crate::http::requests::LastRequests;
use crate::store::{StoreGauges, StoreOutage};
use crate::telemetry::reconciliation::ReconciliationState;

/// Everything that the health of the program is told from.
pub(super) struct HealthData {
    /// Place of the page.
    pub(super) site: Site,
    /// Present time.
    pub(super) now: Timestamp,
    /// Last requests to the public listener.
    pub(super) received: LastRequests,
    /// Paths of the public listener that take webhooks.
    pub(super) webhook_paths: Vec<String>,
    /// Time at which the figures for Prometheus were computed.
    pub(super) gauges_computed_at: Option<Timestamp>,
    /// Configured backends.
    pub(super) backends: Vec<String>,
    /// Last results of the reconciliation with PagerDuty. `None` if its REST API is not configured.
    pub(super) reconciliation: Option<ReconciliationState>,
    /// End of the validity of the public listener's certificate. `None`: it has no TLS.
    pub(super) certificate_expiry: Option<Timestamp>,
    /// Time and mistakes of the last reload. `None` if it was not refused.
    pub(super) reload_refused: Option<(Timestamp, String)>,
    /// Reason why the store cannot commit. `None` if it can.
    pub(super) trouble: Option<StoreOutage>,
    /// Time at which the last event was received.
    pub(super) last_received_at: Option<Timestamp>,
    /// End of the last deployment.
    pub(super) last_deployment_at: Option<Timestamp>,
    /// Gauges of the store.
    pub(super) gauges: StoreGauges,
}
