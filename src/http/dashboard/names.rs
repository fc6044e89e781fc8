//! Pages of a service and of a team.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Html;
use maud::{Markup, html};

use super::failure_table::FailureRows;
use super::format::safe_text;
use super::page::{Place, Section, heading, page, way_back};
use super::site::{Site, query};
use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;
use crate::http::answer;
use crate::http::api_error::ApiError;
use crate::http::failures::FailureLookup;
use crate::store::FailureFilter;

/// Largest number of open failures, and of recent failures, on a page.
const LISTED: usize = 25;

/// Kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A service.
    Service,
    /// A team.
    Team,
}

impl NameKind {
    /// Its parameter in the query of a listing.
    const fn parameter(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Team => "team",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Team => "Team",
        }
    }
}

/// Everything that the page of a service or a team shows.
pub(super) struct NamedFailures {
    /// Kind of the name.
    pub(super) kind: NameKind,
    /// The name.
    pub(super) name: String,
    /// Present time.
    pub(super) now: Timestamp,
    /// Its open failures, the latest first.
    pub(super) open: FailureRows,
    /// Its latest failures, in any state.
    pub(super) recent: FailureRows,
}

/// `GET /services/{name}`
pub(in crate::http) async fn service(
    State(failures): State<Arc<FailureLookup>>,
    site: Site,
    name: Result<Path<String>, PathRejection>,
) -> Result<Html<String>, ApiError> {
    failures_of(&failures, NameKind::Service, name).await.map(|data| service_page(&site, &data))
}

/// `GET /teams/{name}`
pub(in crate::http) async fn team(
    State(failures): State<Arc<FailureLookup>>,
    site: Site,
    name: Result<Path<String>, PathRejection>,
) -> Result<Html<String>, ApiError> {
    failures_of(&failures, NameKind::Team, name).await.map(|data| service_page(&site, &data))
}

async fn failures_of(
    failures: &FailureLookup,
    kind: NameKind,
    name: Result<Path<String>, PathRejection>,
) -> Result<NamedFailures, ApiError> {
    let Ok(Path(name)) = name else { return Err(answer::not_found().await) };
    let now = failures.clock.now();
    let filter = FailureFilter { limit: LISTED, ..FailureFilter::default() };
    let filter = match kind {
        NameKind::Service => FailureFilter { service: Some(name.clone()), ..filter },
        NameKind::Team => FailureFilter { team: Some(name.clone()), ..filter },
    };
    let read = failures.reads.read(move |reader| {
        let open = FailureFilter { state: Some(FailureState::Open), ..filter.clone() };
        Ok((FailureRows::of(reader, &open)?, FailureRows::of(reader, &filter)?))
    });
    let (open, recent) = read.await?;
    Ok(NamedFailures { kind, name, now, open, recent })
}

/// Page of a service or a team.
pub(super) fn service_page(site: &Site, data: &NamedFailures) -> Html<String> {
    let title = safe_text(&data.name);
    let heading_text = html! { span.kind { (data.kind.label()) } " " bdi { (title) } };
    let content = html! {
        (way_back(site, Section::Failures))
        (heading(site, &heading_text))
        (open(site, data))
        (recent(site, data))
    };
    page(site, Place::Within(Section::Failures), &format!("{} {title}", data.kind.label()), &content)
}

fn open(site: &Site, data: &NamedFailures) -> Markup {
    html! {
        section aria-labelledby="open" {
            h2 #open { "Open failures" }
            @if data.open.page.failures.is_empty() {
                p.card.quiet { "No failure is open." }
            } @else {
                (data.open.table(site, data.now, "Open failures, newest first"))
                @if data.open.page.next.is_some() {
                    nav.pages aria-label="More open failures" { (all(site, data, Some(FailureState::Open), "All open failures")) }
                }
            }
        }
    }
}

fn recent(site: &Site, data: &NamedFailures) -> Markup {
    html! {
        section aria-labelledby="recent" {
            h2 #recent { "Recent failures" }
            @if data.recent.page.failures.is_empty() {
                p.card.quiet { "No failure of this " (data.kind.parameter()) " is known." }
            } @else {
                (data.recent.table(site, data.now, "Recent failures, newest first"))
                nav.pages aria-label="More failures" { (all(site, data, None, "All failures")) }
            }
        }
    }
}

/// Link to the listing of the name's failures.
fn all(site: &Site, data: &NamedFailures, state: Option<FailureState>, label: &str) -> Markup {
    let filters = [(data.kind.parameter(), Some(&*data.name)), ("state", state.map(FailureState::as_str))];
    html! { a href={ (site.link("failures")) (query(&filters)) } { (label) " →" } }
}
