//! The style sheet, for screens in light and dark, phones and paper.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Later files override earlier ones.
const STYLE: &str = concat!(
    include_str!("style.css"),
    include_str!("style/layout.css"),
    include_str!("style/controls.css"),
    include_str!("style/tables.css"),
    include_str!("style/deployments.css"),
    include_str!("style/timeline.css"),
    include_str!("charts/charts.css"),
    include_str!("style/overview.css"),
    include_str!("style/print.css"),
);

/// `GET /style.css`
pub(in crate::http) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
