//! `/deployments`: all deployments, with filters.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::csv as deployment_csv;
use super::list_query::DeploymentsPageQuery;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::csv;
use crate::http::dashboard::parts::deployment_table::DeploymentRows;
use crate::http::dashboard::parts::listing::{self as parts, LISTED, Order, Paging};
use crate::http::dashboard::parts::page::Section;
use crate::http::dashboard::parts::site::Site;
use crate::http::deployments::DeploymentLookup;
use crate::http::query::TypedQuery;

/// `GET /deployments`
pub(in crate::http) async fn list(
    State(deployments): State<Arc<DeploymentLookup>>,
    site: Site,
    TypedQuery(query): TypedQuery<DeploymentsPageQuery>,
) -> Result<Response, ApiError> {
    let filters = filters(&site, &query);
    let choice = match query.choice(LISTED, deployments.clock.now(), &deployments.timezone) {
        Ok(choice) => choice,
        Err(mistake) => return Ok(parts::mistake(&site, Section::Deployments, &filters, &mistake)),
    };
    let rows = DeploymentRows::read(&deployments.reads, choice, deployments.pending()).await?;
    let results = results(&site, &query, &rows);
    Ok(parts::listing(&site, Section::Deployments, &filters, &results).into_response())
}

/// `GET /deployments.csv`
pub(in crate::http) async fn download(
    State(deployments): State<Arc<DeploymentLookup>>,
    TypedQuery(query): TypedQuery<DeploymentsPageQuery>,
) -> Result<Response, ApiError> {
    let choice = query.choice(csv::AT_A_TIME, deployments.clock.now(), &deployments.timezone)?;
    deployment_csv::deployments(deployments.reads.clone(), choice, deployments.pending()).await
}

fn results(site: &Site, query: &DeploymentsPageQuery, rows: &DeploymentRows) -> Markup {
    if rows.page.deployments.is_empty() {
        return html! { (other_list(site, query)) (nothing(site, query)) };
    }
    let page = |cursor| site.link("deployments") + &query.link(cursor);
    let paging = Paging {
        label: "More deployments",
        order: Order::NewestFirst,
        first: query.cursor.is_some().then(|| page(None)),
        next: rows.page.next.as_deref().map(|next| page(Some(next))),
        file: Some(site.link("deployments.csv") + &query.link(None)),
    };
    let table = if query.ignored {
        rows.ignored_table(site, "Deployments that do not count, latest event first")
    } else {
        rows.table(site, "Deployments, latest end first")
    };
    html! { (other_list(site, query)) (table) (paging) }
}

/// Link between the deployments that count and those that do not.
fn other_list(site: &Site, query: &DeploymentsPageQuery) -> Markup {
    html! {
        p.quiet {
            @if query.ignored {
                "Deployments of GitHub and GitLab that do not count. "
                a href=(site.link("deployments")) { "Deployments that count" }
            } @else {
                a href={ (site.link("deployments")) "?ignored=true" } { "Deployments of GitHub and GitLab that do not count" }
            }
        }
    }
}

fn nothing(site: &Site, query: &DeploymentsPageQuery) -> Markup {
    html! {
        p.card.quiet {
            @if query.ignored {
                "There is none."
            } @else if query.is_unfiltered() {
                "There is no deployment yet. GitHub and GitLab send them by webhooks, pipelines to "
                code { "POST /api/v2/dora/deployment" } " of the public listener."
            } @else {
                (parts::none_passes("deployment", &site.link("deployments")))
            }
        }
    }
}

fn filters(site: &Site, query: &DeploymentsPageQuery) -> Markup {
    let fields = html! {
        @for field in query.fields() { (parts::text_field(&field)) }
        @if query.ignored {
            input type="hidden" name="ignored" value="true";
        } @else {
            label { "Outcome"
                select name="failed" {
                    option value="" { "any" }
                    option value="true" selected[query.failed == Some(true)] { "failed" }
                    option value="false" selected[query.failed == Some(false)] { "not failed" }
                }
            }
        }
    };
    parts::filters(&site.link("deployments"), query.is_unfiltered(), &fields)
}
