//! Page of one failure, with the content of `explain`.

use axum::response::Html;
use maud::{Markup, html};

use super::format::{duration, name, names, safe_text, second, state, text_or_dash};
use super::page::{page, wide};
use crate::domain::failure::Failure;
use crate::domain::printable::printable;
use crate::domain::related_change::{DECIDE_NOTHING, RelatedChange};
use crate::store::Story;

pub(super) fn story(id: &str, story: &Story) -> Html<String> {
    let failure = story.failure.as_ref().map(|listed| &listed.failure);
    let id = failure.map_or(id, |failure| failure.id.as_str());
    let name = name(failure.and_then(|failure| failure.title.as_deref()), id);
    let content = html! {
        header { nav aria-label="Back" { a href="/" { "← Dashboard" } } p.quiet { "All times are UTC." } }
        main #content {
            h1 { bdi { (name) } }
            @match failure {
                None => { p { "No failure: no event with the incident's data was received." } },
                Some(failure) => { (summary(id, failure)) },
            }
            h2 #why { "Reasons" }
            div.card { (wide("Table of reasons", &why(story))) }
            h2 #events { "Events, as they were received" }
            div.card { (wide("Table of events", &events(story))) }
            @if let Some(changes) = story.related_changes.as_deref().filter(|changes| !changes.is_empty()) {
                h2 #changes { "Changes that PagerDuty relates to this incident" }
                p.quiet { (DECIDE_NOTHING) }
                div.card { (wide("Table of related changes", &related_changes(changes))) }
            }
            h2 #attempts { "Attempts to forward" }
            @for sentence in &story.not_forwarded { p.card.quiet { (safe_text(sentence)) } }
            @if !story.attempts.is_empty() {
                div.card { (wide("Table of attempts to forward", &attempts(story))) }
            }
        }
    };
    page(&name, &content)
}

fn summary(id: &str, failure: &Failure) -> Markup {
    let title = failure.title.as_deref().map(printable).unwrap_or_default();
    let facts = [
        ("Id", safe_text(id)),
        ("Started", second(failure.started_at)),
        ("Ended", failure.finished_at.map_or_else(|| "not yet".to_owned(), second)),
        ("Restored in", duration(failure.time_to_restore_seconds)),
        ("Services", names(&failure.services)),
        ("Team", text_or_dash(failure.team.as_ref())),
        ("Env", safe_text(&failure.env)),
        ("Severity", text_or_dash(failure.severity.as_ref())),
        ("Caused by", text_or_dash(failure.deployment.as_ref())),
    ];
    html! {
        p { (state(failure.state)) @if let Some(reason) = &failure.reason { ": " (safe_text(reason)) } }
        dl.card.facts { @for (what, is) in &facts { div { dt { (what) } dd { (is) } } } }
        @if let Some(url) = web_page(failure.url.as_deref()) {
            p { a href=(url) rel="noreferrer" { "The incident at PagerDuty" } }
        }
        @if safe_text(&title) != title {
            details {
                summary { "The whole title" }
                div.long tabindex="0" role="region" aria-label="The whole title" { bdi { (title) } }
            }
        }
    }
}

fn why(story: &Story) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th scope="col" { "Reason" } } }
            tbody { @for why in &story.why {
                tr {
                    th scope="row" { (why.about.replace('_', " ")) }
                    td.text { (safe_text(&why.value)) }
                    td.text { (safe_text(&why.because)) }
                }
            } }
        }
    }
}

fn events(story: &Story) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Received" } th scope="col" { "Occurred" } th scope="col" { "Event" }
                th.number scope="col" { "Duplicates" } } }
            tbody { @for event in &story.events {
                tr { td.time { (second(event.received_at)) } td.time { (second(event.occurred_at)) }
                    td {
                        (safe_text(&event.event_type))
                        @if story.failure.as_ref().is_some_and(|listed| event.was_read(&listed.failure.source)) {
                            span.quiet { " read, no webhook" }
                        }
                    }
                    td.number { (event.duplicates) } }
            } }
        }
    }
}

fn related_changes(changes: &[RelatedChange]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Changed" } th scope="col" { "Summary" } th scope="col" { "Source" }
                th scope="col" { "Services" } th scope="col" { "PagerDuty's reason" } } }
            tbody { @for change in changes {
                tr { td.time { (second(change.at)) } td.text { (text_or_dash(change.summary.as_ref())) }
                    td.text { (text_or_dash(change.source.as_ref())) } td.text { (names(&change.services)) }
                    td { (text_or_dash(change.reason_in_words().as_ref())) } }
            } }
        }
    }
}

fn attempts(story: &Story) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "At" } th scope="col" { "Backend" } th.number scope="col" { "Revision" }
                th.number scope="col" { "Answer" } th scope="col" { "Error" } } }
            tbody { @for attempt in &story.attempts {
                tr { td.time { (second(attempt.at)) } td { (safe_text(&attempt.backend)) } td.number { (attempt.revision) }
                    td.number { (attempt.status.map_or_else(|| "none".to_owned(), |status| status.to_string())) }
                    td.text { (text_or_dash(attempt.error.as_ref())) } }
            } }
        }
    }
}

/// The URL from a webhook if it is a web page. No other URL becomes a link.
fn web_page(url: Option<&str>) -> Option<&str> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}
