//! The latest failures and the latest deployments.

use maud::{Markup, html};

use super::data::DashboardData;

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
                @if data.deployments.page.deployments.is_empty() {
                    p.card.quiet { "None yet." }
                } @else {
                    (data.deployments.table(&data.site, "Recent deployments, latest end first"))
                    (more(data, "deployments", data.deployments.page.next.is_some()))
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
