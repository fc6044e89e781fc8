//! The figures: `/api/v1/report`, and the gauges of `/metrics`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::admin::{Admin, bad_query, blocking};
use super::dashboard::Boards;
use super::kept::{Computed, Kept, Turns};
use crate::domain::figures::{Asked, By, Interval, Question, Report};
use crate::domain::timestamp::Timestamp;
use crate::store::{ReadError, Reader};
use crate::telemetry::dora;

/// What is computed from figures, by a connection of its own: who asks for something else does not wait for it.
pub struct Figures {
    reader: Reader,
    gauges: Kept<String>,
    boards: Kept<Boards>,
    turns: Turns,
}

impl Figures {
    /// From the store that this reads, which nothing else should use.
    pub fn new(reader: Reader) -> Self {
        let turns = Turns::default();
        let (gauges, boards) = (Kept::new(true, turns.clone()), Kept::new(false, turns.clone()));
        Self { reader, gauges, boards, turns }
    }

    /// What Prometheus is told.
    async fn gauges(&self, now: Timestamp) -> Result<Arc<Computed<String>>, Response> {
        self.gauges.get(now, compute_gauges(self.reader.clone(), now)).await
    }

    /// What the dashboard shows.
    pub(super) async fn boards(
        &self,
        now: Timestamp,
        env: &str,
        timezone: &TimeZone,
    ) -> Result<Arc<Computed<Boards>>, Response> {
        self.boards.get(now, Boards::compute(self.reader.clone(), now, env, timezone)).await
    }

    async fn report(&self, question: Question) -> Result<Report, Response> {
        let reader = self.reader.clone();
        self.turns.take(move || reader.report(&question)).await
    }
}

/// Computes what nobody should have to wait for later, where the store is large.
pub(super) async fn prepare(admin: Arc<Admin>) {
    let (now, figures) = (admin.clock.now(), &admin.figures);
    figures.gauges.prepare(compute_gauges(figures.reader.clone(), now)).await;
    let boards = Boards::compute(figures.reader.clone(), now, &admin.policy.default_env, &admin.timezone);
    figures.boards.prepare(boards).await;
}

fn compute_gauges(
    reader: Reader,
    now: Timestamp,
) -> impl FnOnce() -> Result<Computed<String>, ReadError> + Send + 'static {
    move || {
        let basis = reader.figures(now.saturating_sub(dora::LONGEST_WINDOW), now)?;
        // Writing to a text does not fail.
        let answer = dora::text(&basis, now).unwrap_or_default();
        Ok(Computed { at: now, rows: basis.len(), answer })
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
    let dora = match admin.figures.gauges(now).await {
        Ok(dora) => dora,
        Err(response) => return response,
    };
    match admin.metrics.text(&gauges, &dora.answer, now) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => not_written(error),
    }
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
    match admin.figures.report(question).await {
        Ok(report) => Json(report).into_response(),
        Err(response) => response,
    }
}
