//! Rows that wait for backends, and rows that backends refused.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::backends;
use super::page::wide;
use super::shown::Shown;
use super::words::{NOTHING, ago, maybe, said};
use crate::domain::forwarding::Subject;

pub(super) fn outbox(shown: &Shown) -> Markup {
    // Also those that are configured no more, as long as they have something left.
    let left = shown.gauges.outbox.iter().map(|gauge| &gauge.backend);
    let names: BTreeSet<&String> = shown.backends.iter().chain(left).collect();
    let table = html! {
        table {
            thead { tr { th scope="col" { "Backend" } th scope="col" { "Condition" }
                th.number scope="col" { "Last success" } th.number scope="col" { "Waiting" }
                th.number scope="col" { "Oldest waits for" } th.number scope="col" { "Refused for good" } } }
            tbody { @for name in &names { (backend(shown, name)) } }
        }
    };
    html! {
        section aria-labelledby="outbox" {
            h2 #outbox { "Forwarding" }
            @if names.is_empty() {
                p.card.quiet { "No backend is configured: what is known is shown here only." }
            } @else {
                div.card { (wide("Table of each backend's outbox", &table)) }
            }
            @if !shown.dead.is_empty() { (dead(shown)) }
        }
    }
}

fn backend(shown: &Shown, name: &str) -> Markup {
    let gauge = shown.gauges.outbox.iter().find(|gauge| gauge.backend == name);
    let (pending, dead) = gauge.map_or((0, 0), |gauge| (gauge.pending, gauge.dead));
    let oldest_at = gauge.and_then(|gauge| gauge.oldest_at);
    html! {
        tr {
            th scope="row" { (said(name)) }
            (backends::cells(shown, name))
            td.number { (pending) }
            td.number { (oldest_at.map_or_else(|| NOTHING.to_owned(), |at| ago(shown.now, at))) }
            td.number { span.bad[dead > 0] { (dead) } }
        }
    }
}

fn dead(shown: &Shown) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "What to do" } th scope="col" { "Backend" } th scope="col" { "Told of" }
                th.number scope="col" { "Revision" } th scope="col" { "Answer" } } }
            tbody {
                @for row in &shown.dead {
                    tr {
                        td {
                            form method="post" action={ "/outbox/" (row.id) "/retry" } {
                                input type="hidden" name="token" value=(shown.token);
                                @let of = format!("Retry {} at {}", said(row.subject.id()), said(&row.backend));
                                button type="submit" aria-label=(of) { "Retry" }
                            }
                        }
                        td { (said(&row.backend)) }
                        td {
                            @match &row.subject {
                                Subject::Failure(id) => { a href={ "/failures/" (id) } { (id) } }
                                Subject::Deployment(id) => { "deployment " (said(id)) }
                            }
                        }
                        td.number { (row.revision) }
                        td.title { (maybe(row.last_error.as_ref())) }
                    }
                }
            }
        }
    };
    let listed = i64::try_from(shown.dead.len()).unwrap_or(i64::MAX);
    let all: i64 = shown.gauges.outbox.iter().map(|gauge| gauge.dead).sum();
    html! {
        h3 { "Refused for good" }
        div.card { (wide("Table of what was refused for good", &table)) }
        @if listed < all { p.quiet { "These are the first " (listed) " of " (all) "." } }
    }
}
