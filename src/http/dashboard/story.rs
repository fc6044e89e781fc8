//! One failure's page: what `explain` tells.

use axum::response::Html;
use maud::html;

use super::page::{duration, minute, page, text};
use crate::store::Story;

pub(super) fn story(id: &str, story: &Story) -> Html<String> {
    let title = story.failure.as_ref().and_then(|listed| listed.failure.title.as_deref()).unwrap_or(id);
    let content = html! {
        nav aria-label="Back" { a href="/" { "All failures" } }
        main #content {
            h1 { (title) }
            @match &story.failure {
                None => { p { "No failure: no event has shown the incident itself." } },
                Some(listed) => {
                    p { (id) ": " strong { (listed.failure.state.as_str()) } ", from " (minute(listed.failure.started_at))
                        @if let Some(end) = listed.failure.finished_at { " to " (minute(end)) } " UTC"
                        @if listed.failure.time_to_restore_seconds.is_some() {
                            ", restored in " (duration(listed.failure.time_to_restore_seconds)) } }
                    @if let Some(url) = web_page(listed.failure.url.as_deref()) {
                        p { a href=(url) rel="noreferrer" { "The incident at PagerDuty" } }
                    }
                },
            }
            h2 #why { "What decided what" }
            div.wide tabindex="0" role="region" aria-labelledby="why" {
                table {
                    thead { tr { th scope="col" { "About" } th scope="col" { "Is" } th scope="col" { "Because" } } }
                    tbody { @for why in &story.why {
                        tr { th scope="row" { (why.about) } td { (why.value) } td { (why.because) } }
                    } }
                }
            }
            h2 #events { "Events, as they were received" }
            div.wide tabindex="0" role="region" aria-labelledby="events" {
                table {
                    thead { tr { th scope="col" { "Received" } th scope="col" { "Occurred" } th scope="col" { "Event" }
                        th.number scope="col" { "Came again" } } }
                    tbody { @for event in &story.events {
                        tr { td.time { (event.received_at.to_string()) } td.time { (event.occurred_at.to_string()) }
                            td { (event.event_type) } td.number { (event.duplicates) } }
                    } }
                }
            }
            h2 #attempts { "What backends were told" }
            @if story.attempts.is_empty() {
                p.quiet { "Nothing yet." }
            } @else {
                div.wide tabindex="0" role="region" aria-labelledby="attempts" {
                    table {
                        thead { tr { th scope="col" { "At" } th scope="col" { "Backend" } th.number scope="col" { "Revision" }
                            th scope="col" { "Answer" } th scope="col" { "Error" } } }
                        tbody { @for attempt in &story.attempts {
                            tr { td.time { (attempt.at.to_string()) } td { (attempt.backend) }
                                td.number { (attempt.revision) }
                                td { (attempt.status.map_or("none".to_owned(), |status| status.to_string())) }
                                td { (text(attempt.error.as_ref())) } }
                        } }
                    }
                }
            }
        }
    };
    page(title, &content)
}

/// What came in a webhook is a link only where it is a page.
fn web_page(url: Option<&str>) -> Option<&str> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}
