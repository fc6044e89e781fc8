//! `GET /openapi.json`: what both listeners take and answer. `tests/suite/openapi.rs` holds it to the truth.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    include_str!("openapi.json").replacen("CARGO_PKG_VERSION", env!("CARGO_PKG_VERSION"), 1)
});

pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}
