//! Table of the events about a failure or a deployment.

use maud::{Markup, html};

use super::format::safe_text;
use super::site::Site;
use crate::store::ReceivedEvent;

/// Table of events. `was_read` tells those that no webhook told.
pub(in crate::http::dashboard) fn event_table(
    site: &Site,
    caption: &str,
    events: &[ReceivedEvent],
    was_read: impl Fn(&ReceivedEvent) -> bool,
) -> Markup {
    html! {
        table.cards {
            caption.hidden { (caption) }
            thead { tr { th scope="col" { "Event" } th scope="col" { "Id" } th scope="col" { "Occurred" }
                th scope="col" { "Received" } th.number scope="col" { "Duplicates" } } }
            tbody { @for event in events {
                tr {
                    th scope="row" {
                        (safe_text(&event.event_type))
                        @if let Some(state) = event.state { ": " (state.in_words()) }
                        @if was_read(event) {
                            span.quiet { " read, no webhook" }
                        }
                    }
                    td data-label="Id" { (safe_text(&event.id)) }
                    td.time data-label="Occurred" { (site.zone().second(event.occurred_at)) }
                    td.time data-label="Received" { (site.zone().second(event.received_at)) }
                    td.number data-label="Duplicates" { (event.duplicates) }
                }
            } }
        }
    }
}
