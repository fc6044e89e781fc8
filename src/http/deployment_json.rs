//! JSON of deployments in the API and in `--format json`.

use serde::{Serialize, Serializer};

use super::deployment_fields::FIELDS;
use crate::domain::deployment_view::DeploymentView;
use crate::domain::explain::Why;
use crate::store::{AttemptRecord, DeploymentPage, DeploymentStory, ReceivedEvent};

/// A deployment, and what follows from its links to failures.
#[derive(Debug)]
pub struct DeploymentJson<'a>(&'a DeploymentView);

impl Serialize for DeploymentJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(FIELDS.map(|(name, of)| (name, of(self.0))))
    }
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
        Self(view)
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
