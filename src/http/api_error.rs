//! Refusals of both listeners, in JSON.

use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::store::StoreError;

/// Time that a sender is asked to wait after a 503.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Refusal of a request: its status and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    /// `None`: the answer has no body.
    body: Option<Value>,
    closes: bool,
}

impl ApiError {
    /// A refusal with one word for programs and one sentence for people.
    pub(super) fn new(status: StatusCode, error: &str, detail: impl std::fmt::Display) -> Self {
        let body = json!({ "error": error, "detail": detail.to_string() });
        Self { status, body: Some(body), closes: false }
    }

    /// A refusal in the shape of Datadog's API: a list with one error.
    pub(super) fn of_datadog(status: StatusCode, error: Value) -> Self {
        let body = json!({ "errors": Value::Array(vec![error]) });
        Self { status, body: Some(body), closes: false }
    }

    /// 400: a parameter of the query is wrong.
    pub(super) fn bad_query(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", detail)
    }

    /// 404.
    pub(super) fn not_found(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 409: the state of the row does not allow the change.
    pub(super) fn conflict(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 503: the same request may succeed later.
    pub(super) fn unavailable(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// 503: the store cannot be changed. The log has the reason.
    pub(super) fn store_unavailable() -> Self {
        Self::unavailable("The store cannot be changed now: the log says why.")
    }

    /// 503: a write failed. Says if another replica has to be asked.
    pub(super) fn not_stored(error: &StoreError) -> Self {
        match error {
            StoreError::SteppedBack(_) => Self::unavailable(
                "Another replica decides now, because it was started later with another version or configuration: ask that \
                 one.",
            ),
            _ => Self::store_unavailable(),
        }
    }

    /// 500 without a body. The log has the reason.
    pub(super) fn internal() -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: None, closes: false }
    }

    /// The same refusal, after which the connection is closed. `connection` already closes it after 401, 403, 404,
    /// 405, 413, 415 and 421.
    pub(super) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

/// Reason of a refusal for people, as an extension of the response. The dashboard makes a page of it.
#[derive(Debug, Clone)]
pub(super) struct RefusalText(pub(super) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = self.body.as_ref().map(|body| body["detail"].as_str().unwrap_or_default().to_owned());
        let text = detail.unwrap_or_else(|| "The program failed: its log says why.".to_owned());
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(RefusalText(text));
        response
    }
}
