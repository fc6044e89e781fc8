//! Page of one deployment: its facts, the failures that it caused and fixed, then everything that `explain` shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::failures::{LinkedFailures, linked_failures};
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::PendingRule;
use crate::domain::explain::Why;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::attempts::attempts_of_deployment;
use crate::http::dashboard::parts::decisions::decisions;
use crate::http::dashboard::parts::deployment_table::{source, took};
use crate::http::dashboard::parts::event_table::event_table;
use crate::http::dashboard::parts::format::web_page;
use crate::http::dashboard::parts::format::{NO_DATA, safe_text, text_or_dash};
use crate::http::dashboard::parts::links::{self, Failures};
use crate::http::dashboard::parts::page::{Place, Section, facts, heading, notice, page, way_back};
use crate::http::dashboard::parts::site::Site;
use crate::http::deployments::{DeploymentLookup, DeploymentStoryLookup, UNKNOWN_DEPLOYMENT};
use crate::store::{DeploymentStory, ReceivedEvent};

/// Field of a decision whose value is the id of a failure that the deployment caused (`domain/explain_deployment.rs`).
const CAUSED: &str = "failure";
/// Field of a decision whose value is the id of a failure that it fixed.
const FIXED: &str = "remediates";
/// Largest number of failures in each list of the page.
const MOST_FAILURES: usize = 100;

/// Everything that the page shows.
struct DeploymentData {
    story: DeploymentStory,
    /// The failures that it caused and fixed, as far as the page lists them.
    failures: Failures,
    pending: PendingRule,
}

/// `GET /deployments/{id}`
pub(in crate::http) async fn deployment(
    State(deployments): State<Arc<DeploymentLookup>>,
    site: Site,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::not_found(UNKNOWN_DEPLOYMENT)) };
    let story = match deployments.story(id).await? {
        DeploymentStoryLookup::Story(story) => *story,
        DeploymentStoryLookup::Unknown => return Ok(not_found(&site, &html! { (UNKNOWN_DEPLOYMENT) })),
        DeploymentStoryLookup::Several(ids) => return several(&deployments, &site, ids).await,
    };
    let pending = deployments.pending();
    let read = deployments.reads.read(move |reader| {
        let view = &story.deployment;
        let ids =
            [&view.failures, &view.remediates].into_iter().flat_map(|ids| ids.iter().take(MOST_FAILURES));
        let failures = reader.failures_of_ids(ids.map(String::as_str))?;
        Ok(DeploymentData { story, failures, pending })
    });
    Ok(deployment_page(&site, &read.await?).into_response())
}

fn not_found(site: &Site, text: &Markup) -> Response {
    notice(site, Section::Deployments, (StatusCode::NOT_FOUND, "Not found"), text)
}

/// Answer to an id or a commit that several deployments match.
async fn several(
    deployments: &DeploymentLookup,
    site: &Site,
    ids: Vec<String>,
) -> Result<Response, ApiError> {
    let read = deployments.reads.read(move |reader| {
        let known = reader.deployments_of_ids(ids.iter().map(String::as_str))?;
        Ok((ids, known))
    });
    let (ids, known) = read.await?;
    let text = html! {
        "Several deployments match this id:"
        @for id in &ids {
            " " (links::deployment(site, Some(id), &known))
            @if known.get(id).is_some_and(|deployment| deployment.version_or_commit().is_some()) {
                " (" (safe_text(id)) ")"
            }
        }
    };
    Ok(not_found(site, &text))
}

fn deployment_page(site: &Site, data: &DeploymentData) -> Html<String> {
    let view = &data.story.deployment;
    let was_read = |event: &ReceivedEvent| event.was_read(&view.source);
    let name = links::name_or_id(&view.deployment);
    let env = safe_text(&view.deployment.env);
    let content = html! {
        (way_back(site, Section::Deployments))
        (heading(site, &html! { span.kind { "Deployment" } " " bdi { (name) } " " span.kind { "to " bdi { (env) } } }))
        (outcome(site, data))
        (summary(site, data))
        (linked_failures(site, &linked(data, ("caused", "Failures that it caused"), CAUSED, &view.failures)))
        (linked_failures(site, &linked(data, ("fixed", "Failures that it fixed"), FIXED, &view.remediates)))
        h2 #why { "Decisions" }
        div.card { (decisions(other_decisions(&data.story.why), |why| decided(site, why, data))) }
        @if !data.story.events.is_empty() {
            h2 #events { "Events" }
            div.card { (event_table(site, "Events about the deployment", &data.story.events, was_read)) }
        }
        h2 #attempts { "Backends" }
        (attempts_of_deployment(site, &data.story))
    };
    page(site, Place::Within(Section::Deployments), &name, &content)
}

fn linked<'a>(
    data: &'a DeploymentData,
    (id, title): (&'static str, &'static str),
    about: &str,
    ids: &'a [String],
) -> LinkedFailures<'a> {
    let why = data.story.why.iter().filter(|why| why.about == about);
    let rules: BTreeMap<&str, &str> = why.map(|why| (why.value.as_str(), why.because.as_str())).collect();
    let listed = &ids[..ids.len().min(MOST_FAILURES)];
    LinkedFailures { id, title, listed, all: ids.len(), known: &data.failures, rules, now: data.pending.now }
}

/// One line on how it went.
fn outcome(site: &Site, data: &DeploymentData) -> Markup {
    let view = &data.story.deployment;
    html! {
        p {
            @if let Some(because) = &view.ignored_because {
                span.state { "ignored" } ": " (safe_text(because))
            } @else if view.has_failed() {
                span.state.bad { "failed" } ": it caused "
                @if view.failures.len() == 1 { "a failure" } @else { (view.failures.len()) " failures" }
            } @else if view.is_pending {
                span.state { "pending" } ": no failure so far; one that begins by "
                (site.zone().minute(settled_at(data))) " can still be linked to it"
            } @else {
                span.state { "fine" } ": no failure is linked to it"
            }
            @if view.is_rollback { ". " (rollback(site, data)) }
            "."
        }
    }
}

fn settled_at(data: &DeploymentData) -> Timestamp {
    data.pending.settled_at(data.story.deployment.deployment.finished_at)
}

/// `A rollback from v2 to v1`.
fn rollback(site: &Site, data: &DeploymentData) -> Markup {
    let deployed = data.story.deployment.deployment.version_or_commit().unwrap_or(NO_DATA);
    let before = data.story.before.as_ref();
    html! {
        "A rollback "
        @if let Some(replaced) = before.and_then(|before| before.version_or_commit().map(|name| (before, name))) {
            @let (before, name) = replaced;
            "from " a href=(site.deployment(before.id.as_str())) { bdi { (safe_text(name)) } } " "
        }
        "to " bdi { (safe_text(deployed)) }
    }
}

fn summary(site: &Site, data: &DeploymentData) -> Markup {
    let DeploymentStory { deployment: view, received_at, before, .. } = &data.story;
    let deployment = &view.deployment;
    let text = |text: String| html! { (text) };
    let other = |other: Option<&Deployment>| {
        html! { @match other {
            Some(other) => { (links::known_deployment(site, other)) }
            None => { (NO_DATA) }
        } }
    };
    let pending = if view.is_pending {
        site.zone().minute(settled_at(data))
    } else {
        html! { "not pending" }
    };
    let tags: Vec<String> = deployment.tags.iter().map(|tag| safe_text(tag)).collect();
    let rows = [
        ("Service", links::service(site, &deployment.service)),
        ("Version", text(text_or_dash(deployment.version.as_ref()))),
        (
            "Commit",
            html! { @match &deployment.commit_sha {
                Some(sha) => { code { (safe_text(sha)) } }
                None => { (NO_DATA) }
            } },
        ),
        ("Repository", repository(deployment.repository_url.as_deref())),
        ("Env", text(safe_text(&deployment.env))),
        ("Team", links::team(site, deployment.team.as_deref())),
        ("Started", site.zone().second(deployment.started_at)),
        (
            "Ended",
            html! { @match view.finished_at() { Some(at) => { (site.zone().second(at)) } None => { (NO_DATA) } } },
        ),
        ("Took", text(if view.has_ended { took(deployment) } else { NO_DATA.to_owned() })),
        ("Source", text(source(&view.source))),
        (
            "Received",
            html! { @match received_at { Some(at) => { (site.zone().second(*at)) } None => { (NO_DATA) } } },
        ),
        ("Replaced", other(before.as_ref())),
        ("Fixed by", other(view.remediation.as_ref())),
        ("Rollback", if view.is_rollback { rollback(site, data) } else { text("no".to_owned()) }),
        ("Pending until", pending),
        ("Tags", text(if tags.is_empty() { NO_DATA.to_owned() } else { tags.join(", ") })),
        ("Id", text(safe_text(deployment.id.as_str()))),
    ];
    facts(&rows)
}

fn repository(url: Option<&str>) -> Markup {
    html! { @match (web_page(url), url) {
        (Some(url), _) => { a href=(url) rel="noreferrer" { (safe_text(url)) } }
        (None, Some(url)) => { (safe_text(url)) }
        (None, None) => { (NO_DATA) }
    } }
}

/// The decisions that the lists of failures do not show.
fn other_decisions(why: &[Why]) -> impl Iterator<Item = &Why> {
    why.iter().filter(|why| ![CAUSED, FIXED].contains(&&*why.about))
}

/// A decision's value. The deployment that fixed the failures is a link.
fn decided(site: &Site, why: &Why, data: &DeploymentData) -> Markup {
    let remediation = data.story.deployment.remediation.as_ref();
    html! { @match remediation.filter(|fix| fix.id.as_str() == why.value) {
        Some(fix) => { (links::known_deployment(site, fix)) }
        None => { (safe_text(&why.value)) }
    } }
}
