//! The quarantine: a listing, and a page for each body.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::form::{RetryForm, foreign_form, is_own_form};
use super::format::{bytes, safe_text, second, text_or_dash};
use super::page::{notice, page, wide};
use crate::domain::printable::printable;
use crate::http::api_error::ApiError;
use crate::http::quarantine::Quarantine;
use crate::http::query::{FromQuery, Parameters, QueryError, TypedQuery};
use crate::http::token::Token;
use crate::store::{QuarantinePage, QuarantineRow, Quarantined, QuarantinedBody};

/// Largest number of bodies on a page of the listing.
const LISTED: usize = 100;
/// Largest number of characters of a body on its page.
const SHOWN_CHARS: usize = 100_000;

/// Query of a page of the listing.
pub(in crate::http) struct PageQuery {
    cursor: i64,
}

impl FromQuery for PageQuery {
    const NAMES: &'static [&'static str] = &["cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self { cursor: parameters.row("cursor")? })
    }
}

/// `GET /quarantine`
pub(in crate::http) async fn list(
    State(quarantine): State<Arc<Quarantine>>,
    query: Option<TypedQuery<PageQuery>>,
) -> Result<Html<String>, ApiError> {
    let after = query.map_or(0, |TypedQuery(query)| query.cursor);
    let found = quarantine.reads.read(move |reader| reader.quarantine(after, LISTED)).await?;
    Ok(listing(&found))
}

/// `GET /quarantine/{id}`
pub(in crate::http) async fn one(
    State(quarantine): State<Arc<Quarantine>>,
    State(token): State<Arc<Token>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, ApiError> {
    let unknown = || {
        let text = html! { "The quarantine has no such row. " a href="/quarantine" { "Show all" } "." };
        notice(StatusCode::NOT_FOUND, "Not found", &text)
    };
    let Ok(Path(id)) = id else { return Ok(unknown()) };
    let found = quarantine.reads.read(move |reader| reader.quarantined(id)).await?;
    Ok(found.map_or_else(unknown, |found| row_page(&found, token.shown()).into_response()))
}

/// `POST /quarantine/{id}/retry`, from a form of the dashboard.
pub(in crate::http) async fn retry(
    State(quarantine): State<Arc<Quarantine>>,
    State(token): State<Arc<Token>>,
    id: Result<Path<i64>, PathRejection>,
    headers: HeaderMap,
    form: Result<Form<RetryForm>, FormRejection>,
) -> Response {
    if !is_own_form(&token, form, &headers) {
        return foreign_form();
    }
    let Err(refused) = quarantine.read_again(id).await else {
        return Redirect::to("/quarantine").into_response();
    };
    let text = html! {
        "The webhook is still not understood, it contradicts a stored event, it has left the quarantine in the meantime, "
        "or the store cannot be changed now. " a href="/quarantine" { "See the quarantine" } "."
    };
    notice(refused.status(), "Not read", &text)
}

fn listing(found: &QuarantinePage) -> Html<String> {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Received" } th scope="col" { "Reason" } th.number scope="col" { "Size" } } }
            tbody { @for row in &found.rows { (listed(row)) } }
        }
    };
    let content = html! {
        header { nav aria-label="Back" { a href="/" { "← Dashboard" } } p.quiet { "All times are UTC." } }
        main #content {
            h1 { "Quarantine" }
            p { "Signed webhooks that were not understood, or contradict a stored event, oldest first. They change no "
                "failure. A newer version of the program may understand more: then run "
                code { "pagerduty-dora quarantine retry --all" } "." }
            @if found.rows.is_empty() {
                p.card.quiet { "Empty." }
            } @else {
                div.card { (wide("Table of the quarantine", &table)) }
            }
            @if let Some(next) = found.next {
                p { a href={ "/quarantine?cursor=" (next) } { "More" } }
            }
        }
    };
    page("Quarantine", &content)
}

fn listed(row: &QuarantineRow) -> Markup {
    html! {
        tr {
            td { a href={ "/quarantine/" (row.id) } { (second(row.received_at)) } }
            td.title { (safe_text(&row.reason)) }
            td.number { (bytes(row.bytes.into())) }
        }
    }
}

fn row_page(Quarantined { row, body }: &Quarantined, token: &str) -> Html<String> {
    let facts = [
        ("Received", second(row.received_at)),
        ("Reason", safe_text(&row.reason)),
        ("Delivery", text_or_dash(row.delivery_id.as_ref())),
        ("Size", bytes(row.bytes.into())),
    ];
    let (title, text) = match body {
        QuarantinedBody::Text(text) => ("Body", text),
        QuarantinedBody::Base64(text) => ("Body, in base64: it is not UTF-8", text),
    };
    let content = html! {
        header { nav aria-label="Back" { a href="/quarantine" { "← Quarantine" } } p.quiet { "All times are UTC." } }
        main #content {
            h1 { "Quarantine " (row.id) }
            dl.card.facts { @for (what, is) in &facts { div { dt { (what) } dd { (is) } } } }
            form method="post" action={ "/quarantine/" (row.id) "/retry" } {
                input type="hidden" name="token" value=(token);
                button type="submit" { "Read it again" }
            }
            h2 { (title) }
            div.card { div.wide tabindex="0" role="region" aria-label="Body" { pre { (lines(text)) } } }
        }
    };
    page(&format!("Quarantine {}", row.id), &content)
}

/// A long text with its line ends. Other control characters are replaced.
fn lines(text: &str) -> String {
    let data: String = text.chars().take(SHOWN_CHARS).collect();
    let mut lines = data.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    if data.len() < text.len() {
        lines.push('…');
    }
    lines
}
