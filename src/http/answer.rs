//! Answers, in JSON.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

/// Instead of an answer: the connection is to be closed. See `connection`.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloseConnection;

impl IntoResponse for CloseConnection {
    fn into_response(self) -> Response {
        let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// PagerDuty gives up after 5 s; a complete request is answered within 4.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(3_500);

/// Waits for the store as long as an answer may take. Whoever stops waiting has not stopped the write.
pub(super) async fn in_time<T>(write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(ANSWER_TIMEOUT, write).await.unwrap_or(Err(StoreError::TimedOut))
}

/// Time that a sender is asked to wait after a 503.
pub(super) const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// A refusal: what it is, and one sentence on it.
pub(super) fn refusal(status: StatusCode, error: &str, detail: impl std::fmt::Display) -> Response {
    let body = Json(json!({ "error": error, "detail": detail.to_string() }));
    let mut response = (status, body).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

/// The same answer, after which the connection is closed. See `connection`, which closes it after every refusal that has
/// a status of its own.
pub(super) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.")
}

/// axum adds `Allow`.
pub(super) async fn method_not_allowed() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take that method.")
}
