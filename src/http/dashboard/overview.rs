//! The first page: everything at a glance, section by section.

use axum::response::Html;
use maud::{Markup, html};

use super::page::page;
use super::shown::Shown;
use super::words::{ago, minute};
use super::{failures, figures, health, outbox};

/// The dashboard.
pub(super) fn overview(shown: &Shown) -> Html<String> {
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
