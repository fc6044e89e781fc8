//! Refusal of requests that a browser sends for a page.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::ORIGIN;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api_error::ApiError;

/// Refuses requests with `Origin`: browsers send it with every POST, and a foreign page must not change anything here.
pub(super) async fn no_browser(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        let detail = "Changes by a browser are refused: send the request without an Origin header.";
        return ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    next.run(request).await
}
