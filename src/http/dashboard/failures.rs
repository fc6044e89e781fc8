//! Open failures, and the latest failures.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{
    NO_DATA, ago, cut_in_the_middle, duration, minute, name, names, safe_text, state, text_or_dash,
};
use super::page::wide;
use crate::domain::failure::Failure;
use crate::store::ListedFailure;

pub(super) fn open(data: &DashboardData) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Failure" } th.number scope="col" { "Open for" } th scope="col" { "Since" }
                th scope="col" { "Services" } th scope="col" { "Team" } th scope="col" { "Severity" } } }
            tbody {
                @for ListedFailure { failure, .. } in &data.open {
                    tr {
                        td.title { (link(failure)) }
                        td.number.bad { (ago(data.now, failure.started_at)) }
                        td.time { (minute(failure.started_at)) }
                        td { (names(&failure.services)) }
                        td { (text_or_dash(failure.team.as_ref())) }
                        td { (text_or_dash(failure.severity.as_ref())) }
                    }
                }
            }
        }
    };
    let listed = i64::try_from(data.open.len()).unwrap_or(i64::MAX);
    html! {
        section aria-labelledby="open" {
            h2 #open { "Open failures" }
            @if data.open.is_empty() {
                p.card.quiet { "No failure is open." }
            } @else {
                div.card { (wide("Table of open failures", &table)) }
                @if listed < data.gauges.open_failures { p.quiet { "These are the latest " (listed) "." } }
            }
        }
    }
}

pub(super) fn recent(failures: &[ListedFailure]) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Failure" } th scope="col" { "State" } th.number scope="col" { "Restored in" }
                th scope="col" { "Started" } th scope="col" { "Services" } th scope="col" { "Severity" }
                th scope="col" { "Caused by" } } }
            tbody {
                @for ListedFailure { failure, .. } in failures {
                    tr {
                        td.title { (link(failure))
                            @if let Some(reason) = &failure.reason { div.quiet { "reason: " (safe_text(reason)) } } }
                        td { (state(failure.state)) }
                        td.number { (duration(failure.time_to_restore_seconds)) }
                        td.time { (minute(failure.started_at)) }
                        td { (names(&failure.services)) }
                        td { (text_or_dash(failure.severity.as_ref())) }
                        (id(failure.deployment.as_deref()))
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="recent" {
            h2 #recent { "Recent failures" }
            @if failures.is_empty() {
                p.card.quiet { "None yet." }
            } @else {
                div.card { (wide("Table of recent failures", &table)) }
            }
        }
    }
}

/// An id. A long one is cut in the middle, because ids differ at both ends.
fn id(id: Option<&str>) -> Markup {
    let Some(id) = id else { return html! { td.id { (NO_DATA) } } };
    let (whole, short) = (safe_text(id), cut_in_the_middle(id));
    html! { td.id title=[(whole != short).then_some(&whole)] { (short) } }
}

/// Link to a failure's page, with the failure's name.
fn link(failure: &Failure) -> Markup {
    let id = failure.id.as_str();
    html! { a href={ "./failures/" (id) } { bdi { (name(failure.title.as_deref(), id)) } } }
}
