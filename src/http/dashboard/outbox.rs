//! What backends have still to be told, and what they would not take.

use maud::{Markup, html};

use super::page::{Shown, wide};
use super::words::{NOTHING, ago, maybe, said};

pub(super) fn outbox(shown: &Shown) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Backend" } th.number scope="col" { "Waiting" }
                th.number scope="col" { "Oldest waits for" } th.number scope="col" { "Refused for good" } } }
            tbody {
                @for backend in &shown.gauges.outbox {
                    tr {
                        th scope="row" { (said(&backend.backend)) }
                        td.number { (backend.pending) }
                        td.number { (backend.oldest_at.map_or_else(|| NOTHING.to_owned(), |at| ago(shown.now, at))) }
                        td.number { span.bad[backend.dead > 0] { (backend.dead) } }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="outbox" {
            h2 #outbox { "Forwarding" }
            @if shown.gauges.outbox.is_empty() {
                p.card.quiet { "Nothing waits, and nothing was refused." }
            } @else {
                div.card { (wide("Table of each backend's outbox", &table)) }
            }
            @if !shown.dead.is_empty() { (dead(shown)) }
        }
    }
}

fn dead(shown: &Shown) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "What to do" } th scope="col" { "Backend" } th scope="col" { "Failure" }
                th.number scope="col" { "Revision" } th scope="col" { "Answer" } } }
            tbody {
                @for row in &shown.dead {
                    tr {
                        td {
                            form method="post" action={ "/outbox/" (row.id) "/retry" } {
                                input type="hidden" name="token" value=(shown.token);
                                button type="submit" aria-label={ "Retry " (row.failure) " at " (said(&row.backend)) } {
                                    "Retry"
                                }
                            }
                        }
                        td { (said(&row.backend)) }
                        td { a href={ "/failures/" (row.failure) } { (row.failure) } }
                        td.number { (row.revision) }
                        td.title { (maybe(row.last_error.as_ref())) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "Refused for good" }
        div.card { (wide("Table of what was refused for good", &table)) }
    }
}
