//! Content of the first page.

use std::sync::Arc;

use super::board_view::BoardView;
use super::deployment_table::DeploymentRows;
use super::failure_table::FailureRows;
use super::filter_bar::Suggestions;
use super::health_data::HealthData;
use super::overview_query::OverviewQuery;
use super::site::Site;
use crate::domain::timestamp::Timestamp;
use crate::http::boards::Board;
use crate::http::cached_figures::Computed;
use crate::store::OpenNow;

/// Everything that the first page shows.
pub(super) struct DashboardData {
    /// Place of the page.
    pub(super) site: Site,
    /// Present time.
    pub(super) now: Timestamp,
    /// Choice of period and filters.
    pub(super) query: OverviewQuery,
    /// Names that the filters suggest.
    pub(super) names: Suggestions,
    /// Env that is meant if none is chosen.
    pub(super) env: String,
    /// Open failures.
    pub(super) open: OpenNow,
    /// The figures, with the time of their computation.
    pub(super) figures: Arc<Computed<Board>>,
    /// The latest failures.
    pub(super) recent: FailureRows,
    /// The latest deployments.
    pub(super) deployments: DeploymentRows,
    /// Health of the program.
    pub(super) health: HealthData,
}

impl DashboardData {
    /// The figures, for tiles and charts.
    pub(super) fn view(&self) -> BoardView<'_> {
        BoardView { site: &self.site, figures: &self.figures, query: &self.query, now: self.now }
    }

    /// `true` if nothing was stored yet.
    pub(super) fn is_empty(&self) -> bool {
        self.health.last_received_at.is_none()
            && self.health.last_deployment_at.is_none()
            && self.recent.page.failures.is_empty()
    }
}
