//! The dashboard at the admin listener's `/`: rendered by the server, without scripts and external resources.

mod backends;
#[cfg_attr(not(test), expect(dead_code, reason = "the first page does not have the charts yet"))]
mod charts;
mod data;
mod failures;
mod figures;
mod form;
mod format;
mod health;
mod health_row;
mod outbox;
mod overview;
mod page;
mod plot;
pub(super) mod quarantine;
mod received;
mod story;

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;

use self::data::DashboardData;
use self::form::{RetryForm, foreign_form, is_own_form};
use self::page::notice;
use super::api_error::ApiError;
use super::boards::Period;
use super::failures::{FailureLookup, StoryLookup, UNKNOWN_FAILURE};
use super::figures::Figures;
use super::outbox::Outbox;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery};
use super::reads::StoreReads;
use super::requests::Requests;
use super::token::Token;
use crate::clock::Clock;
use crate::domain::failure::FailureState;
use crate::domain::forwarding::BackendEntry;
use crate::domain::policy::Policy;
use crate::store::{FailureFilter, OutboxFilter, RowCommand, RowState, Store};
use crate::telemetry::metrics::Metrics;

/// Largest number of failures and of dead letters in a list.
const LISTED: usize = 25;
/// Period that is shown by default.
const DEFAULT_PERIOD: Period = Period::Month;
/// Forbids external resources, scripts and frames. Forms go to this listener alone.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Adds headers by which browsers forbid the pages everything that they do not need.
///
/// Referrers are sent to this listener alone. With `no-referrer`, browsers would send `Origin: null` with the page's
/// own forms, and `Origin` is how these are recognized (Fetch: append a request `Origin` header).
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// `GET /style.css`
pub(super) async fn style() -> Response {
    let style = concat!(include_str!("style.css"), include_str!("charts/charts.css"));
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], style).into_response()
}

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
    query: Option<TypedQuery<DashboardQuery>>,
) -> Result<Html<String>, ApiError> {
    let period = query.and_then(|TypedQuery(query)| query.days).unwrap_or(DEFAULT_PERIOD);
    dashboard.data(period).await.map(|data| overview::overview(&data))
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

/// `GET /failures/{id}`
pub(super) async fn failure(
    State(failures): State<Arc<FailureLookup>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(match failures.story(id.clone()).await? {
        StoryLookup::Story(found) => story::story(&id, &found).into_response(),
        StoryLookup::Unknown => notice(StatusCode::NOT_FOUND, "Not found", &html! { (UNKNOWN_FAILURE) }),
        StoryLookup::Several(ids) => {
            let text = html! {
                "Several failures match this id:"
                @for id in &ids { " " a href={ "/failures/" (id) } { (id) } }
            };
            notice(StatusCode::NOT_FOUND, "Not found", &text)
        }
    })
}

/// `POST /outbox/{id}/retry`, from a form of the dashboard.
pub(super) async fn retry(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    row: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<RetryForm>, FormRejection>,
) -> Response {
    if !is_own_form(&token, form, &headers) {
        return foreign_form();
    }
    let Err(refused) = outbox.apply(row, RowCommand::Retry).await else {
        return Redirect::to("/#outbox").into_response();
    };
    let text = html! {
        "The row was sent, replaced or discarded in the meantime, or the store cannot be changed now. "
        a href="/#outbox" { "See the outbox" } "."
    };
    notice(refused.status(), "Not retried", &text)
}
