//! The first page: what is wrong now, the figures, then section by section.

use axum::response::Html;
use maud::html;

use super::data::DashboardData;
use super::getting_started::getting_started;
use super::groups::groups;
use super::open_now::open_now;
use super::recent::recent;
use crate::http::dashboard::board::filter_bar::{Suggestions, filter_bar};
use crate::http::dashboard::board::other_envs::other_envs;
use crate::http::dashboard::board::over_time::charts;
use crate::http::dashboard::board::query::OverviewQuery;
use crate::http::dashboard::board::tiles::tiles;
use crate::http::dashboard::health::section::health;
use crate::http::dashboard::parts::format::safe_text;
use crate::http::dashboard::parts::page::{PROGRAM, Place, Section, heading, page};
use crate::http::dashboard::parts::site::Site;

/// The dashboard.
pub(in crate::http::dashboard) fn overview(data: &DashboardData) -> Html<String> {
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
pub(in crate::http::dashboard) fn mistaken(
    site: &Site,
    query: &OverviewQuery,
    env: &str,
    mistake: &str,
) -> Html<String> {
    let content = html! {
        (heading(site, &html! { "Overview" }))
        (filter_bar(site, query, &Suggestions::default(), env))
        p.card.bad role="alert" { (safe_text(mistake)) }
    };
    page(site, Place::At(Section::Overview), PROGRAM, &content)
}
