//! The figures: `/api/v1/report`, and the gauges of `/metrics`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::admin::{Admin, bad_query, blocking};
use crate::domain::figures::{Asked, By, Interval};
use crate::domain::timestamp::Timestamp;
use crate::telemetry::dora;

/// The gauges are not computed more often than that.
const COMPUTED_EVERY: Duration = Duration::from_mins(1);

/// The gauges as they were computed last, and when.
#[derive(Default)]
pub struct Cached(Mutex<Option<(Timestamp, String)>>);

impl Cached {
    /// `None` where they are too old, or of a time to come: the clock was set back since.
    fn get(&self, now: Timestamp) -> Option<String> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Timestamp| at <= now && now < at.saturating_add(COMPUTED_EVERY);
        cached.as_ref().filter(|(at, _)| is_fresh(*at)).map(|(_, text)| text.clone())
    }

    fn set(&self, now: Timestamp, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, text));
    }
}

/// Prometheus' text.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let reader = admin.reader.clone();
    let gauges = match blocking(move || reader.gauges()).await {
        Ok(gauges) => gauges,
        Err(response) => return response,
    };
    let now = admin.clock.now();
    let dora = match admin.dora.get(now) {
        Some(dora) => dora,
        None => match dora(&admin, now).await {
            Ok(dora) => dora,
            Err(response) => return response,
        },
    };
    match admin.metrics.text(&gauges, &dora, now) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => not_written(error),
    }
}

async fn dora(admin: &Admin, now: Timestamp) -> Result<String, Response> {
    let reader = admin.reader.clone();
    let since = now.saturating_sub(dora::LONGEST_WINDOW);
    let computed = blocking(move || {
        let (failures, deployments) = reader.figures(since, now)?;
        Ok(dora::text(&failures, &deployments, now))
    });
    let text = computed.await?.map_err(not_written)?;
    admin.dora.set(now, text.clone());
    Ok(text)
}

fn not_written(error: std::fmt::Error) -> Response {
    tracing::error!(%error, "the metrics could not be written out");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The options of `report`, by the same names.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    since: Option<String>,
    until: Option<String>,
    by: Option<By>,
    env: Option<String>,
    interval: Option<Interval>,
}

/// `GET /api/v1/report`.
pub(super) async fn report(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Response {
    let Query(query) = match query {
        Ok(query) => query,
        Err(rejection) => return bad_query(&rejection.body_text()),
    };
    let asked = Asked {
        since: query.since.as_deref(),
        until: query.until.as_deref(),
        by: query.by,
        env: query.env.as_deref(),
        interval: query.interval,
    };
    let question = match asked.question(admin.clock.now(), &admin.timezone, &admin.policy.default_env) {
        Ok(question) => question,
        Err(error) => return bad_query(&error),
    };
    let reader = admin.reader.clone();
    match blocking(move || reader.report(&question)).await {
        Ok(report) => Json(report).into_response(),
        Err(response) => response,
    }
}
