//! The body of a webhook, parsed into an [`Event`]: a status of a deployment, or an event that is only kept.

use serde::Deserialize;

use super::lenient_time::time;
use super::not_understood::NotUnderstood;
use crate::domain::commit::is_full_sha;
use crate::domain::deployment_event::{AboutDeployment, DeploymentFacts, DeploymentState};
use crate::domain::event::{Event, EventSubject, Heading, Origin};
use crate::domain::id::SourceDeploymentId;
use crate::domain::source_name::SourceName;
use crate::sources::json_body;
use crate::sources::kept_event::kept_event;
use crate::sources::lenient::{Lenient, object_shapes};
use crate::sources::text::{address, host, text};

/// Name under which GitLab's events are stored.
pub(super) const NAME: SourceName = SourceName::new("gitlab");
/// Name under which events are stored that were read from GitLab's REST API.
pub(super) const READ_NAME: SourceName = SourceName::new("gitlabapi");

const DEPLOYMENT: &str = "deployment";
/// The tier that counts as production.
const PRODUCTION: &str = "production";

/// Parses a stored body, which was understood before. `None` if it is damaged.
pub fn stored(body: &[u8]) -> Option<Event> {
    parse(body).ok()
}

/// Parses a body that was made of answers of the API. The times of the API differ a little from those of webhooks, so the
/// id has no time: it is the beginning of the webhook's id.
pub(super) fn parse_read(body: &[u8]) -> Result<Event, NotUnderstood> {
    let event = parse(body)?;
    let time = format!(":{}", event.occurred_at);
    let id = event.id.strip_suffix(&time).unwrap_or(&event.id).to_owned();
    Ok(Event { id, origin: Origin::Read, ..event })
}

/// The fields of a body that are needed to store the event, with the error as a message.
pub fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    heading(body).map_err(|error| error.to_string())
}

/// The fields of a body that are needed to store the event.
pub fn heading(body: &[u8]) -> Result<Heading, NotUnderstood> {
    Ok(parse(body)?.heading())
}

/// Parses the whole event of a body.
pub fn parse(body: &[u8]) -> Result<Event, NotUnderstood> {
    let Lenient(envelope) = json_body::read::<Lenient<Envelope>>(body)?;
    let envelope = envelope.ok_or(NotUnderstood::NotAnEvent)?;
    let kind = text(&envelope.object_kind).or_else(|| text(&envelope.event_name));
    match kind.ok_or(NotUnderstood::NotAnEvent)? {
        kind if kind == DEPLOYMENT => deployment(envelope),
        kind => Ok(kept_event("kept", &kind, body)),
    }
}

fn deployment(envelope: Envelope) -> Result<Event, NotUnderstood> {
    let Envelope { status, status_changed_at, deployment_id, project, .. } = envelope;
    let project = project.0.ok_or(NotUnderstood::Missing("project"))?;
    let status = text(&status).ok_or(NotUnderstood::Missing("status"))?;
    let at = status_changed_at.0.ok_or(NotUnderstood::Missing("status_changed_at"))?;
    let number = deployment_id.0.and_then(|id| u64::try_from(id).ok());
    let number = number.ok_or(NotUnderstood::Missing("deployment_id"))?;
    let occurred_at = time(&at).map_err(NotUnderstood::StatusTime)?;
    let url = address(&project.web_url).ok_or(NotUnderstood::Missing("project.web_url"))?;
    let repository = text(&project.path_with_namespace);
    let instance = instance(&url, repository.as_deref()).ok_or(NotUnderstood::NoInstance)?;
    let id = SourceDeploymentId::new(&NAME, &instance, number).ok_or(NotUnderstood::NoInstance)?;
    let tier = text(&envelope.environment_tier);
    let facts = DeploymentFacts {
        repository,
        repository_url: Some(url),
        environment: text(&envelope.environment),
        creator: envelope.user.0.and_then(|user| text(&user.username)),
        is_production: tier.as_deref().map(|tier| tier == PRODUCTION),
        tier,
        commit_sha: envelope.commit_url.0.as_deref().and_then(commit_in),
        ..DeploymentFacts::default()
    };
    let event_id = format!("{instance}:{DEPLOYMENT}:{number}:{status}:{occurred_at}");
    let about = |state| EventSubject::Deployment(Box::new(AboutDeployment { deployment: id, state, facts }));
    Ok(Event {
        id: event_id,
        event_type: format!("{DEPLOYMENT}.{status}"),
        occurred_at,
        origin: Origin::Sent,
        // A status that the program does not know tells nothing. The event is kept.
        subject: deployment_state(&status).map(about),
    })
}

/// The state of a status. A rejection is followed by `failed`.
fn deployment_state(status: &str) -> Option<DeploymentState> {
    Some(match status {
        "blocked" => DeploymentState::Waiting,
        "created" | "approved" => DeploymentState::Queued,
        "running" => DeploymentState::InProgress,
        "success" => DeploymentState::Succeeded,
        "failed" => DeploymentState::Failed,
        "rejected" => DeploymentState::Rejected,
        "canceled" | "skipped" => DeploymentState::Cancelled,
        _ => return None,
    })
}

/// The instance that a project is on: its host and, if GitLab is below a path there, that path. In it `:` stands for `/`.
fn instance(web_url: &str, project: Option<&str>) -> Option<String> {
    let host = host(web_url)?;
    let path = web_url.split_once("://")?.1.split_once('/').map_or("", |(_, path)| path);
    let root = project
        .and_then(|project| path.trim_end_matches('/').strip_suffix(project))
        .unwrap_or_default()
        .trim_matches('/');
    Some(if root.is_empty() { host } else { format!("{host}:{}", root.replace('/', ":")) })
}

/// The commit at the end of its address.
fn commit_in(address: &str) -> Option<String> {
    let (_, commit) = address.rsplit_once("/commit/")?;
    is_full_sha(commit).then(|| commit.to_owned())
}

/// Top level of every event. `event_name` instead of `object_kind` is that of system hooks.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope {
    object_kind: Lenient<String>,
    event_name: Lenient<String>,
    status: Lenient<String>,
    status_changed_at: Lenient<String>,
    deployment_id: Lenient<i64>,
    environment: Lenient<String>,
    environment_tier: Lenient<String>,
    project: Lenient<Project>,
    user: Lenient<User>,
    commit_url: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Project {
    web_url: Lenient<String>,
    path_with_namespace: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    username: Lenient<String>,
}

object_shapes!(Envelope, Project, User);

#[cfg(test)]
mod tests;
