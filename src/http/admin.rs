//! The admin listener's routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::answer::{in_time, refusal};
use super::dashboard::Token;
use super::figures::Figures;
use super::requests::Requests;
use crate::clock::Clock;
use crate::domain::failure::State as FailureState;
use crate::domain::moment;
use crate::domain::name::{name, named};
use crate::domain::policy::Policy;
use crate::pagerduty::payload;
use crate::store::{Filter, Obeyed, Order, OutboxFilter, ReadError, Reader, RowState, Span, Store};
use crate::telemetry::metrics::Metrics;

/// Default and highest number of rows in a listing.
pub(super) const DEFAULT_LIMIT: usize = 100;
pub(super) const LARGEST_LIMIT: usize = 1_000;

/// State of the admin listener's handlers.
pub struct Admin {
    /// To ask whether it can be written.
    pub store: Store,
    /// To list.
    pub reader: Reader,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counters and gauges.
    pub metrics: Arc<Metrics>,
    /// Policy by which failures are decided today.
    pub policy: Arc<Policy>,
    /// Time zone in which days begin.
    pub timezone: TimeZone,
    /// The figures of Prometheus, of the dashboard and of reports.
    pub figures: Figures,
    /// The names of the backends.
    pub backends: Vec<String>,
    /// Requests to the public listener.
    pub requests: Arc<Requests>,
    /// Token that the dashboard's forms send along.
    pub token: Token,
    /// Set once the program is about to end.
    pub stop: watch::Receiver<bool>,
}

/// The process lives.
pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// It can take events: the store, migrated when it was opened, can be written, and the end has not come.
pub(super) async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    if *admin.stop.borrow() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The program is shutting down.");
    }
    let proof = in_time(admin.store.prove_writable(admin.clock.now())).await;
    // A small write may succeed where larger ones fail.
    let detail = match (proof, admin.store.trouble()) {
        (Ok(()), None) => return Json(json!({ "status": "ready" })).into_response(),
        (Err(error), _) => format!("The store cannot be written: {error}."),
        (Ok(()), Some(trouble)) => format!("The store cannot commit: {}.", trouble.error),
    };
    refusal(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail)
}

/// The options of `failures`, by the same names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailuresQuery {
    state: Option<FailureState>,
    service: Option<String>,
    since: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /api/v1/failures`.
pub(super) async fn failures(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<FailuresQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Query(query) = match query {
        Ok(query) => query,
        Err(rejection) => return bad_query(&rejection.body_text()),
    };
    let since = query.since.as_deref().and_then(name);
    let since = since.map(|text| moment::parse(text, admin.clock.now(), &admin.timezone));
    let since = match since.transpose() {
        Ok(since) => since,
        Err(error) => return bad_query(&format!("since: {error}")),
    };
    let filter = Filter {
        state: query.state,
        service: named(query.service),
        since,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT),
        cursor: named(query.cursor),
    };
    let reader = admin.reader.clone();
    match blocking(move || reader.failures(&filter)).await {
        Ok(page) => Json(page).into_response(),
        Err(response) => response,
    }
}

/// `GET /api/v1/failures/{id}`: as `explain`.
pub(super) async fn failure(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let unknown = || refusal(StatusCode::NOT_FOUND, "not_found", "No failure with this id is known.");
    let Ok(Path(id)) = id else { return unknown() };
    let (reader, policy) = (admin.reader.clone(), Arc::clone(&admin.policy));
    let story = blocking(move || reader.story(&id, &policy, payload::stored)).await;
    match story {
        Ok(Some(story)) => Json(story).into_response(),
        Ok(None) => unknown(),
        Err(response) => response,
    }
}

/// Refuses requests with `Origin`: browsers send it with every POST, and a foreign page must not change anything here.
pub(super) async fn no_browser(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "forbidden", "Changes are not taken from browsers.");
    }
    next.run(request).await
}

/// The options of `outbox`, by the same names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutboxQuery {
    state: Option<RowState>,
    backend: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    cursor: i64,
}

/// `GET /api/v1/outbox`.
pub(super) async fn outbox(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<OutboxQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let OutboxQuery { state, backend, limit, cursor } = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return bad_query(&rejection.body_text()),
    };
    let (limit, backend) = (limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT), named(backend));
    let reader = admin.reader.clone();
    match blocking(move || reader.outbox(&OutboxFilter { state, backend, after: cursor, limit })).await {
        Ok(page) => Json(page).into_response(),
        Err(response) => response,
    }
}

/// `POST /api/v1/outbox/{id}/retry`.
pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    row: Result<Path<i64>, PathRejection>,
) -> Response {
    obey(&admin, row, Order::Retry).await
}

/// `POST /api/v1/outbox/{id}/discard`.
pub(super) async fn discard(
    State(admin): State<Arc<Admin>>,
    row: Result<Path<i64>, PathRejection>,
) -> Response {
    obey(&admin, row, Order::Discard).await
}

pub(super) async fn obey(admin: &Admin, row: Result<Path<i64>, PathRejection>, order: Order) -> Response {
    // Where it is no number there is no such row either.
    let Ok(Path(row)) = row else {
        return refusal(StatusCode::NOT_FOUND, "not_found", Obeyed::NotFound.says(order));
    };
    let obeyed = match in_time(admin.store.order(row, order, admin.clock.now())).await {
        Ok(obeyed) => obeyed,
        Err(error) => {
            tracing::warn!(%error, row, "a row of the outbox could not be changed");
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The store cannot be changed now.",
            );
        }
    };
    let said = obeyed.says(order);
    match obeyed {
        Obeyed::Done => Json(json!({ "status": "done", "detail": said })).into_response(),
        Obeyed::NotFound => refusal(StatusCode::NOT_FOUND, "not_found", said),
        Obeyed::Settled(_) | Obeyed::Outdated | Obeyed::UnderWay => {
            refusal(StatusCode::CONFLICT, "conflict", said)
        }
    }
}

/// Query of `reevaluate`, for one batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReevaluateQuery {
    /// The fingerprint of the policy that is meant.
    policy: String,
    since: Option<String>,
    #[serde(default)]
    after: i64,
}

/// `POST /api/v1/reevaluate`: refused where the daemon runs under another configuration than was meant.
pub(super) async fn reevaluate(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<ReevaluateQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return bad_query(&rejection.body_text()),
    };
    let now = admin.clock.now();
    let since = query.since.as_deref().map(|text| moment::parse(text, now, &admin.timezone));
    let since = match since.transpose() {
        Ok(since) => since,
        Err(error) => return bad_query(&format!("since: {error}")),
    };
    if query.policy != admin.policy.fingerprint() {
        let detail = "The daemon runs with another configuration: restart it, then try again.";
        return refusal(StatusCode::CONFLICT, "other_configuration", detail);
    }
    match admin.store.reevaluate(Span { since, after: query.after }, now).await {
        Ok(batch) => Json(batch).into_response(),
        Err(error) => {
            tracing::warn!(%error, "failures could not be evaluated again");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store cannot be changed now.")
        }
    }
}

pub(super) fn bad_query(detail: &dyn std::fmt::Display) -> Response {
    refusal(StatusCode::BAD_REQUEST, "bad_query", detail.to_string())
}

/// Reads the store where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Response> {
    answered(tokio::task::spawn_blocking(read).await)
}

/// Returns the value that was read, or the answer that it could not be read. Internals stay in the log.
#[expect(clippy::result_large_err, reason = "the answer itself, which is handed on at once")]
pub(super) fn answered<T>(read: Result<Result<T, ReadError>, impl std::fmt::Display>) -> Result<T, Response> {
    match read {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error @ ReadError::Cursor)) => Err(refusal(StatusCode::BAD_REQUEST, "bad_query", error)),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store could not be read");
            Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The store could not be read."))
        }
        Err(error) => {
            tracing::error!(%error, "reading the store was cut short");
            Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}
