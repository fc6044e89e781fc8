//! The quarantine: a listing, and a page for each body.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use crate::domain::printable::printable;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::form::{FormPage, OwnForm, button, not_changed};
use crate::http::dashboard::parts::format::{bytes, safe_text, text_or_dash};
use crate::http::dashboard::parts::listing::{Order, Paging};
use crate::http::dashboard::parts::page::{Place, Section, facts, heading, notice, page, way_back};
use crate::http::dashboard::parts::site::Site;
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
    site: Site,
    TypedQuery(PageQuery { cursor }): TypedQuery<PageQuery>,
) -> Result<Html<String>, ApiError> {
    let found = quarantine.reads.read(move |reader| reader.quarantine(cursor, LISTED)).await?;
    Ok(listing(&site, cursor, &found))
}

/// `GET /quarantine/{id}`
pub(in crate::http) async fn one(
    State(quarantine): State<Arc<Quarantine>>,
    State(token): State<Arc<Token>>,
    site: Site,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Response, ApiError> {
    let unknown = || {
        let text = html! { "The quarantine has no such row." };
        notice(&site, Section::Quarantine, (StatusCode::NOT_FOUND, "Not found"), &text)
    };
    let Ok(Path(id)) = id else { return Ok(unknown()) };
    let found = quarantine.reads.read(move |reader| reader.quarantined(id)).await?;
    Ok(found.map_or_else(unknown, |found| row_page(&site, &found, token.shown()).into_response()))
}

/// `POST /quarantine/{id}/retry`, from a form of the dashboard.
pub(in crate::http) async fn retry(
    State(quarantine): State<Arc<Quarantine>>,
    site: Site,
    id: Result<Path<i64>, PathRejection>,
    OwnForm(back): OwnForm,
) -> Response {
    let Err(refused) = quarantine.read_again(id).await else {
        return Redirect::to(&back.address(&site)).into_response();
    };
    let status = refused.status();
    let why = match status {
        StatusCode::NOT_FOUND => "Nothing was changed: the webhook left the quarantine in the meantime.",
        _ => "Nothing was changed: the webhook is still not understood, or it contradicts a stored event.",
    };
    not_changed(&site, Section::Quarantine, status, why)
}

fn listing(site: &Site, cursor: i64, found: &QuarantinePage) -> Html<String> {
    let table = html! {
        table.cards {
            caption.hidden { "Bodies in quarantine, oldest first" }
            thead { tr { th scope="col" { "Received" } th scope="col" { "Reason" } th.number scope="col" { "Size" } } }
            tbody { @for row in &found.rows { (listed(site, row)) } }
        }
    };
    let first = site.link("quarantine");
    let paging = Paging {
        label: "More bodies",
        order: Order::OldestFirst,
        next: found.next.map(|next| format!("{first}?cursor={next}")),
        first: (cursor != 0).then_some(first),
        file: None,
    };
    let content = html! {
        (heading(site, &html! { "Quarantine" }))
        p { "Signed webhooks that were not understood, or contradict a stored event, oldest first. They change no "
            "failure. A newer version of the program may understand more: then read one again on its page, or all with "
            code { "pagerduty-dora quarantine retry --all" } "." }
        @if found.rows.is_empty() {
            p.card.quiet { "Empty." }
        } @else {
            div.card { (table) }
        }
        (paging)
    };
    page(site, Place::At(Section::Quarantine), "Quarantine", &content)
}

fn listed(site: &Site, row: &QuarantineRow) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(site.link(&format!("quarantine/{}", row.id))) { (site.zone().second(row.received_at)) } }
            td data-label="Reason" { (safe_text(&row.reason)) }
            td.number data-label="Size" { (bytes(row.bytes.into())) }
        }
    }
}

fn row_page(site: &Site, Quarantined { row, body }: &Quarantined, token: &str) -> Html<String> {
    let rows = [
        ("Received", site.zone().second(row.received_at)),
        ("Reason", html! { (safe_text(&row.reason)) }),
        ("Delivery", html! { (text_or_dash(row.delivery_id.as_ref())) }),
        ("Size", html! { (bytes(row.bytes.into())) }),
    ];
    let (title, text) = match body {
        QuarantinedBody::Text(text) => ("Body", text),
        QuarantinedBody::Base64(text) => ("Body, in base64: it is not UTF-8", text),
    };
    let content = html! {
        (way_back(site, Section::Quarantine))
        (heading(site, &html! { "Quarantine " (row.id) }))
        (facts(&rows))
        (button(token, &site.link(&format!("quarantine/{}/retry", row.id)), &FormPage::Quarantine, "Read it again", "Read it again"))
        h2 { (title) }
        div.card { div.wide tabindex="0" role="region" aria-label="Body" { pre { (lines(text)) } } }
    };
    page(site, Place::Within(Section::Quarantine), &format!("Quarantine {}", row.id), &content)
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
