//! Content of the first page.

use std::sync::Arc;

use super::board_view::BoardView;
use super::deployment_table::DeploymentRows;
use super::failure_table::FailureRows;
use super::filter_bar::Suggestions;
use super::overview_query::OverviewQuery;
use super::site::Site;
use crate::domain::timestamp::Timestamp;
use crate::http::boards::Board;
use crate::http::cached_figures::Computed;
use crate::http::requests::LastRequests;
use crate::store::{OpenNow, StoreGauges, StoreOutage};
use crate::telemetry::deployment_reading::DeploymentReadingState;
use crate::telemetry::reconciliation::ReconciliationState;

/// Everything that the first page shows.
pub(super) struct DashboardData {
    /// Place of the page.
    pub(super) site: Site,
    /// Choice of period and filters.
    pub(super) query: OverviewQuery,
    /// Names that the filters suggest.
    pub(super) names: Suggestions,
    /// Env that is meant if none is chosen.
    pub(super) env: String,
    /// Present time.
    pub(super) now: Timestamp,
    /// Time at which the last event was received.
    pub(super) last_received_at: Option<Timestamp>,
    /// Last requests to the public listener.
    pub(super) received: LastRequests,
    /// Paths of the public listener that take webhooks.
    pub(super) webhook_paths: Vec<String>,
    /// End of the last deployment.
    pub(super) last_deployment_at: Option<Timestamp>,
    /// Open failures.
    pub(super) open: OpenNow,
    /// The figures, with the time of their computation.
    pub(super) figures: Arc<Computed<Board>>,
    /// Time at which the figures for Prometheus were computed.
    pub(super) gauges_computed_at: Option<Timestamp>,
    /// The latest failures.
    pub(super) recent: FailureRows,
    /// The latest deployments.
    pub(super) deployments: DeploymentRows,
    /// Configured backends.
    pub(super) backends: Vec<String>,
    /// Gauges of the store.
    pub(super) gauges: StoreGauges,
    /// Last results of the reconciliation with PagerDuty. `None` if its REST API is not configured.
    pub(super) reconciliation: Option<ReconciliationState>,
    /// Last results of reading deployments, for each API that is configured.
    pub(super) deployment_readings: Vec<DeploymentReadingState>,
    /// End of the validity of the public listener's certificate. `None`: it has no TLS.
    pub(super) certificate_expiry: Option<Timestamp>,
    /// Time and mistakes of the last reload. `None` if it was not refused.
    pub(super) reload_refused: Option<(Timestamp, String)>,
    /// Reason why the store cannot commit. `None` if it can.
    pub(super) trouble: Option<StoreOutage>,
}

impl DashboardData {
    /// The figures, for tiles and charts.
    pub(super) fn view(&self) -> BoardView<'_> {
        BoardView { site: &self.site, figures: &self.figures, query: &self.query, now: self.now }
    }

    /// `true` if nothing was stored yet.
    pub(super) fn is_empty(&self) -> bool {
        self.last_received_at.is_none()
            && self.last_deployment_at.is_none()
            && self.recent.page.failures.is_empty()
    }
}
