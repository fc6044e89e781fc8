//! What backends were told of a failure: the state at each backend, with its attempts folded.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::form::{FormPage, button};
use super::format::{count, safe_text, text_or_dash};
use super::site::Site;
use crate::store::{AttemptRecord, DeadRow, ForwardState, Forwarded, Story};

/// Everything about one backend.
#[derive(Default)]
struct AtBackend<'a> {
    forwarded: Option<&'a Forwarded>,
    attempts: Vec<&'a AttemptRecord>,
}

/// The backends of a failure. `dead` are its rows that may be retried.
pub(super) fn attempts(site: &Site, token: &str, id: &str, story: &Story, dead: &[DeadRow]) -> Markup {
    let mut backends: BTreeMap<&str, AtBackend<'_>> = BTreeMap::new();
    for forwarded in story.failure.iter().flat_map(|listed| &listed.forwarded) {
        backends.entry(&forwarded.backend).or_default().forwarded = Some(forwarded);
    }
    for attempt in &story.attempts {
        backends.entry(&attempt.backend).or_default().attempts.push(attempt);
    }
    html! {
        @for sentence in &story.not_forwarded { p.card.quiet { (safe_text(sentence)) } }
        @for (backend, at) in &backends {
            @let is_newest = |row: &&DeadRow| at.forwarded.is_some_and(|forwarded| forwarded.revision == row.revision);
            @let retried = dead.iter().filter(|row| row.backend == **backend).find(is_newest);
            div.card.backend {
                @if let Some(row) = retried {
                    @let about = format!("Retry at {}", safe_text(backend));
                    (button(token, &site.link(&format!("outbox/{}/retry", row.id)), &FormPage::Failure(id.to_owned()), "Retry", &about))
                }
                (folded(site, backend, at))
            }
        }
    }
}

fn folded(site: &Site, backend: &str, at: &AtBackend<'_>) -> Markup {
    let state = at.forwarded.map(|forwarded| forwarded.state);
    let is_dead = state == Some(ForwardState::Dead);
    html! {
        details open[is_dead] {
            summary {
                strong { (safe_text(backend)) } " "
                @if let Some(forwarded) = at.forwarded {
                    span.state.bad[is_dead] { (words(forwarded.state)) } " revision " (forwarded.revision) ", "
                }
                (count(i64::try_from(at.attempts.len()).unwrap_or(i64::MAX), "attempt"))
            }
            @if at.attempts.is_empty() {
                p.quiet { "Nothing was sent yet." }
            } @else {
                table.cards {
                    caption.hidden { "Attempts to send the failure to " (safe_text(backend)) }
                    thead { tr { th scope="col" { "At" } th.number scope="col" { "Revision" }
                        th.number scope="col" { "Answer" } th scope="col" { "Error" } } }
                    tbody { @for attempt in &at.attempts {
                        tr {
                            td.time data-label="At" { (site.zone().second(attempt.at)) }
                            td.number data-label="Revision" { (attempt.revision) }
                            td.number data-label="Answer" {
                                (attempt.status.map_or_else(|| "none".to_owned(), |status| status.to_string()))
                            }
                            td data-label="Error" { (text_or_dash(attempt.error.as_ref())) }
                        }
                    } }
                }
            }
        }
    }
}

const fn words(state: ForwardState) -> &'static str {
    match state {
        ForwardState::Pending => "waiting",
        ForwardState::Sent => "sent",
        ForwardState::Dead => "dead",
        ForwardState::CannotBeCorrected => "cannot be corrected",
    }
}
