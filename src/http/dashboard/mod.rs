//! The dashboard at the admin listener's `/`: rendered by the server, without scripts and external resources.

mod board;
mod charts;
pub(super) mod deployment;
pub(super) mod failure;
mod guard;
mod health;
pub(super) mod names;
pub(super) mod outbox;
mod overview;
pub(super) mod parts;
pub(super) mod quarantine;
mod refusal;
pub(super) mod style;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use self::board::filter_bar::Suggestions;
use self::board::query::OverviewQuery;
use self::health::data::HealthData;
use self::overview::data::DashboardData;
use self::overview::lists::Lists;
use self::overview::page;
use self::parts::site::Site;
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
use crate::store::{ReadError, Reader, Store};
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
            let page = page::mistaken(&site, &query, &dashboard.policy.default_env, &mistake);
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    let data = dashboard.data(site, query, now, figures).await?;
    let mut response = page::overview(&data).into_response();
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
        let pending = PendingRule { link_window: self.policy.link_window, now };
        let health = self.health(site.clone(), now);
        let read = self.reads.read(move |reader| {
            let lists = Lists::read(reader, &query, pending)?;
            Ok(DashboardData {
                site,
                now,
                names: Suggestions::new(reader.deployed_names()?, &figures.answer),
                env,
                open: lists.open,
                figures,
                recent: lists.recent,
                deployments: lists.deployments,
                query,
                health: health(reader)?,
            })
        });
        read.await
    }

    /// Function that reads what the store knows of the program's health, and adds it to what is known without the store.
    fn health(
        &self,
        site: Site,
        now: Timestamp,
    ) -> impl FnOnce(&Reader) -> Result<HealthData, ReadError> + Send + use<> {
        let sources = self.requests.sources().iter();
        let webhook_paths = sources.map(|source| source.webhooks.path.clone()).collect();
        let backends = self.backend_entries.iter().map(|entry| entry.name.clone()).collect();
        let (received, gauges_computed_at) = (self.requests.last(), self.figures.gauges_computed_at());
        let reconciliation = self.metrics.reconciliation.state();
        let deployment_readings = self.metrics.deployment_readings.states();
        let certificate_expiry = self.metrics.certificate_expiry();
        let replicas = &self.metrics.replicas;
        let (only_takes_in, others_ask_apis) = (replicas.only_takes_in(), replicas.others_ask_apis());
        let (reload_refused, trouble) = (self.metrics.reloads.last_refused(), self.store.trouble());
        move |reader| {
            Ok(HealthData {
                site,
                now,
                received,
                webhook_paths,
                gauges_computed_at,
                backends,
                reconciliation,
                deployment_readings,
                certificate_expiry,
                reload_refused,
                only_takes_in,
                others_ask_apis,
                trouble,
                last_received_at: reader.last_received_at()?,
                last_deployment_at: reader.last_deployment_at()?,
                gauges: reader.gauges()?,
            })
        }
    }
}
