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

/// Parts for answering a scrape.
pub(super) struct Scrapes {
    /// Reads the store's gauges.
    pub(super) reads: StoreReads,
    /// Counters and gauges.
    pub(super) metrics: Arc<Metrics>,
    /// Figures for Prometheus.
    pub(super) figures: Arc<Figures>,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
}

/// `GET /metrics`. The figures are left out if they are not ready in time.
pub(super) async fn metrics(State(scrapes): State<Arc<Scrapes>>) -> Result<impl IntoResponse, ApiError> {
    let Scrapes { reads, metrics, figures, clock } = &*scrapes;
    let read = reads.read(|reader| Ok((reader.gauges()?, reader.last_deployment_at()?)));
    let now = clock.now();
    match read.await {
        Ok((gauges, last_deployment_at)) => {
            metrics.intake.last_deployment_at(last_deployment_at);
            metrics.note(&gauges, now);
        }
        // The program's other metrics are answered all the same: they are needed most when the store is damaged.
        Err(_) => drop(metrics.store.read_failures.inc()),
    }
    let dora = figures.gauges(now).await;
    let text = metrics.text(dora.as_ref().map_or("", |dora| dora.answer.as_str())).map_err(|error| {
        tracing::error!(%error, "the metrics could not be encoded");
        ApiError::internal()
    })?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
