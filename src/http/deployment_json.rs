//! JSON of deployments in the API and in `--format json`.

use serde::Serialize;

use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::DeploymentView;
use crate::domain::explain::Why;
use crate::domain::timestamp::Timestamp;
use crate::store::{AttemptRecord, DeploymentPage, DeploymentStory, ReceivedEvent};

/// A deployment, and what follows from its links to failures.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the JSON")]
pub struct DeploymentJson<'a> {
    id: &'a str,
    source: &'a str,
    service: &'a str,
    team: Option<&'a str>,
    env: &'a str,
    version: Option<&'a str>,
    commit_sha: Option<&'a str>,
    repository_url: Option<&'a str>,
    started_at: Timestamp,
    finished_at: Timestamp,
    tags: Vec<&'a str>,
    failed: bool,
    failures: &'a [String],
    /// Id of the deployment that fixed its failures.
    remediation: Option<&'a str>,
    /// Ids of the failures that it fixed.
    remediates: &'a [String],
    is_rollback: bool,
    pending: bool,
    ignored: bool,
    reason: Option<&'a str>,
}

/// A page of a listing.
#[derive(Debug, Serialize)]
pub struct DeploymentPageJson<'a> {
    deployments: Vec<DeploymentJson<'a>>,
    next: Option<&'a str>,
}

/// A deployment's whole story.
#[derive(Debug, Serialize)]
pub struct DeploymentStoryJson<'a> {
    deployment: DeploymentJson<'a>,
    events: &'a [ReceivedEvent],
    why: &'a [Why],
    attempts: &'a [AttemptRecord],
}

impl<'a> From<&'a DeploymentView> for DeploymentJson<'a> {
    fn from(view: &'a DeploymentView) -> Self {
        // Every field is named, so that a new one is either shown or left out deliberately.
        let DeploymentView {
            deployment,
            source,
            failures,
            remediation,
            remediates,
            is_rollback,
            is_pending,
            ignored_because,
        } = view;
        let Deployment {
            id,
            service,
            team,
            env,
            started_at,
            finished_at,
            version,
            commit_sha,
            repository_url,
            tags,
        } = deployment;
        Self {
            id: id.as_str(),
            source: source.as_str(),
            service,
            team: team.as_deref(),
            env,
            version: version.as_deref(),
            commit_sha: commit_sha.as_deref(),
            repository_url: repository_url.as_deref(),
            started_at: *started_at,
            finished_at: *finished_at,
            tags: tags.iter().map(String::as_str).collect(),
            failed: view.has_failed(),
            failures,
            remediation: remediation.as_ref().map(|deployment| deployment.id.as_str()),
            remediates,
            is_rollback: *is_rollback,
            pending: *is_pending,
            ignored: ignored_because.is_some(),
            reason: ignored_because.as_deref(),
        }
    }
}

impl<'a> From<&'a DeploymentPage> for DeploymentPageJson<'a> {
    fn from(DeploymentPage { deployments, next }: &'a DeploymentPage) -> Self {
        Self { deployments: deployments.iter().map(DeploymentJson::from).collect(), next: next.as_deref() }
    }
}

impl<'a> From<&'a DeploymentStory> for DeploymentStoryJson<'a> {
    fn from(story: &'a DeploymentStory) -> Self {
        // `why` says the same as the fields that are left out.
        let DeploymentStory { deployment, events, why, attempts, .. } = story;
        Self { deployment: DeploymentJson::from(deployment), events, why, attempts }
    }
}
