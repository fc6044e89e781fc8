//! Content of the dashboard, and the page around it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::boards::{Board, Boards};
use super::words::{ago, minute};
use super::{failures, figures, health, outbox};
use crate::domain::timestamp::Timestamp;
use crate::http::kept::Computed;
use crate::http::requests::LastRequests;
use crate::store::{Gauges, ListedFailure, OutboxRow, Trouble};

/// Everything that is shown.
pub(super) struct Shown {
    /// Env of the figures.
    pub(super) env: String,
    /// Number of days that the figures go back.
    pub(super) days: u64,
    /// Now.
    pub(super) now: Timestamp,
    /// Time at which the last event was received.
    pub(super) last_received_at: Option<Timestamp>,
    /// Last requests to the public listener.
    pub(super) received: LastRequests,
    /// End of the last deployment.
    pub(super) last_deployment_at: Option<Timestamp>,
    /// Failures that have not ended.
    pub(super) open: Vec<ListedFailure>,
    /// The figures, as of when they were computed.
    pub(super) figures: Arc<Computed<Boards>>,
    /// The time at which the figures for Prometheus were computed.
    pub(super) gauges_computed_at: Option<Timestamp>,
    /// The latest failures.
    pub(super) recent: Vec<ListedFailure>,
    /// The backends that are configured.
    pub(super) backends: Vec<String>,
    /// Gauges of the outboxes.
    pub(super) gauges: Gauges,
    /// Reason why the store cannot commit; `None`: it can.
    pub(super) trouble: Option<Trouble>,
    /// Rows that backends refused.
    pub(super) dead: Vec<OutboxRow>,
    /// Token that a form has to send along.
    pub(super) token: String,
}

impl Shown {
    /// The figures of the period that is shown.
    pub(super) fn board(&self) -> &Board {
        self.figures.answer.of(self.days)
    }
}

/// A page of the dashboard.
pub(super) fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (content)
            }
        }
    };
    Html(page.into_string())
}

/// A page that says one thing only.
pub(super) fn notice(status: StatusCode, title: &str, text: &Markup) -> Response {
    let content = html! { main #content { h1 { (title) } p { (text) } } };
    (status, page(title, &content)).into_response()
}

/// The dashboard.
pub(super) fn dashboard(shown: &Shown) -> Html<String> {
    let content = html! {
        header {
            h1 { "pagerduty-dora" }
            p.quiet { "DORA failures and figures. All times are UTC." }
        }
        main #content {
            (at_a_glance(shown))
            (failures::open(shown))
            (figures::tiles(shown))
            (figures::by("Service", "By service", &shown.board().by_service))
            (figures::by("Team", "By team", &shown.board().by_team))
            (failures::recent(&shown.recent))
            (outbox::outbox(shown))
            (health::health(shown))
        }
    };
    page("pagerduty-dora", &content)
}

/// Summary for somebody who has three seconds.
fn at_a_glance(shown: &Shown) -> Markup {
    let waiting: i64 = shown.gauges.outbox.iter().map(|backend| backend.pending).sum();
    let refused: i64 = shown.gauges.outbox.iter().map(|backend| backend.dead).sum();
    let cards = [
        ("#open", "Open now", shown.gauges.open_failures, "bad"),
        ("#outbox", "Waiting to be forwarded", waiting, ""),
        ("#outbox", "Refused for good", refused, "bad"),
        ("#health", "Needs attention", i64::try_from(health::alarms(shown)).unwrap_or(i64::MAX), "bad"),
    ];
    html! {
        section aria-label="At a glance" {
            ul.standing {
                @for (place, what, n, alarm) in cards {
                    li { a href=(place) { span.what { (what) } " " strong class=[(n > 0).then_some(alarm)] { (n) } } }
                }
                li {
                    @match shown.last_received_at {
                        Some(at) => {
                            span.what { "Last event " (minute(at)) } " " strong { (ago(shown.now, at)) " ago" }
                        },
                        None => { span.what { "Last event" } " " strong { "No event yet" } },
                    }
                }
            }
        }
    }
}

/// A table that is wider than a phone: it scrolls, also by keyboard, and the page does not.
pub(super) fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (table) } }
}
