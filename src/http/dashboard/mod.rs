//! The dashboard at the admin listener's `/`: rendered by the server, without scripts and external resources.

mod attempts;
mod backends;
mod board_charts;
mod board_view;
mod charts;
mod csv;
mod data;
mod deployment_csv;
mod deployment_failures;
pub(super) mod deployment_page;
mod deployment_query;
mod deployment_reading;
mod deployment_table;
pub(super) mod deployments;
mod failure_table;
mod filter_bar;
mod form;
mod format;
mod getting_started;
mod groups;
mod guard;
mod health;
mod health_facts;
mod health_row;
mod links;
pub(super) mod listing;
mod listing_parts;
mod listing_query;
mod lists;
pub(super) mod names;
mod open_now;
mod other_envs;
pub(super) mod outbox_commands;
pub(super) mod outbox_page;
mod outbox_rows;
mod overview;
mod overview_query;
mod page;
pub(super) mod quarantine;
mod received;
mod recent;
mod refusal;
pub(super) mod site;
pub(super) mod story;
pub(super) mod style;
mod tile_words;
mod tiles;
mod timeline;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use self::data::DashboardData;
use self::filter_bar::Suggestions;
use self::lists::Lists;
use self::overview_query::OverviewQuery;
use self::site::Site;
use super::api_error::ApiError;
use super::boards::Board;
use super::cached_figures::Computed;
use super::figures::Figures;
use super::query::TypedQuery;
use super::reads::StoreReads;
use super::requests::Requests;
use crate::clock::Clock;
use crate::domain::deployment_view::PendingRule;
use crate::domain::forwarding::BackendEntry;
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

pub(super) use self::guard::guard;
pub(super) use self::refusal::as_page;

/// Parts that the first page is built from.
pub(super) struct Dashboard {
    /// Store, to show whether it can commit.
    pub(super) store: Store,
    /// Lists failures and rows.
    pub(super) reads: StoreReads,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Figures of every period.
    pub(super) figures: Arc<Figures>,
    /// Policy, which has the default env.
    pub(super) policy: Arc<Policy>,
    /// Configured backends.
    pub(super) backend_entries: Arc<[BackendEntry]>,
    /// Metrics, for the last results of the reconciliation.
    pub(super) metrics: Arc<Metrics>,
    /// Requests to the public listener.
    pub(super) requests: Arc<Requests>,
}

/// `GET /`
pub(super) async fn index(
    State(dashboard): State<Arc<Dashboard>>,
    site: Site,
    TypedQuery(query): TypedQuery<OverviewQuery>,
) -> Result<Response, ApiError> {
    let now = dashboard.clock.now();
    let refresh = query.refresh;
    let figures = match dashboard.figures.board(query.board.clone(), now).await? {
        Ok(figures) => figures,
        Err(mistake) => {
            let page = overview::mistaken(&site, &query, &dashboard.policy.default_env, &mistake);
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    let data = dashboard.data(site, query, now, figures).await?;
    let mut response = overview::overview(&data).into_response();
    if let Some(seconds) = refresh {
        response.headers_mut().insert(REFRESH, HeaderValue::from(seconds));
    }
    Ok(response)
}

impl Dashboard {
    async fn data(
        &self,
        site: Site,
        query: OverviewQuery,
        now: Timestamp,
        figures: Arc<Computed<Board>>,
    ) -> Result<DashboardData, ApiError> {
        let env = self.policy.default_env.clone();
        let backends = self.backend_entries.iter().map(|backend_entry| backend_entry.name.clone()).collect();
        let trouble = self.store.trouble();
        let received = self.requests.last();
        let webhook_paths =
            self.requests.sources().iter().map(|source| source.webhooks.path.clone()).collect();
        let reconciliation = self.metrics.reconciliation.state();
        let deployment_readings = self.metrics.deployment_readings.states();
        let certificate_expiry = self.metrics.certificate_expiry();
        let reload_refused = self.metrics.reloads.last_refused();
        let gauges_computed_at = self.figures.gauges_computed_at();
        let pending = PendingRule { link_window: self.policy.link_window, now };
        let read = self.reads.read(move |reader| {
            let lists = Lists::read(reader, &query, pending)?;
            Ok(DashboardData {
                site,
                names: Suggestions::new(reader.deployed_names()?, &figures.answer),
                env,
                now,
                last_received_at: reader.last_received_at()?,
                received,
                webhook_paths,
                last_deployment_at: reader.last_deployment_at()?,
                open: lists.open,
                figures,
                gauges_computed_at,
                recent: lists.recent,
                deployments: lists.deployments,
                backends,
                gauges: reader.gauges()?,
                reconciliation,
                deployment_readings,
                certificate_expiry,
                reload_refused,
                trouble,
                query,
            })
        });
        read.await
    }
}
