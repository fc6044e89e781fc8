//! The dashboard at the admin listener's `/`: rendered by the server, without scripts and external resources.

mod attempts;
mod backends;
#[cfg_attr(not(test), expect(dead_code, reason = "the first page does not have the charts yet"))]
mod charts;
mod csv;
mod data;
mod deployment_csv;
mod deployment_failures;
pub(super) mod deployment_page;
mod deployment_query;
mod deployment_table;
pub(super) mod deployments;
mod failure_table;
mod failures;
mod figures;
mod form;
mod format;
mod guard;
mod health;
mod health_row;
mod links;
pub(super) mod listing;
mod listing_query;
mod name_charts;
mod name_figures;
pub(super) mod names;
mod outbox;
pub(super) mod outbox_commands;
pub(super) mod outbox_page;
mod outbox_rows;
mod overview;
mod page;
mod plot;
pub(super) mod quarantine;
mod received;
mod refusal;
pub(super) mod site;
pub(super) mod story;
pub(super) mod style;
mod timeline;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use self::data::DashboardData;
use self::site::Site;
use super::api_error::ApiError;
use super::boards::Period;
use super::figures::Figures;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery};
use super::reads::StoreReads;
use super::requests::Requests;
use super::token::Token;
use crate::clock::Clock;
use crate::domain::failure::FailureState;
use crate::domain::forwarding::BackendEntry;
use crate::domain::policy::Policy;
use crate::store::{FailureFilter, OutboxFilter, RowState, Store};
use crate::telemetry::metrics::Metrics;

pub(super) use self::guard::guard;
pub(super) use self::refusal::as_page;

/// Largest number of failures and of dead letters in a list.
const LISTED: usize = 25;
/// Period that is shown by default.
const DEFAULT_PERIOD: Period = Period::Month;

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
    /// Token that forms send.
    pub(super) token: Arc<Token>,
}

/// Query of the first page: the period of the figures.
pub(super) struct DashboardQuery {
    days: Option<Period>,
}

impl FromQuery for DashboardQuery {
    const NAMES: &'static [&'static str] = &["days"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self { days: parameters.number("days")?.and_then(Period::of_days) })
    }
}

/// `GET /`
pub(super) async fn index(
    State(dashboard): State<Arc<Dashboard>>,
    site: Site,
    query: Option<TypedQuery<DashboardQuery>>,
) -> Result<Html<String>, ApiError> {
    let period = query.and_then(|TypedQuery(query)| query.days).unwrap_or(DEFAULT_PERIOD);
    dashboard.data(period).await.map(|data| overview::overview(&site, &data))
}

impl Dashboard {
    async fn data(&self, period: Period) -> Result<DashboardData, ApiError> {
        let (now, env, token) =
            (self.clock.now(), self.policy.default_env.clone(), self.token.shown().to_owned());
        let backends = self.backend_entries.iter().map(|backend_entry| backend_entry.name.clone()).collect();
        let trouble = self.store.trouble();
        let received = self.requests.last();
        let reconciliation = self.metrics.reconciliation.state();
        let certificate_expiry = self.metrics.certificate_expiry();
        let reload_refused = self.metrics.reloads.last_refused();
        let figures = self.figures.boards(now).await?;
        let gauges_computed_at = self.figures.gauges_computed_at();
        let read = self.reads.read(move |reader| {
            let list = |state| {
                let filter = FailureFilter { state, limit: LISTED, ..FailureFilter::default() };
                reader.failures(&filter).map(|page| page.failures)
            };
            let dead = OutboxFilter { state: Some(RowState::Dead), limit: LISTED, ..OutboxFilter::default() };
            Ok(DashboardData {
                period,
                now,
                last_received_at: reader.last_received_at()?,
                received,
                last_deployment_at: reader.last_deployment_at()?,
                open: list(Some(FailureState::Open))?,
                figures,
                gauges_computed_at,
                recent: list(None)?,
                backends,
                gauges: reader.gauges()?,
                reconciliation,
                certificate_expiry,
                reload_refused,
                trouble,
                dead: reader.outbox(&dead)?.rows,
                token,
                env,
            })
        });
        read.await
    }
}
