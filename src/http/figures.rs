//! The figures: `/api/v1/report`, and the gauges of `/metrics`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;

use super::admin::{Admin, blocking};
use super::dashboard::{Boards, TREND_SPAN};
use super::kept::{Computed, Kept, Turns};
use super::query::{self, FromQuery, Parameters, bad_query};
use crate::domain::figures::{Asked, Basis, By, Interval, Question, Report};
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::store::FiguresReader;
use crate::telemetry::dora;

/// The longest that a scrape waits for the figures. Prometheus gives up after ten seconds, and the program's own metrics
/// are what operators need most while the figures are slow.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(1);

/// The figures, computed on connections of their own: who asks for something else does not wait for them.
pub struct Figures {
    reader: FiguresReader,
    gauges: Kept<String>,
    boards: Kept<Boards>,
    turns: Turns,
    late: LogLimit,
}

impl Figures {
    /// From the store that this reads, which nothing else should use.
    pub fn new(reader: FiguresReader) -> Self {
        let turns = Turns::default();
        let (gauges, boards) = (Kept::new(true, turns.clone()), Kept::new(false, turns.clone()));
        Self { reader, gauges, boards, turns, late: LogLimit::default() }
    }

    /// The figures for Prometheus, where they are there in time.
    async fn gauges(&self, now: Timestamp, default_env: &str) -> Option<Arc<Computed<String>>> {
        let (reader, default_env) = (self.reader.clone(), default_env.to_owned());
        let compute = move || {
            let basis = reader.basis(now.saturating_sub(dora::LONGEST_WINDOW), now)?;
            Ok(computed_gauges(&basis, now, &default_env))
        };
        let gauges = self.gauges.within(SCRAPE_PATIENCE, now, compute).await;
        if gauges.is_none()
            && let Some(held_back) = self.late.pass(Instant::now())
        {
            tracing::warn!(held_back, "the figures are not computed yet: /metrics was answered without them");
        }
        gauges
    }

    /// The time at which the figures for Prometheus were computed.
    pub(super) fn gauges_computed_at(&self) -> Option<Timestamp> {
        self.gauges.computed_at()
    }

    /// Figures for the dashboard.
    pub(super) async fn boards(
        &self,
        now: Timestamp,
        env: &str,
        timezone: &TimeZone,
    ) -> Result<Arc<Computed<Boards>>, Response> {
        let (reader, env, timezone) = (self.reader.clone(), env.to_owned(), timezone.clone());
        let compute = move || {
            let basis = reader.basis(now.saturating_sub(TREND_SPAN), now)?;
            Ok(computed_boards(&basis, now, &env, &timezone))
        };
        self.boards.get(now, compute).await
    }

    async fn report(&self, question: Question) -> Result<Report, Response> {
        let reader = self.reader.clone();
        self.turns.take(move || reader.report(&question)).await
    }
}

/// Computes what nobody should have to wait for later, where the store is large.
pub(super) async fn prepare(admin: Arc<Admin>) {
    let ahead = Arc::clone(&admin);
    let compute = move || {
        let (now, figures) = (ahead.clock.now(), &ahead.figures);
        let basis = figures.reader.basis(now.saturating_sub(TREND_SPAN.max(dora::LONGEST_WINDOW)), now)?;
        figures.gauges.keep_ahead(computed_gauges(&basis, now, &ahead.policy.default_env));
        figures.boards.keep_ahead(computed_boards(&basis, now, &ahead.policy.default_env, &ahead.timezone));
        Ok(())
    };
    // A failure has been logged, and whoever asks is told.
    let _ = admin.figures.turns.take(compute).await;
}

fn computed_gauges(basis: &Basis, now: Timestamp, default_env: &str) -> Computed<String> {
    // Writing to a text does not fail.
    let answer = dora::text(basis, now, default_env).unwrap_or_default();
    Computed { at: now, rows: basis.len(), answer }
}

fn computed_boards(basis: &Basis, now: Timestamp, env: &str, timezone: &TimeZone) -> Computed<Boards> {
    Computed { at: now, rows: basis.len(), answer: Boards::new(basis, now, env, timezone) }
}

/// Prometheus' text. The program's own metrics are there at once, the figures where they are computed in time.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let reader = admin.reader.clone();
    let read = move || Ok((reader.gauges()?, reader.last_deployment_at()?));
    let now = admin.clock.now();
    match blocking(read).await {
        Ok((gauges, last_deployment_at)) => {
            admin.metrics.intake.last_deployment_at(last_deployment_at);
            admin.metrics.note(&gauges, now);
        }
        // A damaged store must not hide the metrics that tell of it.
        Err(_) => drop(admin.metrics.store.read_failures.inc()),
    }
    let dora = admin.figures.gauges(now, &admin.policy.default_env).await;
    let dora = dora.as_ref().map_or("", |dora| dora.answer.as_str());
    match admin.metrics.text(dora) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => not_written(error),
    }
}

fn not_written(error: std::fmt::Error) -> Response {
    tracing::error!(%error, "the metrics could not be written out");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The options of `report`, by the same names.
pub(super) struct ReportQuery {
    since: Option<String>,
    until: Option<String>,
    by: Option<By>,
    env: Option<String>,
    interval: Option<Interval>,
}

impl FromQuery for ReportQuery {
    const NAMES: &'static [&'static str] = &["since", "until", "by", "env", "interval"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self {
            since: parameters.text("since"),
            until: parameters.text("until"),
            by: parameters.word("by", &By::ALL, By::as_str)?,
            env: parameters.text("env"),
            interval: parameters.word("interval", &Interval::ALL, Interval::as_str)?,
        })
    }
}

/// `GET /api/v1/report`.
pub(super) async fn report(
    State(admin): State<Arc<Admin>>,
    query::Asked(query): query::Asked<ReportQuery>,
) -> Response {
    let asked = Asked {
        since: query.since.as_deref(),
        until: query.until.as_deref(),
        by: query.by,
        env: query.env.as_deref(),
        interval: query.interval,
    };
    let question = match asked.question(admin.clock.now(), &admin.timezone, &admin.policy.default_env, "") {
        Ok(question) => question,
        Err(error) => return bad_query(error),
    };
    match admin.figures.report(question).await {
        Ok(report) => Json(report).into_response(),
        Err(response) => response,
    }
}
