//! `/failures`: all failures, with filters.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::csv;
use super::failure_table::FailureRows;
use super::listing_query::ListingQuery;
use super::page::{Place, Section, heading, page};
use super::site::Site;
use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::failures::FailureLookup;
use crate::http::query::TypedQuery;

/// Number of failures on a page.
const LISTED: usize = 50;

/// `GET /failures`
pub(in crate::http) async fn list(
    State(failures): State<Arc<FailureLookup>>,
    site: Site,
    TypedQuery(query): TypedQuery<ListingQuery>,
) -> Result<Response, ApiError> {
    let now = failures.clock.now();
    let filter = match query.filter(LISTED, now, &failures.timezone) {
        Ok(filter) => filter,
        Err(mistake) => {
            let content =
                listing(&site, &query, &html! { p.card.bad role="alert" { (mistake.to_string()) } });
            let page = page(&site, Place::At(Section::Failures), "Failures", &content);
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    let rows = FailureRows::read(&failures.reads, filter).await?;
    let content = listing(&site, &query, &results(&site, &query, &rows, now));
    Ok(page(&site, Place::At(Section::Failures), "Failures", &content).into_response())
}

/// `GET /failures.csv`
pub(in crate::http) async fn download(
    State(failures): State<Arc<FailureLookup>>,
    TypedQuery(query): TypedQuery<ListingQuery>,
) -> Result<Response, ApiError> {
    let filter = query.filter(csv::AT_A_TIME, failures.clock.now(), &failures.timezone)?;
    csv::failures(failures.reads.clone(), filter).await
}

fn listing(site: &Site, query: &ListingQuery, results: &Markup) -> Markup {
    html! {
        (heading(site, &html! { "Failures" }))
        (filters(site, query))
        (results)
    }
}

fn results(site: &Site, query: &ListingQuery, rows: &FailureRows, now: Timestamp) -> Markup {
    if rows.page.failures.is_empty() {
        return nothing(site, query);
    }
    html! {
        (rows.table(site, now, "Failures, newest first"))
        nav.pages aria-label="More failures" {
            @if query.cursor.is_some() {
                a href={ (site.link("failures")) (query.link(None)) } { "← Newest" }
            }
            @if let Some(next) = &rows.page.next {
                a href={ (site.link("failures")) (query.link(Some(next))) } rel="next" { "Older →" }
            }
            a.end href={ (site.link("failures.csv")) (query.link(None)) } download { "Download all as CSV" }
        }
    }
}

fn nothing(site: &Site, query: &ListingQuery) -> Markup {
    html! {
        p.card.quiet {
            @if query.is_unfiltered() {
                "No failure yet. A failure is stored when the first webhook of an incident is accepted."
            } @else {
                "No failure passes these filters. " a href=(site.link("failures")) { "Show all failures" } "."
            }
        }
    }
}

fn filters(site: &Site, query: &ListingQuery) -> Markup {
    html! {
        form.filters.card method="get" action=(site.link("failures")) role="search" aria-label="Filters" {
            label { "State"
                select name="state" {
                    option value="" { "any" }
                    @for state in FailureState::ALL {
                        option value=(state.as_str()) selected[query.state == Some(*state)] { (state.as_str()) }
                    }
                }
            }
            @for (name, label, value) in query.texts() {
                label { (label) input type="text" name=(name) value=[value] autocomplete="off" spellcheck="false"; }
            }
            label { "Since"
                input type="text" name="since" value=[query.since.as_deref()] placeholder="30d or 2026-11-01"
                    autocomplete="off";
            }
            div.buttons {
                button type="submit" { "Show" }
                @if !query.is_unfiltered() { a href=(site.link("failures")) { "Clear" } }
            }
        }
    }
}
