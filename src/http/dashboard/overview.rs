//! The first page: a summary, then section by section.

use axum::response::Html;
use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{ago, minute};
use super::page::{PROGRAM, Place, Section, page};
use super::site::Site;
use super::{failures, figures, health, outbox};

/// The dashboard.
pub(super) fn overview(site: &Site, data: &DashboardData) -> Html<String> {
    let content = html! {
        div.heading {
            h1 { "Overview" }
            p.quiet { "DORA failures and figures. All times are UTC." }
        }
            (at_a_glance(data))
            (failures::open(data))
            (figures::tiles(data))
            (figures::by("Service", "By service", &data.board().by_service))
            (figures::by("Team", "By team", &data.board().by_team))
            (failures::recent(&data.recent))
            (outbox::outbox(data))
            (health::health(data))
    };
    page(site, Place::At(Section::Overview), PROGRAM, &content)
}

/// Summary that can be read in three seconds.
fn at_a_glance(data: &DashboardData) -> Markup {
    let waiting: i64 = data.gauges.outbox.iter().map(|backend| backend.pending).sum();
    let dead: i64 = data.gauges.outbox.iter().map(|backend| backend.dead).sum();
    let cards = [
        ("#open", "Open now", data.gauges.open_failures, "bad"),
        ("#outbox", "Waiting to be forwarded", waiting, ""),
        ("#outbox", "Dead letters", dead, "bad"),
        ("#health", "Needs attention", i64::try_from(health::alarms(data)).unwrap_or(i64::MAX), "bad"),
    ];
    html! {
        section aria-label="At a glance" {
            ul.standing {
                @for (place, what, n, alarm) in cards {
                    li { a href=(place) { span.what { (what) } " " strong class=[(n > 0).then_some(alarm)] { (n) } } }
                }
                li {
                    @match data.last_received_at {
                        Some(at) => {
                            span.what { "Last event " (minute(at)) } " " strong { (ago(data.now, at)) " ago" }
                        },
                        None => { span.what { "Last event" } " " strong { "No event yet" } },
                    }
                }
            }
        }
    }
}
