//! Refusals as pages, for browsers. Programs get them as JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use maud::html;

use super::guard::protect;
use crate::http::api_error::RefusalText;
use crate::http::dashboard::parts::format::sentence;
use crate::http::dashboard::parts::page::{Section, notice};
use crate::http::dashboard::parts::site::{Site, Zone};

/// Routes whose answers are for programs, also in a browser.
const FOR_PROGRAMS: [&str; 4] = ["/api/", "/healthz", "/readyz", "/metrics"];

/// Makes a page of a refusal if a browser asks for a page.
pub(in crate::http) async fn as_page(
    State(zone): State<Arc<Zone>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let wants_page =
        accepts_pages(request.headers()) && !FOR_PROGRAMS.iter().any(|beginning| path.starts_with(beginning));
    let refused = next.run(request).await;
    match refused.extensions().get::<RefusalText>().cloned() {
        Some(RefusalText(text)) if wants_page => page_of(refused, &Site::of(&path, zone), &path, &text),
        _ => refused,
    }
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

/// The refusal with a page as its body. Its status and headers stay.
fn page_of(mut refused: Response, site: &Site, path: &str, text: &str) -> Response {
    let status = refused.status();
    let page = notice(site, Section::of(path), (status, title(status)), &html! { (sentence(text)) });
    *refused.body_mut() = Body::new(page.into_body());
    let headers = refused.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    protect(headers);
    refused
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "Invalid address",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Not possible here",
        StatusCode::SERVICE_UNAVAILABLE => "Not possible now",
        _ => "Something went wrong",
    }
}
