//! `/failures`: all failures, with filters.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::csv as failure_csv;
use super::list_query::ListingQuery;
use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::csv;
use crate::http::dashboard::parts::failure_table::FailureRows;
use crate::http::dashboard::parts::listing::{self as parts, LISTED, Order, Paging};
use crate::http::dashboard::parts::page::Section;
use crate::http::dashboard::parts::site::Site;
use crate::http::failures::FailureLookup;
use crate::http::query::TypedQuery;

/// `GET /failures`
pub(in crate::http) async fn list(
    State(failures): State<Arc<FailureLookup>>,
    site: Site,
    TypedQuery(query): TypedQuery<ListingQuery>,
) -> Result<Response, ApiError> {
    let now = failures.clock.now();
    let filters = filters(&site, &query);
    let filter = match query.filter(LISTED, now, &failures.timezone) {
        Ok(filter) => filter,
        Err(mistake) => return Ok(parts::mistake(&site, Section::Failures, &filters, &mistake)),
    };
    let rows = FailureRows::read(&failures.reads, filter).await?;
    let results = results(&site, &query, &rows, now);
    Ok(parts::listing(&site, Section::Failures, &filters, &results).into_response())
}

/// `GET /failures.csv`
pub(in crate::http) async fn download(
    State(failures): State<Arc<FailureLookup>>,
    TypedQuery(query): TypedQuery<ListingQuery>,
) -> Result<Response, ApiError> {
    let filter = query.filter(csv::AT_A_TIME, failures.clock.now(), &failures.timezone)?;
    failure_csv::failures(failures.reads.clone(), filter).await
}

fn results(site: &Site, query: &ListingQuery, rows: &FailureRows, now: Timestamp) -> Markup {
    if rows.page.failures.is_empty() {
        return nothing(site, query);
    }
    let page = |cursor| site.link("failures") + &query.link(cursor);
    let paging = Paging {
        label: "More failures",
        order: Order::NewestFirst,
        first: query.cursor.is_some().then(|| page(None)),
        next: rows.page.next.as_deref().map(|next| page(Some(next))),
        file: Some(site.link("failures.csv") + &query.link(None)),
    };
    html! { (rows.table(site, now, "Failures, newest first")) (paging) }
}

fn nothing(site: &Site, query: &ListingQuery) -> Markup {
    html! {
        p.card.quiet {
            @if query.is_unfiltered() {
                "No failure yet. A failure is stored when the first webhook of an incident is accepted."
            } @else {
                (parts::none_passes("failure", &site.link("failures")))
            }
        }
    }
}

fn filters(site: &Site, query: &ListingQuery) -> Markup {
    let states = FailureState::ALL.iter().map(|state| state.as_str());
    let fields = html! {
        (parts::choice(("state", "State"), states, query.state.map(FailureState::as_str)))
        @for field in query.fields() { (parts::text_field(&field)) }
    };
    parts::filters(&site.link("failures"), query.is_unfiltered(), &fields)
}
