//! The Datadog-compatible DORA event API: failures and deployments.

mod attributes;
mod deployment;
mod failure;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::answer::{CloseConnection, RETRY_AFTER_SECONDS, in_time};
use super::body::{BodyBudget, BodyError, HeldBody};
use crate::clock::Clock;
use crate::domain::id::{DeploymentId, FailureId};
use crate::domain::policy::Policy;
use crate::store::{Store, StoreError, Submitted};

/// What the event API's handlers use.
pub struct EventsApi {
    store: Store,
    budget: BodyBudget,
    clock: Arc<dyn Clock>,
    policy: Arc<Policy>,
    /// Digests of the keys: comparing those tells nothing of how much of a key was right.
    keys: Vec<[u8; 32]>,
}

impl EventsApi {
    /// `None` without keys: the API is off.
    pub fn new(
        keys: &[SecretString],
        store: Store,
        budget: BodyBudget,
        clock: Arc<dyn Clock>,
        policy: Arc<Policy>,
    ) -> Option<Self> {
        let keys: Vec<_> = keys.iter().map(|key| Sha256::digest(key.expose_secret()).into()).collect();
        (!keys.is_empty()).then_some(Self { store, budget, clock, policy, keys })
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(key) = headers.get("dd-api-key") else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        self.keys.iter().filter(|known| **known == digest).count() > 0
    }
}

/// Why a request is refused, in Datadog's words.
enum Refused {
    Forbidden,
    Incomplete,
    TooLarge,
    Unavailable,
    Invalid(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let plain = |status, error: &str| (status, Json(json!({ "errors": [error] }))).into_response();
        match self {
            Self::Incomplete => CloseConnection.into_response(),
            Self::Forbidden => plain(StatusCode::FORBIDDEN, "Forbidden"),
            Self::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large"),
            Self::Unavailable => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
                response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
                response
            }
            Self::Invalid(detail) => {
                let error = json!({ "status": "400", "title": "Bad Request", "detail": detail });
                (StatusCode::BAD_REQUEST, Json(json!({ "errors": [error] }))).into_response()
            }
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "what was sent to the event API could not be kept");
        Self::Unavailable
    }
}

/// `POST /api/v2/dora/failure`, and `/incident`, its older name.
pub(super) async fn submit(State(api): State<Arc<EventsApi>>, request: Request) -> Response {
    match api.submit(request).await {
        Ok(id) => Json(json!({ "data": { "id": id, "type": "dora_failure" } })).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `POST /api/v2/dora/deployment`.
pub(super) async fn deploy(State(api): State<Arc<EventsApi>>, request: Request) -> Response {
    match api.deploy(request).await {
        Ok(id) => Json(json!({ "data": { "id": id, "type": "dora_deployment" } })).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `DELETE /api/v2/dora/failure/{id}`: 202 as well where there is nothing (any more), so that it can be repeated.
pub(super) async fn withdraw(
    State(api): State<Arc<EventsApi>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    // What is not UTF-8 is not an id, and is refused like any other text that is none.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    match api.withdraw(&id, &headers).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(refused) => refused.into_response(),
    }
}

impl EventsApi {
    /// The body of a request with a key that is known.
    async fn read(&self, request: Request) -> Result<HeldBody, Refused> {
        if !self.admits(request.headers()) {
            return Err(Refused::Forbidden);
        }
        self.budget.read(request.into_body()).await.map_err(|error| match error {
            BodyError::TooLarge => Refused::TooLarge,
            BodyError::Incomplete => Refused::Incomplete,
            BodyError::NoRoom => Refused::Unavailable,
        })
    }

    async fn deploy(&self, request: Request) -> Result<DeploymentId, Refused> {
        let body = self.read(request).await?;
        let deployment = deployment::parse(body.as_ref(), &self.policy).map_err(Refused::Invalid)?;
        let id = deployment.id.clone();
        in_time(self.store.deploy(deployment, self.clock.now())).await?;
        Ok(id)
    }

    async fn submit(&self, request: Request) -> Result<FailureId, Refused> {
        let body = self.read(request).await?;
        let submission = failure::parse(body.as_ref(), &self.policy.default_env, self.clock.now())
            .map_err(Refused::Invalid)?;
        let id = submission.id.clone();
        match in_time(self.store.submit(submission, self.clock.now())).await? {
            Submitted::IncidentsOwn => Err(incidents_own(&id)),
            Submitted::Done | Submitted::NotFound => Ok(id),
        }
    }

    async fn withdraw(&self, id: &str, headers: &HeaderMap) -> Result<(), Refused> {
        if !self.admits(headers) {
            return Err(Refused::Forbidden);
        }
        let id = FailureId::parse(id).ok_or_else(|| Refused::Invalid(attributes::BAD_ID.to_owned()))?;
        match in_time(self.store.delete(id.clone(), self.clock.now())).await? {
            Submitted::IncidentsOwn => Err(incidents_own(&id)),
            Submitted::Done | Submitted::NotFound => Ok(()),
        }
    }
}

fn incidents_own(id: &FailureId) -> Refused {
    Refused::Invalid(format!("attribute \"id\": {id} is a PagerDuty incident that is followed here"))
}
