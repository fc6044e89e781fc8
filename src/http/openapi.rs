//! `GET /openapi.json`: the requests and answers of both listeners. `tests/suite/openapi.rs` checks it.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    include_str!("openapi.json").replacen("CARGO_PKG_VERSION", env!("CARGO_PKG_VERSION"), 1)
});

pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}
