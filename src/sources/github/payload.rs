//! The body of a webhook, parsed into an [`Event`]: a status of a deployment, or an event that is only kept.
//!
//! The type of an event is in a header, which is not stored. So it is found from the keys of the body: only
//! `deployment_status` events have the key of that name, and only a `ping` has `zen`.

use serde::{Deserialize, Deserializer};

use super::form::json_in;
use super::not_understood::NotUnderstood;
use super::payload_values::PayloadValues;
use crate::domain::commit::is_full_sha;
use crate::domain::deployment_event::{AboutDeployment, DeploymentFacts, DeploymentState};
use crate::domain::event::{Event, EventSubject, Heading, Origin};
use crate::domain::id::SourceDeploymentId;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::sources::json_body;
use crate::sources::kept_event::kept_event;
use crate::sources::lenient::{Lenient, object_shapes};
use crate::sources::text::{address, cleaned, host, text};

/// Name under which GitHub's events are stored.
pub(super) const NAME: SourceName = SourceName::new("github");
/// Name under which events are stored that were read from GitHub's REST API.
pub(super) const READ_NAME: SourceName = SourceName::new("githubapi");

const DEPLOYMENT_STATUS: &str = "deployment_status";
/// Type of the event that GitHub sends when a webhook is created, and when somebody tests it.
const PING: &str = "ping";
/// Type of all events that are only kept. GitHub names the type in a header only.
const OTHER: &str = "other";

/// Parses a stored body, which was understood before. `None` if it is damaged.
pub fn stored(body: &[u8]) -> Option<Event> {
    parse(body).ok()
}

/// Parses a body that was made of answers of the API.
pub(super) fn parse_read(body: &[u8]) -> Result<Event, NotUnderstood> {
    Ok(Event { origin: Origin::Read, ..parse(body)? })
}

/// The fields of a body that are needed to store the event, with the error as a message.
pub fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    heading(body).map_err(|error| error.to_string())
}

/// The fields of a body that are needed to store the event.
pub fn heading(body: &[u8]) -> Result<Heading, NotUnderstood> {
    let event = parse(body)?;
    Ok(Heading { is_test: event.event_type == PING, ..event.heading() })
}

/// Parses the whole event of a body.
pub fn parse(body: &[u8]) -> Result<Event, NotUnderstood> {
    let Lenient(envelope) = json_body::read::<Lenient<Envelope>>(&json_in(body))?;
    let mut envelope = envelope.ok_or(NotUnderstood::NotAnEvent)?;
    match envelope.deployment_status.take() {
        Some(Lenient(status)) => deployment_status(status.unwrap_or_default(), envelope),
        None if envelope.zen.0.is_some() => Ok(kept_event(PING, PING, body)),
        None if envelope.is_of_github() => Ok(kept_event(OTHER, OTHER, body)),
        None => Err(NotUnderstood::NotAnEvent),
    }
}

fn deployment_status(status: Status, envelope: Envelope) -> Result<Event, NotUnderstood> {
    let Envelope { deployment, repository, check_run, workflow, workflow_run, .. } = envelope;
    let deployment = deployment.0.ok_or(NotUnderstood::Missing("deployment"))?;
    let repository = repository.0.ok_or(NotUnderstood::Missing("repository"))?;
    let id = number(&status.id).ok_or(NotUnderstood::Missing("deployment_status.id"))?;
    let deployment_id = number(&deployment.id).ok_or(NotUnderstood::Missing("deployment.id"))?;
    let state = status.state.0.ok_or(NotUnderstood::Missing("deployment_status.state"))?;
    let at = status.created_at.0.ok_or(NotUnderstood::Missing("deployment_status.created_at"))?;
    let occurred_at = Timestamp::parse(&at).map_err(NotUnderstood::StatusTime)?;
    let url = address(&repository.html_url).ok_or(NotUnderstood::Missing("repository.html_url"))?;
    let host = host(&url).ok_or(NotUnderstood::NoHost)?;
    let deployment_id = SourceDeploymentId::new(&NAME, &host, deployment_id).ok_or(NotUnderstood::NoHost)?;
    let created_at = deployment.created_at.0.as_deref().map(Timestamp::parse).transpose();
    let path = |workflow: Lenient<Workflow>| text(&workflow.0?.path);
    let facts = DeploymentFacts {
        repository: text(&repository.full_name),
        repository_url: Some(url),
        // A status may move the deployment to another environment.
        environment: text(&status.environment).or_else(|| text(&deployment.environment)),
        reference: text(&deployment.reference),
        workflow: path(workflow).or_else(|| path(workflow_run)).map(without_ref),
        job: check_run.0.and_then(|check_run| text(&check_run.name)),
        creator: deployment.creator.0.or(status.creator.0).and_then(|creator| text(&creator.login)),
        task: text(&deployment.task),
        tier: None,
        payload: deployment.payload.0.map(|PayloadValues(values)| values),
        // GitHub's own guess is `true` for the name `production` only, so `false` says nothing.
        is_production: deployment.production_environment.0.filter(|is_production| *is_production),
        is_transient: deployment.transient_environment.0,
        commit_sha: text(&deployment.sha).filter(|sha| is_full_sha(sha)),
        created_at: created_at.map_err(NotUnderstood::CreationTime)?,
    };
    let about = |state| {
        EventSubject::Deployment(Box::new(AboutDeployment { deployment: deployment_id, state, facts }))
    };
    Ok(Event {
        id: format!("{host}:{DEPLOYMENT_STATUS}:{id}"),
        event_type: DEPLOYMENT_STATUS.to_owned(),
        occurred_at,
        origin: Origin::Sent,
        // A state that the program does not know tells nothing. The event is kept.
        subject: deployment_state(&state).map(about),
    })
}

/// The state of a status. `inactive` is never sent, only read from the API.
fn deployment_state(state: &str) -> Option<DeploymentState> {
    Some(match state {
        "waiting" => DeploymentState::Waiting,
        "queued" | "pending" => DeploymentState::Queued,
        "in_progress" => DeploymentState::InProgress,
        "success" => DeploymentState::Succeeded,
        "failure" | "error" => DeploymentState::Failed,
        "inactive" => DeploymentState::Inactive,
        _ => return None,
    })
}

/// Path of a workflow's file, without the branch or tag behind it.
fn without_ref(path: String) -> String {
    path.split_once('@').and_then(|(file, _)| cleaned(file)).unwrap_or(path)
}

fn number(id: &Lenient<i64>) -> Option<u64> {
    u64::try_from(id.0?).ok()
}

/// Top level of every event.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Envelope {
    /// `Some` if the key is there, with any value.
    #[serde(deserialize_with = "present")]
    deployment_status: Option<Lenient<Status>>,
    deployment: Lenient<Deployment>,
    repository: Lenient<Repository>,
    check_run: Lenient<CheckRun>,
    workflow: Lenient<Workflow>,
    workflow_run: Lenient<Workflow>,
    zen: Lenient<String>,
    sender: Lenient<Actor>,
    organization: Lenient<Actor>,
    installation: Lenient<Installation>,
    hook: Lenient<Installation>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lenient<Status>>, D::Error> {
    Lenient::deserialize(deserializer).map(Some)
}

impl Envelope {
    /// `true` if the body has an object that events of other types have, too.
    fn is_of_github(&self) -> bool {
        let Self { repository, sender, organization, installation, hook, .. } = self;
        let has_actor = sender.0.is_some() || organization.0.is_some();
        repository.0.is_some() || has_actor || installation.0.is_some() || hook.0.is_some()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    id: Lenient<i64>,
    state: Lenient<String>,
    environment: Lenient<String>,
    creator: Lenient<Actor>,
    created_at: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Deployment {
    id: Lenient<i64>,
    sha: Lenient<String>,
    #[serde(rename = "ref")]
    reference: Lenient<String>,
    task: Lenient<String>,
    payload: Lenient<PayloadValues>,
    environment: Lenient<String>,
    creator: Lenient<Actor>,
    created_at: Lenient<String>,
    transient_environment: Lenient<bool>,
    production_environment: Lenient<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Repository {
    full_name: Lenient<String>,
    html_url: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CheckRun {
    name: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Workflow {
    path: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Actor {
    login: Lenient<String>,
}

#[derive(Deserialize)]
struct Installation {}

object_shapes!(Envelope, Status, Deployment, Repository, CheckRun, Workflow, Actor, Installation);

#[cfg(test)]
mod tests;
