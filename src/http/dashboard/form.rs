//! Forms of the dashboard. Only forms of pages from this process are accepted.

use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::page::notice;
use crate::http::token::Token;

/// Form with one button.
#[derive(Deserialize)]
pub(in crate::http) struct RetryForm {
    token: String,
}

/// `true` if a form comes from a page of this process.
pub(super) fn is_own_form(
    token: &Token,
    form: Result<Form<RetryForm>, FormRejection>,
    headers: &HeaderMap,
) -> bool {
    form.is_ok_and(|Form(form)| token.is(&form.token)) && is_from_here(headers)
}

/// Answer to a form that does not come from a page of this process.
pub(super) fn foreign_form() -> Response {
    let text = html! {
        "This form comes from another site, or from before the last restart. " a href="/" { "Reload the dashboard" } "."
    };
    notice(StatusCode::FORBIDDEN, "Refused", &text)
}

/// `true` if the page in the browser's `Origin` came from this listener.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => false,
    }
}
