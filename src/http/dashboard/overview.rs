//! The first page: what is wrong now, the figures, then section by section.

use axum::response::Html;
use maud::{Markup, html};

use super::board_charts::charts;
use super::data::DashboardData;
use super::filter_bar::{Suggestions, filter_bar};
use super::format::safe_text;
use super::getting_started::getting_started;
use super::groups::groups;
use super::health::health;
use super::open_now::open_now;
use super::overview_query::OverviewQuery;
use super::page::{PROGRAM, Place, Section, heading, page};
use super::recent::recent;
use super::site::Site;
use super::tiles::tiles;
use crate::domain::figures::Report;

/// The dashboard.
pub(super) fn overview(data: &DashboardData) -> Html<String> {
    let content = html! {
        (heading(&data.site, &html! { "Overview" }))
        (filter_bar(&data.site, &data.query, &data.names, &data.env))
        (health(data))
        (getting_started(data))
        @if !data.is_empty() {
            (open_now(data))
            (tiles(data))
            (other_envs(&data.figures.answer.by_service))
            (charts(data))
            (groups(data))
            (recent(data))
        }
    };
    page(&data.site, Place::At(Section::Overview), PROGRAM, &content)
}

/// The first page with a mistake in its address, in words.
pub(super) fn mistaken(site: &Site, query: &OverviewQuery, env: &str, mistake: &str) -> Html<String> {
    let content = html! {
        (heading(site, &html! { "Overview" }))
        (filter_bar(site, query, &Suggestions::default(), env))
        p.card.bad role="alert" { (safe_text(mistake)) }
    };
    page(site, Place::At(Section::Overview), PROGRAM, &content)
}

/// Reasons why figures are missing: the data is in another env.
fn other_envs(report: &Report) -> Markup {
    let sentences = report.deployed_elsewhere.iter().map(|elsewhere| safe_text(&elsewhere.sentence()));
    let sentences = sentences.collect::<Vec<_>>().join("; ");
    html! {
        @if !report.other_envs.is_empty() && report.deployed_elsewhere.is_empty() {
            p.card.hint {
                "Nothing in env " strong { (safe_text(&report.env)) } " in this period. Envs that have data: "
                strong { (safe_text(&report.other_envs.join(", "))) } ". To show another one by default, set "
                code { "failure.default_env" } "."
            }
        }
        @if !sentences.is_empty() {
            p.card.hint {
                "Incidents are unmatched: " strong { (sentences) } ". Give both the same env: " code { "env" }
                " of the " code { "[[service]]" } " entry, " code { "failure.default_env" } ", or "
                code { "\"env\"" } " in the pipeline's requests."
            }
        }
    }
}
