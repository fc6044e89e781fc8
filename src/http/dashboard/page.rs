//! Frame of every page.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// A page of the dashboard.
pub(super) fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (content)
            }
        }
    };
    Html(page.into_string())
}

/// A page with a short text.
pub(super) fn notice(status: StatusCode, title: &str, text: &Markup) -> Response {
    let content = html! { main #content { h1 { (title) } p { (text) } } };
    (status, page(title, &content)).into_response()
}

/// A table that may be wider than the window. Only the table scrolls, also by keyboard; the page does not.
pub(super) fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (table) } }
}
