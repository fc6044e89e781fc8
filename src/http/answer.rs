//! Answers that several routes share.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;
use crate::store::StoreError;

/// Response for which `connection` closes the connection without an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloseConnection;

impl IntoResponse for CloseConnection {
    fn into_response(self) -> Response {
        let mut response = StatusCode::REQUEST_TIMEOUT.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Longest wait for a write. PagerDuty gives up after 5 s, and a complete request must be answered within 4 s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_millis(3_500);

/// Waits for a write, at most [`ANSWER_TIMEOUT`]. After a timeout the write goes on and may still be committed.
pub(super) async fn in_time<T>(write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(ANSWER_TIMEOUT, write).await.unwrap_or(Err(StoreError::TimedOut))
}

pub(super) async fn not_found() -> ApiError {
    ApiError::not_found("There is nothing at this path.")
}

/// 405. axum adds the header `Allow`.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This path does not accept this method.",
    )
}
