//! The quarantine in the admin API.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::answer::in_time;
use super::api_error::ApiError;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery};
use super::reads::StoreReads;
use crate::store::{QuarantinePage, QuarantineRetry, Store};

/// Parts for listing quarantined bodies and reading them again.
pub(super) struct Quarantine {
    /// Reads bodies again.
    pub(super) store: Store,
    /// Lists bodies.
    pub(super) reads: StoreReads,
}

/// Query of a page of the listing.
pub(super) struct QuarantineQuery {
    limit: usize,
    cursor: i64,
}

impl FromQuery for QuarantineQuery {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self { limit: parameters.limit()?, cursor: parameters.row("cursor")? })
    }
}

/// `GET /api/v1/quarantine`.
pub(super) async fn list(
    State(quarantine): State<Arc<Quarantine>>,
    TypedQuery(QuarantineQuery { limit, cursor }): TypedQuery<QuarantineQuery>,
) -> Result<Json<QuarantinePage>, ApiError> {
    quarantine.reads.read(move |reader| reader.quarantine(cursor, limit)).await.map(Json)
}

/// `POST /api/v1/quarantine/{id}/retry`.
pub(super) async fn retry(
    State(quarantine): State<Arc<Quarantine>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    quarantine.read_again(id).await
}

impl Quarantine {
    /// Reads a quarantined body again with this version of the program.
    pub(super) async fn read_again(
        &self,
        id: Result<Path<i64>, PathRejection>,
    ) -> Result<Json<Value>, ApiError> {
        // An id that is not a number names no row.
        let Ok(Path(id)) = id else { return Err(ApiError::not_found(QuarantineRetry::NotFound.message())) };
        let retried = in_time(self.store.retry_quarantined(id)).await;
        let retried = retried.map_err(|error| {
            tracing::warn!(%error, id, "a body in quarantine could not be read again");
            ApiError::not_stored(&error)
        })?;
        let detail = retried.message();
        match retried {
            QuarantineRetry::Recorded(recorded) => {
                Ok(Json(json!({ "status": recorded.as_str(), "detail": detail })))
            }
            QuarantineRetry::NotFound => Err(ApiError::not_found(detail)),
            QuarantineRetry::NotUnderstood(_) | QuarantineRetry::Contradicts => {
                Err(ApiError::conflict(detail))
            }
        }
    }
}
