//! `GET /metrics`: the program's own metrics, and the figures.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::api_error::ApiError;
use super::figures::Figures;
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::telemetry::metrics::Metrics;

/// Parts that a scrape is answered from.
pub(super) struct Scrapes {
    /// To read the store's gauges.
    pub(super) reads: StoreReads,
    /// Counters and gauges.
    pub(super) metrics: Arc<Metrics>,
    /// The figures for Prometheus.
    pub(super) figures: Arc<Figures>,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
}

/// Prometheus' text. The program's own metrics are there at once, the figures where they are computed in time.
pub(super) async fn metrics(State(scrapes): State<Arc<Scrapes>>) -> Result<impl IntoResponse, ApiError> {
    let Scrapes { reads, metrics, figures, clock } = &*scrapes;
    let read = reads.read(|reader| Ok((reader.gauges()?, reader.last_deployment_at()?)));
    let now = clock.now();
    match read.await {
        Ok((gauges, last_deployment_at)) => {
            metrics.intake.last_deployment_at(last_deployment_at);
            metrics.note(&gauges, now);
        }
        // A damaged store must not hide the metrics that tell of it.
        Err(_) => drop(metrics.store.read_failures.inc()),
    }
    let dora = figures.gauges(now).await;
    let text = metrics.text(dora.as_ref().map_or("", |dora| dora.answer.as_str())).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written out");
        ApiError::internal()
    })?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
