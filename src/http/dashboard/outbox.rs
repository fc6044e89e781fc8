//! Waiting and dead rows of each backend.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::backends;
use super::data::DashboardData;
use super::format::{NO_DATA, ago, safe_text, text_or_dash};
use super::page::wide;
use crate::domain::forwarding::Subject;

pub(super) fn outbox(data: &DashboardData) -> Markup {
    // Backends that were removed from the configuration are listed while they have rows.
    let left = data.gauges.outbox.iter().map(|gauge| &gauge.backend);
    let names: BTreeSet<&String> = data.backends.iter().chain(left).collect();
    let table = html! {
        table {
            thead { tr { th scope="col" { "Backend" } th scope="col" { "State" }
                th.number scope="col" { "Last success" } th.number scope="col" { "Waiting" }
                th.number scope="col" { "Oldest waits for" } th.number scope="col" { "Dead" } } }
            tbody { @for name in &names { (backend(data, name)) } }
        }
    };
    html! {
        section aria-labelledby="outbox" {
            h2 #outbox { "Forwarding" }
            @if names.is_empty() {
                p.card.quiet { "No backend is configured: failures are shown here only." }
            } @else {
                div.card { (wide("Table of each backend's outbox", &table)) }
            }
            @if !data.dead.is_empty() { (dead(data)) }
        }
    }
}

fn backend(data: &DashboardData, name: &str) -> Markup {
    let gauge = data.gauges.outbox.iter().find(|gauge| gauge.backend == name);
    let (pending, dead) = gauge.map_or((0, 0), |gauge| (gauge.pending, gauge.dead));
    let oldest_at = gauge.and_then(|gauge| gauge.oldest_at);
    html! {
        tr {
            th scope="row" { (safe_text(name)) }
            (backends::cells(data, name))
            td.number { (pending) }
            td.number { (oldest_at.map_or_else(|| NO_DATA.to_owned(), |at| ago(data.now, at))) }
            td.number { span.bad[dead > 0] { (dead) } }
        }
    }
}

fn dead(data: &DashboardData) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Action" } th scope="col" { "Backend" } th scope="col" { "Subject" }
                th.number scope="col" { "Revision" } th scope="col" { "Last error" } } }
            tbody {
                @for row in &data.dead {
                    tr {
                        td {
                            form method="post" action={ "./outbox/" (row.id) "/retry" } {
                                input type="hidden" name="token" value=(data.token);
                                @let of = format!("Retry {} at {}", safe_text(row.subject.id()), safe_text(&row.backend));
                                button type="submit" aria-label=(of) { "Retry" }
                            }
                        }
                        td { (safe_text(&row.backend)) }
                        td {
                            @match &row.subject {
                                Subject::Failure(id) => { a href={ "./failures/" (id) } { (id) } }
                                Subject::Deployment(id) => { "deployment " (safe_text(id)) }
                            }
                        }
                        td.number { (row.revision) }
                        td.title { (text_or_dash(row.last_error.as_ref())) }
                    }
                }
            }
        }
    };
    let listed = i64::try_from(data.dead.len()).unwrap_or(i64::MAX);
    let all: i64 = data.gauges.outbox.iter().map(|gauge| gauge.dead).sum();
    html! {
        h3 { "Dead letters" }
        div.card { (wide("Table of dead letters", &table)) }
        @if listed < all { p.quiet { "These are the first " (listed) " of " (all) "." } }
    }
}
