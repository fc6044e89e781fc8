//! Page of one failure: its facts, its timeline, then everything that `explain` shows.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::timeline::{Linked, timeline};
use crate::domain::explain::Why;
use crate::domain::failure::Failure;
use crate::domain::printable::printable;
use crate::domain::related_change::{DECIDE_NOTHING, RelatedChange};
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::attempts::attempts;
use crate::http::dashboard::parts::decisions::decisions;
use crate::http::dashboard::parts::event_table::event_table;
use crate::http::dashboard::parts::format::{
    NO_DATA, duration, name, names, safe_text, sentence, state, text_or_dash, web_page,
};
use crate::http::dashboard::parts::links::{self, Deployments};
use crate::http::dashboard::parts::page::{Place, Section, facts, heading, notice, page, way_back, wide};
use crate::http::dashboard::parts::site::Site;
use crate::http::failures::{FailureLookup, StoryLookup, UNKNOWN_FAILURE};
use crate::http::token::Token;
use crate::store::{DeadRow, ReceivedEvent, Story};

/// Field of the reason that names the deployment that fixed a failure (see `domain/explain.rs`).
const REMEDIATION: &str = "remediation";

/// Field of the reason that names the deployments which a note or a custom field gives as the cause.
const NAMED_DEPLOYMENT: &str = "named_deployment";

/// Fields of the reasons that name another incident: that which it was merged into, and those merged into it.
const MERGES: [&str; 2] = ["merged_into", "merged"];

/// Everything that the page shows.
struct StoryData {
    /// The id that was asked for.
    id: String,
    story: Story,
    /// The deployments that it is linked to, as far as they are known.
    deployments: Deployments,
    dead: Vec<DeadRow>,
    /// Token that a form must send.
    token: String,
}

/// `GET /failures/{id}`
pub(in crate::http) async fn failure(
    State(failures): State<Arc<FailureLookup>>,
    State(token): State<Arc<Token>>,
    site: Site,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::not_found(UNKNOWN_FAILURE)) };
    let not_found =
        |text: &Markup| notice(&site, Section::Failures, (StatusCode::NOT_FOUND, "Not found"), text);
    let story = match failures.story(id.clone()).await? {
        StoryLookup::Story(story) => *story,
        StoryLookup::Unknown => return Ok(not_found(&html! { (UNKNOWN_FAILURE) })),
        StoryLookup::Several(ids) => {
            let text = html! {
                "Several failures match this id:"
                @for id in &ids { " " a href=(site.failure(id)) { (id) } }
            };
            return Ok(not_found(&text));
        }
    };
    let linked: Vec<String> = linked_ids(&story).map(str::to_owned).collect();
    let failure_id = story.failure.as_ref().map(|listed| listed.failure.id.clone());
    let read = failures.reads.read(move |reader| {
        let deployments = reader.deployments_of_ids(linked.iter().map(String::as_str))?;
        let dead = failure_id.map(|id| reader.dead_rows(&id)).transpose()?.unwrap_or_default();
        Ok((deployments, dead))
    });
    let (deployments, dead) = read.await?;
    let data = StoryData { id, story, deployments, dead, token: token.shown().to_owned() };
    Ok(story_page(&site, &data).into_response())
}

fn linked_ids(story: &Story) -> impl Iterator<Item = &str> {
    let cause = story.failure.iter().filter_map(|listed| listed.failure.deployment.as_deref());
    cause.chain(fix(story))
}

/// Id of the deployment that fixed the failure.
fn fix(story: &Story) -> Option<&str> {
    story.why.iter().find(|why| why.about == REMEDIATION).map(|why| why.value.as_str())
}

fn story_page(site: &Site, data: &StoryData) -> Html<String> {
    let story = &data.story;
    let failure = story.failure.as_ref().map(|listed| &listed.failure);
    let id = failure.map_or(&*data.id, |failure| failure.id.as_str());
    let name = name(failure.and_then(|failure| failure.title.as_deref()), id);
    let content = html! {
        (way_back(site, Section::Failures))
        (heading(site, &html! { bdi { (name) } }))
        @match failure {
            None => { p { "No failure: no event with the incident's data was received." } },
            Some(failure) => { (summary(site, failure, data)) (what_happened(site, failure, data)) },
        }
        h2 #why { "Decisions" }
        div.card { (decisions(&story.why, |why| decided(site, why, data))) }
        h2 #events { "Events, as they were received" }
        div.card { (events(site, story)) }
        @if let Some(changes) = story.related_changes.as_deref().filter(|changes| !changes.is_empty()) {
            h2 #changes { "Changes that PagerDuty relates to this incident" }
            p.quiet { (DECIDE_NOTHING) }
            div.card { (wide("Table of related changes", &related_changes(site, changes))) }
        }
        h2 #attempts { "Backends" }
        (attempts(site, &data.token, id, story, &data.dead))
    };
    page(site, Place::Within(Section::Failures), &name, &content)
}

fn what_happened(site: &Site, failure: &Failure, data: &StoryData) -> Markup {
    let known = |id: Option<&str>| id.and_then(|id| data.deployments.get(id));
    let linked = Linked { cause: known(failure.deployment.as_deref()), fix: known(fix(&data.story)) };
    html! {
        h2 #timeline { "Timeline" }
        (timeline(site, failure, &data.story.events, &linked))
    }
}

fn summary(site: &Site, failure: &Failure, data: &StoryData) -> Markup {
    let title = failure.title.as_deref().map(printable).unwrap_or_default();
    let text = |text: String| html! { (text) };
    let acknowledged_after =
        failure.acknowledged_at.map(|at| at.duration_since(failure.started_at).as_secs_f64());
    let rows = [
        ("Started", site.zone().second(failure.started_at)),
        ("Ended", failure.finished_at.map_or_else(|| html! { "not yet" }, |at| site.zone().second(at))),
        ("Restored in", text(duration(failure.time_to_restore_seconds))),
        ("Acknowledged after", text(duration(acknowledged_after))),
        ("Services", links::services(site, &failure.services)),
        ("Team", links::team(site, failure.team.as_deref())),
        ("Env", text(safe_text(&failure.env))),
        ("Severity", text(text_or_dash(failure.severity.as_ref()))),
        ("Caused by", caused_by(site, failure, data)),
        ("Fixed by", links::deployment(site, fix(&data.story), &data.deployments)),
        (
            "Reopened",
            text(if failure.reopened == 0 { NO_DATA.to_owned() } else { failure.reopened.to_string() }),
        ),
        ("Id", text(safe_text(failure.id.as_str()))),
    ];
    html! {
        p { (state(failure.state)) @if let Some(reason) = &failure.reason { ": " (safe_text(reason)) }
            (links::merged_into(site, failure))
            @if let Some(url) = web_page(failure.url.as_deref()) {
                " " a href=(url) rel="noreferrer" { "The incident at PagerDuty" }
            }
        }
        (facts(&rows))
        @if safe_text(&title) != title {
            details {
                summary { "The whole title" }
                div.long tabindex="0" role="region" aria-label="The whole title" { bdi { (title) } }
            }
        }
    }
}

/// The deployment that caused a failure, and what a note or a custom field names as the cause. The name need not be that
/// of a known deployment.
fn caused_by(site: &Site, failure: &Failure, data: &StoryData) -> Markup {
    let named = data.story.why.iter().find(|why| why.about == NAMED_DEPLOYMENT);
    html! {
        (links::deployment(site, failure.deployment.as_deref(), &data.deployments))
        @if let Some(Why { value, because, .. }) = named {
            div.quiet { bdi { (safe_text(value)) } " is " (sentence(because)) }
        }
    }
}

/// A decision's value. A deployment, and another incident that is known, are links.
fn decided(site: &Site, why: &Why, data: &StoryData) -> Markup {
    let failure = data.story.failure.as_ref().map(|listed| &listed.failure);
    let merge = failure.filter(|_| MERGES.contains(&&*why.about)).and_then(|failure| {
        let known = links::known_target(failure).into_iter().chain(failure.merged.iter().map(String::as_str));
        known.into_iter().find(|incident| *incident == why.value)
    });
    let deployment = Some(why.value.as_str()).filter(|id| data.deployments.contains_key(*id));
    html! { @match (merge, deployment) {
        (Some(incident), _) => { (links::incident(site, incident)) }
        (None, Some(id)) => { (links::deployment(site, Some(id), &data.deployments)) }
        (None, None) => { (safe_text(&why.value)) }
    } }
}

fn events(site: &Site, story: &Story) -> Markup {
    let was_read = |event: &ReceivedEvent| {
        story.failure.as_ref().is_some_and(|listed| event.was_read(&listed.failure.source))
    };
    event_table(site, "Events about the failure", &story.events, was_read)
}

fn related_changes(site: &Site, changes: &[RelatedChange]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Changed" } th scope="col" { "Summary" } th scope="col" { "Source" }
                th scope="col" { "Services" } th scope="col" { "PagerDuty's reason" } } }
            tbody { @for change in changes {
                tr { td.time { (site.zone().second(change.at)) } td.text { (text_or_dash(change.summary.as_ref())) }
                    td.text { (text_or_dash(change.source.as_ref())) } td.text { (names(&change.services)) }
                    td { (text_or_dash(change.reason_in_words().as_ref())) } }
            } }
        }
    }
}
