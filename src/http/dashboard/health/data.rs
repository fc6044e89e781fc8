//! State of the program, as its health is told from it.

use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::site::Site;
use crate::http::requests::LastRequests;
use crate::store::{StoreGauges, StoreOutage};
use crate::telemetry::deployment_reading::DeploymentReadingState;
use crate::telemetry::reconciliation::ReconciliationState;

/// Everything that the health of the program is told from.
pub(in crate::http::dashboard) struct HealthData {
    /// Place of the page.
    pub(in crate::http::dashboard) site: Site,
    /// Present time.
    pub(in crate::http::dashboard) now: Timestamp,
    /// Last requests to the public listener.
    pub(in crate::http::dashboard) received: LastRequests,
    /// Paths of the public listener that take webhooks.
    pub(in crate::http::dashboard) webhook_paths: Vec<String>,
    /// Time at which the figures for Prometheus were computed.
    pub(in crate::http::dashboard) gauges_computed_at: Option<Timestamp>,
    /// Configured backends.
    pub(in crate::http::dashboard) backends: Vec<String>,
    /// Last results of the reconciliation with PagerDuty. `None` if its REST API is not configured.
    pub(in crate::http::dashboard) reconciliation: Option<ReconciliationState>,
    /// State of reading deployments from each API that has a token.
    pub(in crate::http::dashboard) deployment_readings: Vec<DeploymentReadingState>,
    /// End of the validity of the public listener's certificate. `None`: it has no TLS.
    pub(in crate::http::dashboard) certificate_expiry: Option<Timestamp>,
    /// Time and mistakes of the last reload. `None` if it was not refused.
    pub(in crate::http::dashboard) reload_refused: Option<(Timestamp, String)>,
    /// `true` if another replica decides, because it was started later with another version or configuration.
    pub(in crate::http::dashboard) only_takes_in: bool,
    /// `true` if another replica asks PagerDuty's REST API, and the APIs that deployments are read from.
    pub(in crate::http::dashboard) others_ask_apis: bool,
    /// Reason why the store cannot commit. `None` if it can.
    pub(in crate::http::dashboard) trouble: Option<StoreOutage>,
    /// Time at which the last event was received.
    pub(in crate::http::dashboard) last_received_at: Option<Timestamp>,
    /// End of the last deployment.
    pub(in crate::http::dashboard) last_deployment_at: Option<Timestamp>,
    /// Gauges of the store.
    pub(in crate::http::dashboard) gauges: StoreGauges,
}
