//! The latest failures and the latest deployments.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{count, safe_text, text_or_dash};
use super::tile_words::to_u64;
use crate::domain::deployment_view::DeploymentView;

/// Number of failures, and of deployments, that are listed.
pub(super) const RECENT: usize = 8;

/// The sections "Recent failures" and "Recent deployments".
pub(super) fn recent(data: &DashboardData) -> Markup {
    html! {
        section aria-labelledby="recent" {
            h2 #recent { "Recent failures" }
            @if data.recent.page.failures.is_empty() {
                p.card.quiet { "None yet." }
            } @else {
                (data.recent.table(&data.site, data.now, "Recent failures, newest first"))
                (more(data, "failures", data.recent.page.next.is_some()))
            }
        }
        @if data.query.board.severity.is_none() {
            section aria-labelledby="recent-deployments" {
                h2 #recent-deployments { "Recent deployments" }
                @if data.deployments.deployments.is_empty() {
                    p.card.quiet { "None yet." }
                } @else {
                    div.card { (deployments(data)) }
                    (more(data, "deployments", data.deployments.next.is_some()))
                }
            }
        }
    }
}

fn more(data: &DashboardData, path: &str, has_more: bool) -> Markup {
    html! {
        @if has_more {
            nav.pages aria-label={ "More " (path) } {
                a href=(data.query.listing(&data.site, path, &[])) { "All " (path) " →" }
            }
        }
    }
}

fn deployments(data: &DashboardData) -> Markup {
    html! {
        table.cards {
            caption.hidden { "Recent deployments, newest first" }
            thead { tr {
                @for title in ["Deployment", "Team", "Env", "Finished", "Outcome"] { th scope="col" { (title) } }
            } }
            tbody { @for view in &data.deployments.deployments { (row(data, view)) } }
        }
    }
}

fn row(data: &DashboardData, view: &DeploymentView) -> Markup {
    let deployment = &view.deployment;
    let href = data.site.named("deployments", deployment.id.as_str());
    let shown = html! { bdi { (safe_text(&deployment.display_name())) } };
    html! {
        tr {
            th scope="row" {
                @match href { Some(href) => { a href=(href) { (shown) } } None => { (shown) } }
                @if view.is_rollback { " " span.quiet { "rollback" } }
            }
            td data-label="Team" { (text_or_dash(deployment.team.as_ref())) }
            td data-label="Env" { (safe_text(&deployment.env)) }
            td.time data-label="Finished" { (data.site.zone().minute(deployment.finished_at)) }
            td data-label="Outcome" { (outcome(data, view)) }
        }
    }
}

fn outcome(data: &DashboardData, view: &DeploymentView) -> Markup {
    let failures = count(to_u64(view.failures.len()), "failure");
    html! {
        @match view.failures.as_slice() {
            [] if view.is_pending => { span.quiet { "may still fail" } }
            [] => { "fine" }
            [only] => { a.bad href=(data.site.failure(only)) { "failed: " (failures) } }
            _ => { span.bad { "failed: " (failures) } }
        }
    }
}
