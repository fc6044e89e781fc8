//! The first page: what is wrong now, the figures, then section by section.

use axum::response::Html;
use maud::html;

use super::board_charts::charts;
use super::data::DashboardData;
use super::filter_bar::{Suggestions, filter_bar};
use super::format::safe_text;
use super::getting_started::getting_started;
use super::groups::groups;
use super::health::health;
use super::open_now::open_now;
use super::other_envs::other_envs;
use super::overview_query::OverviewQuery;
use super::page::{PROGRAM, Place, Section, heading, page};
use super::recent::recent;
use super::site::Site;
use super::tiles::tiles;

/// The dashboard.
pub(super) fn overview(data: &DashboardData) -> Html<String> {
    let view = data.view();
    let content = html! {
        (heading(&data.site, &html! { "Overview" }))
        (filter_bar(&data.site, &data.query, &data.names, &data.env))
        (health(&data.health, data.is_empty()))
        (getting_started(&data.health))
        @if !data.is_empty() {
            (open_now(data))
            (tiles(&view))
            (other_envs(&data.figures.answer.by_service))
            (charts(&view))
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
