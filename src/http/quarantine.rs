//! The quarantine in the admin API.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::admin::{Admin, blocking};
use super::answer::{in_time, refusal};
use super::query::{Asked, FromQuery, Parameters};
use crate::pagerduty::payload;
use crate::store::Retried;

/// Part of the listing.
pub(super) struct QuarantineQuery {
    limit: usize,
    cursor: i64,
}

impl FromQuery for QuarantineQuery {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self { limit: parameters.limit()?, cursor: parameters.row("cursor")? })
    }
}

/// `GET /api/v1/quarantine`.
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Asked(QuarantineQuery { limit, cursor }): Asked<QuarantineQuery>,
) -> Response {
    let reader = admin.reader.clone();
    match blocking(move || reader.quarantine(cursor, limit)).await {
        Ok(page) => Json(page).into_response(),
        Err(response) => response,
    }
}

/// `POST /api/v1/quarantine/{id}/retry`.
pub(super) async fn retry(State(admin): State<Arc<Admin>>, id: Result<Path<i64>, PathRejection>) -> Response {
    read_again(&admin, id).await
}

/// Has today's program read a body again.
pub(super) async fn read_again(admin: &Admin, id: Result<Path<i64>, PathRejection>) -> Response {
    // No row has an id that is no number.
    let Ok(Path(id)) = id else {
        return refusal(StatusCode::NOT_FOUND, "not_found", Retried::NotFound.says());
    };
    match in_time(admin.store.retry_quarantined(id, payload::heading_or_reason)).await {
        Ok(retried) => answer(&retried),
        Err(error) => {
            tracing::warn!(%error, id, "a body in quarantine could not be read again");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store cannot be changed now.")
        }
    }
}

fn answer(retried: &Retried) -> Response {
    let said = retried.says();
    match retried {
        Retried::Recorded(recorded) => {
            Json(json!({ "status": recorded.as_str(), "detail": said })).into_response()
        }
        Retried::NotFound => refusal(StatusCode::NOT_FOUND, "not_found", said),
        Retried::NotUnderstood(_) | Retried::Contradicts => refusal(StatusCode::CONFLICT, "conflict", said),
    }
}
