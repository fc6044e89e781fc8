//! The admin listener's routes.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::watch;

use super::answer::{in_time, refusal};
use super::dashboard::Token;
use super::figures::Figures;
use super::query::{Asked, FromQuery, Parameters, bad_query};
use super::requests::Requests;
use crate::clock::Clock;
use crate::domain::failure::State as FailureState;
use crate::domain::forwarding::Recipient;
use crate::domain::moment;
use crate::domain::name::{name, named};
use crate::domain::policy::Policy;
use crate::log_limit::LogLimit;
use crate::pagerduty::payload;
use crate::store::{
    Filter, FoundKind, Obeyed, Order, OutboxFilter, ReadError, Reader, RowState, Span, Store, Story, Today,
};
use crate::telemetry::metrics::Metrics;

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
    /// The backends that are configured.
    pub recipients: Arc<[Recipient]>,
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
    let reader = admin.reader.clone();
    let is_readable = blocking(move || reader.last_received_at()).await.is_ok();
    // A small write may succeed where larger ones fail.
    let detail = match (proof, admin.store.trouble()) {
        (Ok(()), None) if !is_readable => "The store cannot be read: the log says why.".to_owned(),
        (Ok(()), None) => return Json(json!({ "status": "ready" })).into_response(),
        (Err(error), _) => format!("The store cannot be written: {error}."),
        (Ok(()), Some(trouble)) => format!("The store cannot commit: {}.", trouble.error),
    };
    refusal(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail)
}

/// The options of `failures`, by the same names.
pub(super) struct FailuresQuery {
    state: Option<FailureState>,
    service: Option<String>,
    since: Option<String>,
    limit: usize,
    cursor: Option<String>,
}

impl FromQuery for FailuresQuery {
    const NAMES: &'static [&'static str] = &["state", "service", "since", "limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self {
            state: parameters.word("state", &FailureState::ALL, FailureState::as_str)?,
            service: parameters.text("service"),
            since: parameters.text("since"),
            limit: parameters.limit()?,
            cursor: parameters.text("cursor"),
        })
    }
}

/// `GET /api/v1/failures`.
pub(super) async fn failures(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<FailuresQuery>,
) -> Response {
    let since = query.since.as_deref().and_then(name);
    let since = since.map(|text| moment::parse(text, admin.clock.now(), &admin.timezone));
    let since = match since.transpose() {
        Ok(since) => since,
        Err(error) => return bad_query(format_args!("since: {error}")),
    };
    let filter = Filter {
        state: query.state,
        service: named(query.service),
        since,
        limit: query.limit,
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
    let not_found = |detail: &dyn std::fmt::Display| refusal(StatusCode::NOT_FOUND, "not_found", detail);
    let Ok(Path(id)) = id else { return not_found(&UNKNOWN_FAILURE) };
    match story(&admin, id).await {
        Ok(Told::Story(story)) => Json(story).into_response(),
        Ok(Told::Unknown) => not_found(&UNKNOWN_FAILURE),
        Ok(Told::Several(ids)) => {
            not_found(&format_args!("Several failures have an id like this: {}.", ids.join(", ")))
        }
        Err(response) => response,
    }
}

/// Answer to an id that names no failure.
pub(super) const UNKNOWN_FAILURE: &str = "No failure with this id is known.";

/// Story of the failure that an id, or a part of one, names.
pub(super) enum Told {
    /// One failure.
    Story(Box<Story>),
    /// None.
    Unknown,
    /// One of these, at most ten.
    Several(Vec<String>),
}

/// The story of a failure, by its id, its incident's, or a unique beginning of these, in any case, as `explain` takes it.
pub(super) async fn story(admin: &Admin, id: String) -> Result<Told, Response> {
    const MOST_NAMED: u32 = 10;
    let (reader, policy, now) = (admin.reader.clone(), Arc::clone(&admin.policy), admin.clock.now());
    let recipients = Arc::clone(&admin.recipients);
    blocking(move || {
        let today = Today { policy: &policy, recipients: &recipients, now, parse: payload::stored };
        // The whole id is found without looking at all others.
        if let Some(story) = reader.story(&id, today)? {
            return Ok(Told::Story(Box::new(story)));
        }
        let mut found = reader.find(&id, MOST_NAMED)?;
        found.retain(|found| found.kind == FoundKind::Failure);
        let story = match found.as_slice() {
            [only] => reader.story(&only.id, today)?,
            [] => None,
            _ => return Ok(Told::Several(found.into_iter().map(|found| found.id).collect())),
        };
        Ok(story.map_or(Told::Unknown, |story| Told::Story(Box::new(story))))
    })
    .await
}

/// Refuses requests with `Origin`: browsers send it with every POST, and a foreign page must not change anything here.
pub(super) async fn no_browser(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return refusal(StatusCode::FORBIDDEN, "forbidden", "Changes are not taken from browsers.");
    }
    next.run(request).await
}

/// The options of `outbox`, by the same names.
pub(super) struct OutboxQuery {
    state: Option<RowState>,
    backend: Option<String>,
    limit: usize,
    cursor: i64,
}

impl FromQuery for OutboxQuery {
    const NAMES: &'static [&'static str] = &["state", "backend", "limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self {
            state: parameters.word("state", &RowState::ALL, RowState::as_str)?,
            backend: parameters.text("backend"),
            limit: parameters.limit()?,
            cursor: parameters.row("cursor")?,
        })
    }
}

/// `GET /api/v1/outbox`.
pub(super) async fn outbox(
    State(admin): State<Arc<Admin>>,
    Asked(OutboxQuery { state, backend, limit, cursor }): Asked<OutboxQuery>,
) -> Response {
    let backend = named(backend);
    if let Err(response) = known_backend(&admin, backend.clone()).await {
        return response;
    }
    let reader = admin.reader.clone();
    match blocking(move || reader.outbox(&OutboxFilter { state, backend, after: cursor, limit })).await {
        Ok(page) => Json(page).into_response(),
        Err(response) => response,
    }
}

/// Answers 400 where a backend is neither configured nor in the outbox: most often it is misspelt.
pub(super) async fn known_backend(admin: &Admin, backend: Option<String>) -> Result<(), Response> {
    let Some(backend) = backend else { return Ok(()) };
    let (reader, recipients) = (admin.reader.clone(), Arc::clone(&admin.recipients));
    match blocking(move || reader.unknown_backend(&backend, &recipients)).await? {
        Some(unknown) => Err(bad_query(format_args!("backend: {unknown}"))),
        None => Ok(()),
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
pub(super) struct ReevaluateQuery {
    /// The fingerprint of the policy that is meant.
    policy: String,
    since: Option<String>,
    after: i64,
}

impl FromQuery for ReevaluateQuery {
    const NAMES: &'static [&'static str] = &["policy", "since", "after"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self {
            policy: parameters.text("policy").ok_or("policy: is missing")?,
            since: parameters.text("since"),
            after: parameters.row("after")?,
        })
    }
}

/// `POST /api/v1/reevaluate`: refused where the daemon runs under another configuration than was meant.
pub(super) async fn reevaluate(
    State(admin): State<Arc<Admin>>,
    Asked(query): Asked<ReevaluateQuery>,
) -> Response {
    let now = admin.clock.now();
    let since = query.since.as_deref().map(|text| moment::parse(text, now, &admin.timezone));
    let since = match since.transpose() {
        Ok(since) => since,
        Err(error) => return bad_query(format_args!("since: {error}")),
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
        Ok(Err(error @ ReadError::Cursor)) => Err(bad_query(error)),
        Ok(Err(error)) => {
            static LINES: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);
            if let Some(held_back) = LINES.pass(Instant::now()) {
                tracing::error!(
                    %error,
                    held_back,
                    "the store could not be read; if it is damaged, stop the program and restore a backup"
                );
            }
            Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The store could not be read."))
        }
        Err(error) => {
            tracing::error!(%error, "reading the store was cut short");
            Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}
