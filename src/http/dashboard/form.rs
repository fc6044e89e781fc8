//! Forms of the dashboard's pages: only those of a page that this process showed are taken.

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

/// `true` if a form comes from a page shown by this process.
pub(super) fn is_ours(
    token: &Token,
    form: Result<Form<RetryForm>, FormRejection>,
    headers: &HeaderMap,
) -> bool {
    form.is_ok_and(|Form(form)| token.is(&form.token)) && is_from_here(headers)
}

/// Answer to any other form.
pub(super) fn not_ours() -> Response {
    let text =
        html! { "The form is not of a page shown by this process. " a href="/" { "Load it again" } "." };
    notice(StatusCode::FORBIDDEN, "Refused", &text)
}

/// `true` if a browser says that a page of this very listener sent it.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => false,
    }
}
