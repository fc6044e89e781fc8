//! Content of the first page.

use std::sync::Arc;

use crate::domain::timestamp::Timestamp;
use crate::http::boards::Board;
use crate::http::cached_figures::Computed;
use crate::http::dashboard::board::filter_bar::Suggestions;
use crate::http::dashboard::board::query::OverviewQuery;
use crate::http::dashboard::board::view::BoardView;
use crate::http::dashboard::health::data::HealthData;
use crate::http::dashboard::parts::deployment_table::DeploymentRows;
use crate::http::dashboard::parts::failure_table::FailureRows;
use crate::http::dashboard::parts::site::Site;
use crate::store::OpenNow;

/// Everything that the first page shows.
pub(in crate::http::dashboard) struct DashboardData {
    /// Place of the page.
    pub(in crate::http::dashboard) site: Site,
    /// Present time.
    pub(in crate::http::dashboard) now: Timestamp,
    /// Choice of period and filters.
    pub(in crate::http::dashboard) query: OverviewQuery,
    /// Names that the filters suggest.
    pub(in crate::http::dashboard) names: Suggestions,
    /// Env that is meant if none is chosen.
    pub(in crate::http::dashboard) env: String,
    /// Open failures.
    pub(in crate::http::dashboard) open: OpenNow,
    /// The figures, with the time of their computation.
    pub(in crate::http::dashboard) figures: Arc<Computed<Board>>,
    /// The latest failures.
    pub(in crate::http::dashboard) recent: FailureRows,
    /// The latest deployments.
    pub(in crate::http::dashboard) deployments: DeploymentRows,
    /// Health of the program.
    pub(in crate::http::dashboard) health: HealthData,
}

impl DashboardData {
    /// The figures, for tiles and charts.
    pub(in crate::http::dashboard) fn view(&self) -> BoardView<'_> {
        BoardView { site: &self.site, figures: &self.figures, query: &self.query, now: self.now }
    }

    /// `true` if nothing was stored yet.
    pub(in crate::http::dashboard) fn is_empty(&self) -> bool {
        self.health.last_received_at.is_none()
            && self.health.last_deployment_at.is_none()
            && self.recent.page.failures.is_empty()
    }
}
