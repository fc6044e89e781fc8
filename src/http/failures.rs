//! `GET /api/v1/failures`, and the story of one failure.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::failure_json::{FailurePageJson, StoryJson};
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time};
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::domain::failure::FailureState;
use crate::domain::forwarding::BackendEntry;
use crate::domain::name::{name, named};
use crate::domain::policy::Policy;
use crate::sources;
use crate::store::{FailureFilter, FoundKind, Story, StoryContext};

/// Answer to an unknown id.
pub(super) const UNKNOWN_FAILURE: &str = "No failure with this id is known.";
/// Maximum number of ids that the answer to an ambiguous id lists.
const MAX_LISTED_IDS: u32 = 10;

/// Parts for looking up failures.
pub(super) struct FailureLookup {
    /// Reads failures and their stories.
    pub(super) reads: StoreReads,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    pub(super) timezone: TimeZone,
    /// Policy of the present configuration.
    pub(super) policy: Arc<Policy>,
    /// Configured backends.
    pub(super) backend_entries: Arc<[BackendEntry]>,
}

/// Query with the options of `failures`.
pub(super) struct FailuresQuery {
    state: Option<FailureState>,
    service: Option<String>,
    team: Option<String>,
    env: Option<String>,
    severity: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: usize,
    cursor: Option<String>,
}

impl FromQuery for FailuresQuery {
    const NAMES: &'static [&'static str] =
        &["state", "service", "team", "env", "severity", "since", "until", "limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            state: parameters.word("state", FailureState::ALL, FailureState::as_str)?,
            service: parameters.text("service"),
            team: parameters.text("team"),
            env: parameters.env(),
            severity: parameters.text("severity"),
            since: parameters.text("since"),
            until: parameters.text("until"),
            limit: parameters.limit()?,
            cursor: parameters.text("cursor"),
        })
    }
}

/// `GET /api/v1/failures`.
pub(super) async fn list(
    State(failures): State<Arc<FailureLookup>>,
    TypedQuery(query): TypedQuery<FailuresQuery>,
) -> Result<Response, ApiError> {
    let [since, until] = [&query.since, &query.until].map(|time| time.as_deref().and_then(name));
    let filter = FailureFilter {
        state: query.state,
        service: named(query.service),
        team: named(query.team),
        env: query.env,
        severity: named(query.severity),
        since: parse_time("since", since, failures.clock.now(), &failures.timezone)?,
        until: parse_time("until", until, failures.clock.now(), &failures.timezone)?,
        limit: query.limit,
        cursor: named(query.cursor),
    };
    let page = failures.reads.read(move |reader| reader.failures(&filter)).await?;
    Ok(Json(FailurePageJson::from(&page)).into_response())
}

/// `GET /api/v1/failures/{id}`, the counterpart of `explain`.
pub(super) async fn one(
    State(failures): State<Arc<FailureLookup>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::not_found(UNKNOWN_FAILURE)) };
    match failures.story(id).await? {
        StoryLookup::Story(story) => Ok(Json(StoryJson::from(&*story)).into_response()),
        StoryLookup::Unknown => Err(ApiError::not_found(UNKNOWN_FAILURE)),
        StoryLookup::Several(ids) => {
            let ids = ids.join(", ");
            Err(ApiError::not_found(format_args!(
                "Several failures match this id: {ids}. Use a longer part of the id."
            )))
        }
    }
}

/// Result of looking up a failure by its id or a part of it.
pub(super) enum StoryLookup {
    /// One failure matches.
    Story(Box<Story>),
    /// No failure matches.
    Unknown,
    /// These failures match. At most ten ids are listed.
    Several(Vec<String>),
}

impl FailureLookup {
    /// Story of a failure. As for `explain`, `id` is the id of the failure or of the incident, or a unique beginning of
    /// one of them. Letter case does not matter.
    pub(super) async fn story(&self, id: String) -> Result<StoryLookup, ApiError> {
        let (policy, backend_entries) = (Arc::clone(&self.policy), Arc::clone(&self.backend_entries));
        let now = self.clock.now();
        let read = self.reads.read(move |reader| {
            let context = StoryContext {
                policy: &policy,
                backend_entries: &backend_entries,
                now,
                sources: sources::ALL,
            };
            // A complete id is found without a search through all ids.
            if let Some(story) = reader.story(&id, context)? {
                return Ok(StoryLookup::Story(Box::new(story)));
            }
            let mut found = reader.find(&id, sources::ALL, MAX_LISTED_IDS)?;
            found.retain(|found| found.kind == FoundKind::Failure);
            let story = match found.as_slice() {
                [only] => reader.story(&only.id, context)?,
                [] => None,
                _ => return Ok(StoryLookup::Several(found.into_iter().map(|found| found.id).collect())),
            };
            Ok(story.map_or(StoryLookup::Unknown, |story| StoryLookup::Story(Box::new(story))))
        });
        read.await
    }
}
