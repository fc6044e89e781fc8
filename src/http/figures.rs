//! Figures for `/api/v1/report`, for `/metrics` and for the dashboard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::board_cache::BoardCache;
use super::boards::{self, Board, BoardQuery};
use super::cached_figures::{CachedFigures, ComputeLock, Computed};
use super::query::{FromQuery, Parameters, QueryError, TypedQuery};
use super::reads::ReadLog;
use crate::clock::Clock;
use crate::domain::figures::{
    Dataset, Grouping, Interval, Report, ReportDefaults, ReportOptions, ReportQuery, SortBy,
    report as compute_report,
};
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::store::{FiguresReader, ReadError};
use crate::telemetry::dora;

/// Longest time that a scrape waits for the figures. Prometheus gives up after ten seconds, and operators need the
/// program's own metrics even while the figures are slow.
const MAX_SCRAPE_WAIT: Duration = Duration::from_secs(1);

/// Figures. They are read on connections of their own, so that other requests do not wait for them.
pub(super) struct Figures {
    inputs: FigureInputs,
    clock: Arc<dyn Clock>,
    gauges: CachedFigures<String>,
    boards: BoardCache,
    compute_lock: ComputeLock,
    late_log_limit: LogLimit,
}

/// Reader of the rows, and the settings that figures depend on.
#[derive(Clone)]
pub(super) struct FigureInputs {
    /// Reader for figures only. Other requests must not wait for it.
    pub(super) reader: FiguresReader,
    /// Policy, which has the default env and the link window.
    pub(super) policy: Arc<Policy>,
    /// Time zone in which days begin.
    pub(super) timezone: TimeZone,
}

impl FigureInputs {
    fn gauges(&self, dataset: &Dataset, now: Timestamp) -> Computed<String> {
        #[expect(clippy::expect_used, reason = "writing to a String does not fail")]
        let answer = dora::text(dataset, now, (&self.policy.default_env, self.policy.link_window))
            .expect("a String takes all text");
        Computed { at: now, rows: dataset.len(), answer }
    }

    fn defaults(&self) -> ReportDefaults<'_> {
        let Policy { default_env, link_window, .. } = &*self.policy;
        ReportDefaults { timezone: &self.timezone, env: default_env, link_window: *link_window }
    }

    fn board(&self, query: &ReportQuery, severity: Option<&str>) -> Result<Computed<Board>, ReadError> {
        let (answer, rows) = Board::read(&self.reader, query, severity)?;
        Ok(Computed { at: query.as_of, rows, answer })
    }
}

impl Figures {
    /// Figures from these inputs. Failed reads go to `log`.
    pub(super) fn new(inputs: FigureInputs, clock: Arc<dyn Clock>, log: ReadLog) -> Self {
        let compute_lock = ComputeLock::new(log);
        let gauges = CachedFigures::new(true, compute_lock.clone());
        let boards = BoardCache::new(compute_lock.clone());
        Self { inputs, clock, gauges, boards, compute_lock, late_log_limit: LogLimit::default() }
    }

    /// Figures for Prometheus. `None` if they are not ready within [`MAX_SCRAPE_WAIT`].
    pub(super) async fn gauges(&self, now: Timestamp) -> Option<Arc<Computed<String>>> {
        let inputs = self.inputs.clone();
        let compute = move || {
            let dataset = inputs.reader.dataset(now.saturating_sub(dora::LONGEST_WINDOW), now)?;
            Ok(inputs.gauges(&dataset, now))
        };
        let gauges = self.gauges.within(MAX_SCRAPE_WAIT, now, compute).await;
        if gauges.is_none()
            && let Some(held_back) = self.late_log_limit.pass(Instant::now())
        {
            tracing::warn!(held_back, "the figures are not computed yet: /metrics was answered without them");
        }
        gauges
    }

    /// Time at which the figures for Prometheus were computed.
    pub(super) fn gauges_computed_at(&self) -> Option<Timestamp> {
        self.gauges.computed_at()
    }

    /// Figures for the first page, or for that of a service or a team. The inner error is a mistake in the query, in words.
    pub(super) async fn board(
        &self,
        query: BoardQuery,
        now: Timestamp,
    ) -> Result<Result<Arc<Computed<Board>>, String>, ApiError> {
        let inputs = self.inputs.clone();
        let report_query = match query.report_query(now, inputs.defaults()) {
            Ok(report_query) => report_query,
            Err(mistake) => return Ok(Err(mistake)),
        };
        let cache = self.boards.of(&query);
        let compute = move || inputs.board(&report_query, query.severity.as_deref());
        cache.get(now, compute).await.map(Ok)
    }
}

/// Computes the figures at the start, so that in a large store no later request has to wait for them.
pub(super) async fn prepare(figures: Arc<Figures>) {
    let ahead = Arc::clone(&figures);
    let compute = move || {
        let (now, inputs) = (ahead.clock.now(), &ahead.inputs);
        let gauges_since = now.saturating_sub(dora::LONGEST_WINDOW);
        let query = BoardQuery::DEFAULT.report_query(now, inputs.defaults()).ok();
        let since = query.as_ref().map_or(gauges_since, |query| gauges_since.min(boards::data_since(query)));
        let dataset = inputs.reader.dataset(since, now)?;
        ahead.gauges.keep_precomputed(inputs.gauges(&dataset, now));
        if let Some(query) = query {
            let answer = Board::new(&inputs.reader, &dataset, &query, None)?;
            let computed = Computed { at: now, rows: dataset.len(), answer };
            ahead.boards.of(&BoardQuery::DEFAULT).keep_precomputed(computed);
        }
        Ok(())
    };
    // A failure is logged already, and requests try again.
    let _ = figures.compute_lock.take(compute).await;
}

/// Query with the options of `report`.
pub(super) struct ReportParameters {
    since: Option<String>,
    until: Option<String>,
    by: Option<Grouping>,
    env: Option<String>,
    service: Option<String>,
    team: Option<String>,
    interval: Option<Interval>,
    compare: bool,
    sort: Option<String>,
}

impl FromQuery for ReportParameters {
    const NAMES: &'static [&'static str] =
        &["since", "until", "by", "env", "service", "team", "interval", "compare", "sort"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            since: parameters.text("since"),
            until: parameters.text("until"),
            by: parameters.word("by", Grouping::ALL, Grouping::as_str)?,
            env: parameters.text("env"),
            service: parameters.text("service"),
            team: parameters.text("team"),
            compare: parameters.flag("compare")?,
            sort: parameters.text("sort"),
            interval: parameters.word("interval", Interval::ALL, Interval::as_str)?,
        })
    }
}

/// `GET /api/v1/report`.
pub(super) async fn report(
    State(figures): State<Arc<Figures>>,
    TypedQuery(query): TypedQuery<ReportParameters>,
) -> Result<Json<Report>, ApiError> {
    let options = ReportOptions {
        since: query.since.as_deref(),
        until: query.until.as_deref(),
        by: query.by,
        env: query.env.as_deref(),
        service: query.service.as_deref(),
        team: query.team.as_deref(),
        interval: query.interval,
        compare: query.compare,
    };
    let sort_by = query.sort.as_deref().map(SortBy::parse).transpose();
    let sort_by = sort_by.map_err(|error| ApiError::bad_query(format!("sort: {error}")))?;
    let inputs = figures.inputs.clone();
    let query = options.query(figures.clock.now(), inputs.defaults(), "").map_err(ApiError::bad_query)?;
    let asked = query.clone();
    let read = move || inputs.reader.dataset(asked.data_since(), asked.until);
    let compute = move |dataset: Dataset| {
        let mut report = compute_report(&query, &dataset);
        if let Some(sort_by) = sort_by {
            sort_by.sort(&mut report);
        }
        report
    };
    figures.compute_lock.take_in_steps(read, compute).await.map(Json)
}
