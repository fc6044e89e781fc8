//! Failures that a deployment caused or fixed, each with the rule that linked it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::deployment_table::more_failures;
use crate::http::dashboard::parts::failure_table::lasted;
use crate::http::dashboard::parts::format::{NO_DATA, sentence, state, text_or_dash};
use crate::http::dashboard::parts::links::{self, Failures};
use crate::http::dashboard::parts::site::Site;

/// A list of failures.
pub(super) struct LinkedFailures<'a> {
    /// Id of its heading.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// Ids of the failures that are listed.
    pub(super) listed: &'a [String],
    /// Number of all failures.
    pub(super) all: usize,
    /// The failures by their ids.
    pub(super) known: &'a Failures,
    /// Rule that linked each of them, by its id.
    pub(super) rules: BTreeMap<&'a str, &'a str>,
    /// Present time.
    pub(super) now: Timestamp,
}

/// The list with its heading.
pub(super) fn linked_failures(site: &Site, list: &LinkedFailures<'_>) -> Markup {
    let more = list.all.saturating_sub(list.listed.len());
    html! {
        section aria-labelledby=(list.id) {
            h2 id=(list.id) { (list.title) }
            @if list.listed.is_empty() {
                p.card.quiet { "None." }
            } @else {
                div.card {
                    table.cards {
                        caption.hidden { (list.title) ", in the order of their starts" }
                        thead { tr { th scope="col" { "Failure" } th scope="col" { "Severity" } th scope="col" { "State" }
                            th scope="col" { "Started" } th.number scope="col" { "Duration" } th scope="col" { "Linked because" } } }
                        tbody { @for id in list.listed { (row(site, list, id)) } }
                    }
                }
                @if more > 0 { p.quiet { "And " (more_failures(more)) "." } }
            }
        }
    }
}

fn row(site: &Site, list: &LinkedFailures<'_>, id: &str) -> Markup {
    let failure = list.known.get(id);
    let rule = list.rules.get(id).map_or_else(|| NO_DATA.to_owned(), |rule| sentence(rule));
    html! {
        tr {
            th scope="row" { (links::failure_of_id(site, id, list.known)) }
            td data-label="Severity" { (text_or_dash(failure.and_then(|failure| failure.severity.as_ref()))) }
            td data-label="State" { @match failure { Some(failure) => { (state(failure.state)) } None => { (NO_DATA) } } }
            td.time data-label="Started" {
                @match failure { Some(failure) => { (site.zone().minute(failure.started_at)) } None => { (NO_DATA) } }
            }
            td.number data-label="Duration" {
                @match failure { Some(failure) => { (lasted(failure, list.now)) } None => { (NO_DATA) } }
            }
            td data-label="Because" { (rule) }
        }
    }
}
