//! Content of the first page.

use std::sync::Arc;

use crate::domain::timestamp::Timestamp;
use crate::http::boards::{Board, Boards, Period};
use crate::http::cached_figures::Computed;
use crate::http::requests::LastRequests;
use crate::store::{ListedFailure, OutboxRow, StoreGauges, StoreOutage};
use crate::telemetry::reconciliation::ReconciliationState;

/// Everything that the first page shows.
pub(super) struct DashboardData {
    /// Env of the figures.
    pub(super) env: String,
    /// Period of the figures.
    pub(super) period: Period,
    /// Present time.
    pub(super) now: Timestamp,
    /// Time at which the last event was received.
    pub(super) last_received_at: Option<Timestamp>,
    /// Last requests to the public listener.
    pub(super) received: LastRequests,
    /// End of the last deployment.
    pub(super) last_deployment_at: Option<Timestamp>,
    /// Open failures.
    pub(super) open: Vec<ListedFailure>,
    /// The figures, with the time of their computation.
    pub(super) figures: Arc<Computed<Boards>>,
    /// Time at which the figures for Prometheus were computed.
    pub(super) gauges_computed_at: Option<Timestamp>,
    /// The latest failures.
    pub(super) recent: Vec<ListedFailure>,
    /// Configured backends.
    pub(super) backends: Vec<String>,
    /// Gauges of the store.
    pub(super) gauges: StoreGauges,
    /// Last results of the reconciliation with PagerDuty. `None` if its REST API is not configured.
    pub(super) reconciliation: Option<ReconciliationState>,
    /// End of the validity of the public listener's certificate. `None`: it has no TLS.
    pub(super) certificate_expiry: Option<Timestamp>,
    /// Time and mistakes of the last reload. `None` if it was not refused.
    pub(super) reload_refused: Option<(Timestamp, String)>,
    /// Reason why the store cannot commit. `None` if it can.
    pub(super) trouble: Option<StoreOutage>,
    /// Dead rows of the outbox.
    pub(super) dead: Vec<OutboxRow>,
    /// Token that a form must send.
    pub(super) token: String,
}

impl DashboardData {
    /// The figures of the period that is shown.
    pub(super) fn board(&self) -> &Board {
        self.figures.answer.of(self.period)
    }
}
