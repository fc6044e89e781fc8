//! Requests to backends about a failure or a deployment: the state at each backend, with its attempts folded.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::form::{FormPage, button};
use super::format::{count, safe_text, sentence, text_or_dash};
use super::site::Site;
use crate::store::{AttemptRecord, DeadRow, DeploymentStory, ForwardState, Forwarded, Story};

/// Everything about one backend.
#[derive(Default)]
struct AtBackend<'a> {
    forwarded: Option<&'a Forwarded>,
    attempts: Vec<&'a AttemptRecord>,
}

/// The backends of a failure. `dead` are its rows that may be retried.
pub(in crate::http::dashboard) fn attempts(
    site: &Site,
    token: &str,
    id: &str,
    story: &Story,
    dead: &[DeadRow],
) -> Markup {
    let forwarded = story.failure.iter().flat_map(|listed| &listed.forwarded);
    let backends = by_backend(forwarded, &story.attempts);
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

/// The backends of a deployment. The attempts are those of its marks, too.
pub(in crate::http::dashboard) fn attempts_of_deployment(site: &Site, story: &DeploymentStory) -> Markup {
    let backends = by_backend(&story.forwarded, &story.attempts);
    html! {
        @if story.forwarded.is_empty() {
            @for why in story.why.iter().filter(|why| why.about == "forwarded") {
                p.card.quiet { "Not sent: " (sentence(&why.because)) "." }
            }
        }
        @for (backend, at) in &backends { div.card.backend { (folded(site, backend, at)) } }
    }
}

fn by_backend<'a>(
    forwarded: impl IntoIterator<Item = &'a Forwarded>,
    attempts: &'a [AttemptRecord],
) -> BTreeMap<&'a str, AtBackend<'a>> {
    let mut backends: BTreeMap<&str, AtBackend<'_>> = BTreeMap::new();
    for forwarded in forwarded {
        backends.entry(&forwarded.backend).or_default().forwarded = Some(forwarded);
    }
    for attempt in attempts {
        backends.entry(&attempt.backend).or_default().attempts.push(attempt);
    }
    backends
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
                    caption.hidden { "Attempts to send it to " (safe_text(backend)) }
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
