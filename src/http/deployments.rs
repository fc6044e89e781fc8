//! `GET /api/v1/deployments`, and the story of one deployment.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::deployment_choice::DeploymentChoice;
use super::deployment_json::{DeploymentPageJson, DeploymentStoryJson};
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time};
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::domain::deployment_view::PendingRule;
use crate::domain::forwarding::BackendEntry;
use crate::domain::name::{name, named};
use crate::domain::policy::Policy;
use crate::sources;
use crate::store::{DeploymentContext, DeploymentFilter, DeploymentStory};

/// Answer to an unknown id.
pub(super) const UNKNOWN_DEPLOYMENT: &str = "No deployment with this id is known.";
/// Maximum number of ids that the answer to an ambiguous id lists.
const MAX_LISTED_IDS: u32 = 10;

/// Parts for looking up deployments.
pub(super) struct DeploymentLookup {
    /// Reads deployments and their stories.
    pub(super) reads: StoreReads,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    pub(super) timezone: TimeZone,
    /// Policy of the present configuration.
    pub(super) policy: Arc<Policy>,
    /// The backends that are configured.
    pub(super) backend_entries: Arc<[BackendEntry]>,
}

/// Query with the options of `deployments`.
pub(super) struct DeploymentsQuery {
    service: Option<String>,
    env: Option<String>,
    team: Option<String>,
    since: Option<String>,
    failed: Option<bool>,
    ignored: bool,
    limit: usize,
    cursor: Option<String>,
}

impl FromQuery for DeploymentsQuery {
    const NAMES: &'static [&'static str] =
        &["service", "env", "team", "since", "failed", "ignored", "limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            service: parameters.text("service"),
            env: parameters.env(),
            team: parameters.text("team"),
            since: parameters.text("since"),
            failed: parameters.chosen_flag("failed")?,
            ignored: parameters.flag("ignored")?,
            limit: parameters.limit()?,
            cursor: parameters.text("cursor"),
        })
    }
}

/// `GET /api/v1/deployments`.
pub(super) async fn list(
    State(deployments): State<Arc<DeploymentLookup>>,
    TypedQuery(query): TypedQuery<DeploymentsQuery>,
) -> Result<Response, ApiError> {
    let since = query.since.as_deref().and_then(name);
    let filter = DeploymentFilter {
        service: named(query.service),
        env: query.env,
        team: named(query.team),
        since: parse_time("since", since, deployments.clock.now(), &deployments.timezone)?,
        until: None,
        failed: false,
        ignored: query.ignored,
        limit: query.limit,
        cursor: named(query.cursor),
    };
    let (choice, pending) = (DeploymentChoice::new(filter, query.failed), deployments.pending());
    let page = deployments.reads.read(move |reader| choice.page(reader, pending)).await?;
    Ok(Json(DeploymentPageJson::from(&page)).into_response())
}

/// `GET /api/v1/deployments/{id}`, the counterpart of `explain`.
pub(super) async fn one(
    State(deployments): State<Arc<DeploymentLookup>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::not_found(UNKNOWN_DEPLOYMENT)) };
    match deployments.story(id).await? {
        DeploymentStoryLookup::Story(story) => Ok(Json(DeploymentStoryJson::from(&*story)).into_response()),
        DeploymentStoryLookup::Unknown => Err(ApiError::not_found(UNKNOWN_DEPLOYMENT)),
        DeploymentStoryLookup::Several(ids) => {
            let ids = ids.join(", ");
            Err(ApiError::not_found(format_args!(
                "Several deployments match this id: {ids}. Use a longer part of the id."
            )))
        }
    }
}

/// Result of looking up a deployment by its id or a part of it.
pub(super) enum DeploymentStoryLookup {
    /// One deployment matches.
    Story(Box<DeploymentStory>),
    /// No deployment matches.
    Unknown,
    /// These deployments match. At most ten ids are listed.
    Several(Vec<String>),
}

impl DeploymentLookup {
    /// Rule by which a deployment is pending now.
    pub(super) fn pending(&self) -> PendingRule {
        PendingRule { link_window: self.policy.link_window, now: self.clock.now() }
    }

    /// Story of a deployment. As for `explain`, `id` is its id or a unique beginning of it, else its commit or a unique
    /// beginning of that. Letter case does not matter.
    pub(super) async fn story(&self, id: String) -> Result<DeploymentStoryLookup, ApiError> {
        let (policy, pending) = (Arc::clone(&self.policy), self.pending());
        let backend_entries = Arc::clone(&self.backend_entries);
        let read = self.reads.read(move |reader| {
            let context = DeploymentContext {
                policy: &policy,
                pending,
                sources: sources::ALL,
                backend_entries: &backend_entries,
            };
            // A complete id is found without a search.
            if let Some(story) = reader.deployment_story(&id, context)? {
                return Ok(DeploymentStoryLookup::Story(Box::new(story)));
            }
            let mut found = reader.find_deployments(&id, MAX_LISTED_IDS)?;
            if found.is_empty() {
                found = reader.find_deployments_of_commit(&id, MAX_LISTED_IDS)?;
            }
            let story = match found.as_slice() {
                [only] => reader.deployment_story(&only.id, context)?,
                [] => None,
                _ => {
                    let ids = found.into_iter().map(|found| found.id).collect();
                    return Ok(DeploymentStoryLookup::Several(ids));
                }
            };
            Ok(story.map_or(DeploymentStoryLookup::Unknown, |story| {
                DeploymentStoryLookup::Story(Box::new(story))
            }))
        });
        read.await
    }
}
