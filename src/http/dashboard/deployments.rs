//! `/deployments`: all deployments, with filters.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::csv;
use super::deployment_csv;
use super::deployment_query::DeploymentsPageQuery;
use super::deployment_table::DeploymentRows;
use super::page::{Place, Section, heading, page};
use super::site::Site;
use crate::http::api_error::ApiError;
use crate::http::deployments::DeploymentLookup;
use crate::http::query::TypedQuery;

/// Number of deployments on a page.
const LISTED: usize = 50;

/// `GET /deployments`
pub(in crate::http) async fn list(
    State(deployments): State<Arc<DeploymentLookup>>,
    site: Site,
    TypedQuery(query): TypedQuery<DeploymentsPageQuery>,
) -> Result<Response, ApiError> {
    let filter = match query.filter(LISTED, deployments.clock.now(), &deployments.timezone) {
        Ok(filter) => filter,
        Err(mistake) => {
            let mistake = html! { p.card.bad role="alert" { (mistake.to_string()) } };
            let page = listing(&site, &query, &mistake);
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
    };
    let rows = DeploymentRows::read(&deployments.reads, filter, deployments.pending()).await?;
    Ok(listing(&site, &query, &results(&site, &query, &rows)).into_response())
}

/// `GET /deployments.csv`
pub(in crate::http) async fn download(
    State(deployments): State<Arc<DeploymentLookup>>,
    TypedQuery(query): TypedQuery<DeploymentsPageQuery>,
) -> Result<Response, ApiError> {
    let filter = query.filter(csv::AT_A_TIME, deployments.clock.now(), &deployments.timezone)?;
    deployment_csv::deployments(deployments.reads.clone(), filter, deployments.pending()).await
}

fn listing(site: &Site, query: &DeploymentsPageQuery, results: &Markup) -> impl IntoResponse + use<> {
    let content = html! {
        (heading(site, &html! { "Deployments" }))
        (filters(site, query))
        (results)
    };
    page(site, Place::At(Section::Deployments), "Deployments", &content)
}

fn results(site: &Site, query: &DeploymentsPageQuery, rows: &DeploymentRows) -> Markup {
    if rows.page.deployments.is_empty() {
        return nothing(site, query);
    }
    html! {
        (rows.table(site, "Deployments, latest end first"))
        nav.pages aria-label="More deployments" {
            @if query.cursor.is_some() {
                a href={ (site.link("deployments")) (query.link(None)) } { "← Newest" }
            }
            @if let Some(next) = &rows.page.next {
                a href={ (site.link("deployments")) (query.link(Some(next))) } rel="next" { "Older →" }
            }
            a.end href={ (site.link("deployments.csv")) (query.link(None)) } download { "Download all as CSV" }
        }
    }
}

fn nothing(site: &Site, query: &DeploymentsPageQuery) -> Markup {
    html! {
        p.card.quiet {
            @if query.is_unfiltered() {
                "There is no deployment yet. Pipelines send deployments to "
                code { "POST /api/v2/dora/deployment" } " of the public listener."
            } @else {
                "No deployment passes these filters. "
                a href=(site.link("deployments")) { "Show all deployments" } "."
            }
        }
    }
}

fn filters(site: &Site, query: &DeploymentsPageQuery) -> Markup {
    html! {
        form.filters.card method="get" action=(site.link("deployments")) role="search" aria-label="Filters" {
            @for (name, label, value) in query.texts() {
                label { (label) input type="text" name=(name) value=[value] autocomplete="off" spellcheck="false"; }
            }
            @for (name, label, value, example) in query.times() {
                label { (label)
                    input type="text" name=(name) value=[value] placeholder=(example) autocomplete="off";
                }
            }
            label { "Outcome"
                select name="failed" {
                    option value="" { "any" }
                    option value="true" selected[query.failed] { "failed" }
                }
            }
            div.buttons {
                button type="submit" { "Show" }
                @if !query.is_unfiltered() { a href=(site.link("deployments")) { "Clear" } }
            }
        }
    }
}
