//! `/outbox`: the state of each backend, the rows that need a person by backend and answer, and all rows.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, Render, html};

use super::rows::{deployments, last_answer, rows, subject};
use crate::domain::name::named;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::form::{FormPage, button};
use crate::http::dashboard::parts::format::{ago, count, safe_text};
use crate::http::dashboard::parts::links::Deployments;
use crate::http::dashboard::parts::listing::{self as parts, LISTED, Order, Paging};
use crate::http::dashboard::parts::page::{Place, Section, heading, page};
use crate::http::dashboard::parts::site::{Site, query};
use crate::http::outbox::Outbox;
use crate::http::query::{FromQuery, Parameters, QueryError, TypedQuery};
use crate::http::token::Token;
use crate::store::{GroupKind, ListedGroup, OutboxFilter, OutboxGauge, OutboxPage, RowGroup, RowState};

/// Largest number of groups on a page.
const MAX_GROUPS: usize = 50;

/// Query of the page.
pub(in crate::http) struct OutboxPageQuery {
    state: Option<RowState>,
    backend: Option<String>,
    cursor: i64,
}

impl FromQuery for OutboxPageQuery {
    const NAMES: &'static [&'static str] = &["state", "backend", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            state: parameters.chosen("state", RowState::ALL, RowState::as_str)?,
            backend: named(parameters.text("backend")),
            cursor: parameters.row("cursor")?,
        })
    }
}

impl OutboxPageQuery {
    /// Query of a link with the same filters.
    fn link(&self, cursor: Option<&str>) -> String {
        let state = self.state.map(RowState::as_str);
        query(&[("state", state), ("backend", self.backend.as_deref()), ("cursor", cursor)])
    }
}

/// Everything that the page shows.
struct OutboxData {
    query: OutboxPageQuery,
    now: Timestamp,
    gauges: Vec<OutboxGauge>,
    /// The configured backends, and those that have rows.
    backends: Vec<String>,
    groups: Vec<ListedGroup>,
    rows: OutboxPage,
    /// The deployments that rows and examples are about.
    deployments: Deployments,
    token: String,
}

/// `GET /outbox`
pub(in crate::http) async fn list(
    State(outbox): State<Arc<Outbox>>,
    State(token): State<Arc<Token>>,
    site: Site,
    TypedQuery(query): TypedQuery<OutboxPageQuery>,
) -> Result<Html<String>, ApiError> {
    let configured = outbox.backend_entries.iter().map(|entry| entry.name.clone());
    let mut backends: Vec<String> = configured.collect();
    let (now, token) = (outbox.clock.now(), token.shown().to_owned());
    let read = outbox.reads.read(move |reader| {
        let gauges = reader.gauges()?.outbox;
        backends.extend(gauges.iter().map(|gauge| gauge.backend.clone()));
        backends.sort();
        backends.dedup();
        let filter = OutboxFilter {
            hides_discarded: false,
            state: query.state,
            backend: query.backend.clone(),
            after: query.cursor,
            limit: LISTED,
        };
        let groups = reader.outbox_groups(query.backend.as_deref(), MAX_GROUPS)?;
        let rows = reader.outbox(&filter)?;
        let subjects = rows.rows.iter().map(|row| &row.subject);
        let subjects = subjects.chain(groups.iter().map(|group| &group.subject));
        let deployments = deployments(reader, subjects)?;
        Ok(OutboxData { query, now, gauges, backends, groups, rows, deployments, token })
    });
    let data = read.await?;
    Ok(page(&site, Place::At(Section::Outbox), "Outbox", &content(&site, &data)))
}

fn content(site: &Site, data: &OutboxData) -> Markup {
    html! {
        (heading(site, &html! { "Outbox" }))
        p { "Requests for the metrics backends. A row is one revision of a failure, a deployment or a mark, for one backend." }
        (waiting(data))
        (groups(site, data))
        section aria-labelledby="rows" {
            div.heading { h2 #rows { "Rows" } p.quiet { "Oldest first." } }
            (filters(site, data))
            @if data.rows.rows.is_empty() {
                p.card.quiet { "No row." }
            } @else {
                (rows(site, &data.rows.rows, &data.deployments, &data.token))
                (paging(site, data))
            }
        }
    }
}

fn paging(site: &Site, data: &OutboxData) -> Markup {
    let page = |cursor: Option<&str>| site.link("outbox") + &data.query.link(cursor) + "#rows";
    let paging = Paging {
        label: "More rows",
        order: Order::OldestFirst,
        first: (data.query.cursor != 0).then(|| page(None)),
        next: data.rows.next.map(|next| page(Some(&next.to_string()))),
        file: None,
    };
    paging.render()
}

/// Number of rows of each backend that are not finished.
fn waiting(data: &OutboxData) -> Markup {
    html! {
        ul.standing aria-label="Rows of each backend" {
            @for backend in &data.backends {
                @let gauge = data.gauges.iter().find(|gauge| gauge.backend == *backend);
                @let (pending, dead) = gauge.map_or((0, 0), |gauge| (gauge.pending, gauge.dead));
                li {
                    span.what { (safe_text(backend)) } " "
                    strong.bad[dead > 0] { (dead) " dead" } " "
                    span.quiet {
                        (pending) " waiting"
                        @if let Some(at) = gauge.and_then(|gauge| gauge.oldest_at) { ", oldest for " (ago(data.now, at)) }
                    }
                }
            }
        }
        @if data.backends.is_empty() {
            p.card.quiet { "No backend is configured: failures are shown here only. Add a " code { "[[backend]]" } " to the configuration." }
        }
    }
}

fn groups(site: &Site, data: &OutboxData) -> Markup {
    html! {
        section aria-labelledby="groups" {
            h2 #groups { "Rows that need attention" }
            @if data.groups.is_empty() {
                p.card.quiet { "None: no backend rejects a row for good." }
            } @else {
                p.quiet { "By backend and answer. Correct the cause, then retry; or discard the rows." }
                div.card {
                    table.cards {
                        caption.hidden { "Dead and suspect rows, by backend and answer" }
                        thead { tr { th scope="col" { "Answer" } th scope="col" { "Backend" } th.number scope="col" { "Rows" }
                            th scope="col" { "State" } th.number scope="col" { "Oldest" } th scope="col" { "Example" }
                            th scope="col" { "Action" } } }
                        tbody { @for group in &data.groups { (group_row(site, data, group)) } }
                    }
                }
                @if data.groups.len() == MAX_GROUPS { p.quiet { "These are the largest " (MAX_GROUPS) " groups." } }
            }
        }
    }
}

fn group_row(site: &Site, data: &OutboxData, listed: &ListedGroup) -> Markup {
    let about = about_group(listed);
    html! {
        tr {
            th scope="row" { (answer(&listed.group)) }
            td data-label="Backend" { (safe_text(&listed.group.backend)) }
            td.number data-label="Rows" { (listed.rows) }
            td data-label="State" { (kind(listed.group.kind)) }
            td.number data-label="Oldest" { (ago(data.now, listed.oldest_at)) " ago" }
            td data-label="Example" { (subject(site, &listed.subject, &data.deployments)) }
            td.actions data-label="Action" {
                (button(&data.token, &site.link(&format!("outbox/{}/group/retry", listed.example)), &FormPage::Outbox,
                    "Retry", &format!("Retry {about}")))
                a.discard href=(site.link(&format!("outbox/{}/group/discard", listed.example)))
                    aria-label={ "Discard " (about) } { "Discard…" }
            }
        }
    }
}

/// The group in words: `3 rows for datadog`.
pub(super) fn about_group(listed: &ListedGroup) -> String {
    format!("{} for {}", count(listed.rows, "row"), safe_text(&listed.group.backend))
}

/// Last answer of the rows of a group.
pub(super) fn answer(group: &RowGroup) -> Markup {
    last_answer(group.last_status, group.last_error.as_ref())
}

fn kind(kind: GroupKind) -> Markup {
    html! { span.state.bad[kind == GroupKind::Dead] { (kind.as_str()) } }
}

fn filters(site: &Site, data: &OutboxData) -> Markup {
    let states = RowState::ALL.iter().map(|state| state.as_str());
    let backends = data.backends.iter().map(String::as_str);
    let fields = html! {
        (parts::choice(("state", "State"), states, data.query.state.map(RowState::as_str)))
        (parts::choice(("backend", "Backend"), backends, data.query.backend.as_deref()))
    };
    parts::filters(&site.link("outbox"), data.query.link(None).is_empty(), &fields)
}
