//! Pages of a service and of a team.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use crate::domain::deployment_view::PendingRule;
use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;
use crate::http::answer;
use crate::http::api_error::ApiError;
use crate::http::boards::{Board, BoardQuery};
use crate::http::cached_figures::Computed;
use crate::http::dashboard::board::filter_bar::{Suggestions, filter_bar};
use crate::http::dashboard::board::other_envs::other_envs;
use crate::http::dashboard::board::over_time::charts;
use crate::http::dashboard::board::query::{BoardPage, OverviewQuery, PeriodQuery};
use crate::http::dashboard::board::tiles::tiles;
use crate::http::dashboard::board::view::BoardView;
use crate::http::dashboard::parts::deployment_table::DeploymentRows;
use crate::http::dashboard::parts::failure_table::FailureRows;
use crate::http::dashboard::parts::format::safe_text;
use crate::http::dashboard::parts::page::{Place, Section, heading, notice, page, way_back};
use crate::http::dashboard::parts::site::{Site, query};
use crate::http::deployment_choice::DeploymentChoice;
use crate::http::deployments::DeploymentLookup;
use crate::http::figures::Figures;
use crate::http::query::TypedQuery;
use crate::store::{DeploymentFilter, FailureFilter, ReadError, Reader};

/// Largest number of open failures on a page, so that the figures below them are near.
const OPEN_LISTED: usize = 5;
/// Largest number of recent failures and of recent deployments on a page.
const LISTED: usize = 10;

/// Kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameKind {
    /// A service.
    Service,
    /// A team.
    Team,
}

/// A service or a team.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    kind: NameKind,
    name: String,
}

impl NameKind {
    /// Its parameter in the query of a listing, and its name in a sentence.
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

impl Named {
    /// Choice that has the figures of this name alone.
    fn query(&self, PeriodQuery { period, since, until }: PeriodQuery) -> OverviewQuery {
        let name = Some(self.name.clone());
        let board = BoardQuery { period, since, until, ..BoardQuery::DEFAULT };
        let (page, board) = match self.kind {
            NameKind::Service => (BoardPage::Service, BoardQuery { service: name, ..board }),
            NameKind::Team => (BoardPage::Team, BoardQuery { team: name, ..board }),
        };
        OverviewQuery { page, board, refresh: None, all: None }
    }
}

/// Everything that the page of a service or a team shows.
struct NamedData {
    named: Named,
    query: OverviewQuery,
    now: Timestamp,
    lists: Lists,
    /// Env that the figures are of.
    env: String,
}

/// Lists of the page, of all envs.
struct Lists {
    /// Its open failures, the latest first.
    open: FailureRows,
    /// Its latest failures, in any state.
    recent: FailureRows,
    /// Its latest deployments.
    deployments: DeploymentRows,
}

/// `GET /services/{name}`
pub(in crate::http) async fn service(
    State(deployments): State<Arc<DeploymentLookup>>,
    State(figures): State<Arc<Figures>>,
    site: Site,
    name: Result<Path<String>, PathRejection>,
    TypedQuery(period): TypedQuery<PeriodQuery>,
) -> Result<Response, ApiError> {
    named_page((&deployments, &figures), &site, NameKind::Service, name, period).await
}

/// `GET /teams/{name}`
pub(in crate::http) async fn team(
    State(deployments): State<Arc<DeploymentLookup>>,
    State(figures): State<Arc<Figures>>,
    site: Site,
    name: Result<Path<String>, PathRejection>,
    TypedQuery(period): TypedQuery<PeriodQuery>,
) -> Result<Response, ApiError> {
    named_page((&deployments, &figures), &site, NameKind::Team, name, period).await
}

async fn named_page(
    (deployments, figures): (&DeploymentLookup, &Figures),
    site: &Site,
    kind: NameKind,
    name: Result<Path<String>, PathRejection>,
    period: PeriodQuery,
) -> Result<Response, ApiError> {
    let Ok(Path(name)) = name else { return Err(answer::not_found().await) };
    let named = Named { kind, name };
    // No text in the store has this character, and an engine may refuse to look for it.
    if named.name.contains('\0') {
        return Ok(unknown(site, &named));
    }
    let (of, pending) = (named.clone(), deployments.pending());
    let lists = deployments.reads.read(move |reader| Lists::read(reader, &of, pending)).await?;
    if lists.are_empty() {
        return Ok(unknown(site, &named));
    }
    let now = pending.now;
    let query = named.query(period);
    let figures = figures.board(query.board.clone(), now).await?;
    let data = NamedData { named, query, now, lists, env: deployments.policy.default_env.clone() };
    let status = if figures.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok((status, content(site, &data, &figures)).into_response())
}

impl Lists {
    fn read(reader: &Reader, named: &Named, pending: PendingRule) -> Result<Self, ReadError> {
        let filter = failures_of(named, LISTED);
        let open = FailureFilter { state: Some(FailureState::Open), limit: OPEN_LISTED, ..filter.clone() };
        let name = Some(named.name.clone());
        let deployed = DeploymentFilter { limit: LISTED, ..DeploymentFilter::default() };
        let deployed = match named.kind {
            NameKind::Service => DeploymentFilter { service: name, ..deployed },
            NameKind::Team => DeploymentFilter { team: name, ..deployed },
        };
        Ok(Self {
            open: FailureRows::of(reader, &open)?,
            recent: FailureRows::of(reader, &filter)?,
            deployments: DeploymentRows::of(reader, &DeploymentChoice::new(deployed, None), pending)?,
        })
    }

    const fn are_empty(&self) -> bool {
        self.recent.page.failures.is_empty() && self.deployments.page.deployments.is_empty()
    }
}

fn failures_of(named: &Named, limit: usize) -> FailureFilter {
    let name = Some(named.name.clone());
    let filter = FailureFilter { limit, ..FailureFilter::default() };
    match named.kind {
        NameKind::Service => FailureFilter { service: name, ..filter },
        NameKind::Team => FailureFilter { team: name, ..filter },
    }
}

/// Page of a name that nothing has.
fn unknown(site: &Site, named: &Named) -> Response {
    let kind = named.kind.parameter();
    let text = html! {
        "Nothing has the " (kind) " " bdi { (safe_text(&named.name)) } ". No failure of this " (kind)
        " is known. No deployment is known, either."
    };
    notice(site, Section::Overview, (StatusCode::NOT_FOUND, "Not found"), &text)
}

/// The page. With a mistake in the period there are no figures.
fn content(site: &Site, data: &NamedData, figures: &Result<Arc<Computed<Board>>, String>) -> Html<String> {
    let (kind, title) = (data.named.kind.label(), safe_text(&data.named.name));
    let heading_text = html! { span.kind { (kind) } " " bdi { (title) } };
    let content = html! {
        (way_back(site, Section::Overview))
        (heading(site, &heading_text))
        (filter_bar(site, &data.query, &Suggestions::default(), &data.env))
        nav.pages aria-label="Lists" {
            @for listing in [ALL_FAILURES, ALL_DEPLOYMENTS, FAILED_DEPLOYMENTS] { (all(site, data, listing)) }
        }
        (open(site, data))
        @match figures {
            Ok(figures) => {
                @let view = BoardView { site, figures, query: &data.query, now: data.now };
                (tiles(&view))
                (other_envs(&figures.answer.by_service))
                (charts(&view))
            }
            Err(mistake) => { p.card.bad role="alert" { (safe_text(mistake)) } }
        }
        (recent(site, data))
        (deployed(site, data))
    };
    page(site, Place::Within(Section::Overview), &format!("{kind} {title}"), &content)
}

/// A section with a table.
struct ListSection<'a> {
    id: &'static str,
    title: &'static str,
    /// The table. `None` if it has no row.
    table: Option<Markup>,
    /// Text in place of a table without rows.
    empty: &'a str,
    /// The listing that has more, if there is more: its path, its filters, and the text of the link.
    more: Option<Listing>,
}

/// A listing of what has the name: its path, its filters beside the name, and the text of a link to it.
type Listing = (&'static str, &'static [(&'static str, Option<&'static str>)], &'static str);

const ALL_FAILURES: Listing = ("failures", &[], "All failures");
const OPEN_FAILURES: Listing = ("failures", &[("state", Some("open"))], "All open failures");
const ALL_DEPLOYMENTS: Listing = ("deployments", &[], "All deployments");
const FAILED_DEPLOYMENTS: Listing = ("deployments", &[("failed", Some("true"))], "Failed deployments");

fn section(site: &Site, data: &NamedData, list: &ListSection<'_>) -> Markup {
    html! {
        section aria-labelledby=(list.id) {
            h2 id=(list.id) { (list.title) }
            @match &list.table {
                Some(table) => { (table) }
                None => { p.card.quiet { (list.empty) } }
            }
            @if let Some(listing) = list.more {
                nav.pages aria-label={ "More: " (list.title) } { (all(site, data, listing)) }
            }
        }
    }
}

fn open(site: &Site, data: &NamedData) -> Markup {
    let FailureRows { page, .. } = &data.lists.open;
    let table = data.lists.open.table(site, data.now, "Open failures, newest first");
    let list = ListSection {
        id: "open",
        title: "Open failures",
        table: Some(table).filter(|_| !page.failures.is_empty()),
        empty: "No failure is open.",
        more: page.next.as_ref().map(|_| OPEN_FAILURES),
    };
    section(site, data, &list)
}

fn recent(site: &Site, data: &NamedData) -> Markup {
    let FailureRows { page, .. } = &data.lists.recent;
    let table = data.lists.recent.table(site, data.now, "Recent failures, newest first");
    let list = ListSection {
        id: "recent",
        title: "Recent failures",
        table: Some(table).filter(|_| !page.failures.is_empty()),
        empty: &format!("No failure of this {} is known.", data.named.kind.parameter()),
        more: page.next.as_ref().map(|_| ALL_FAILURES),
    };
    section(site, data, &list)
}

fn deployed(site: &Site, data: &NamedData) -> Markup {
    let DeploymentRows { page, .. } = &data.lists.deployments;
    let table = data.lists.deployments.table(site, "Recent deployments, latest end first");
    let list = ListSection {
        id: "deployments",
        title: "Recent deployments",
        table: Some(table).filter(|_| !page.deployments.is_empty()),
        empty: &format!("No deployment of this {} is known.", data.named.kind.parameter()),
        more: page.next.as_ref().map(|_| ALL_DEPLOYMENTS),
    };
    section(site, data, &list)
}

/// Link to a listing of what has the name.
fn all(site: &Site, data: &NamedData, (path, more, label): Listing) -> Markup {
    let name = [(data.named.kind.parameter(), Some(&*data.named.name))];
    html! { a href={ (site.link(path)) (query(&[&name[..], more].concat())) } { (label) " →" } }
}
