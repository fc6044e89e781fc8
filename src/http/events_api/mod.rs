//! The Datadog-compatible DORA event API: failures and deployments.

mod attributes;
mod deployment;
mod failure;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::answer::{CloseConnection, in_time};
use super::api_error::ApiError;
use super::body::{BodyError, HeldBody};
use super::budget::BodyBudget;
use super::connection::Peer;
use super::requests::Requests;
use crate::clock::Clock;
use crate::domain::id::{DeploymentId, FailureId};
use crate::domain::policy::Policy;
use crate::sources;
use crate::store::{Store, StoreError, Submitted};
use crate::telemetry::intake::{EventsApiKind, EventsApiStatus};

/// State of the event API's handlers.
pub struct EventsApi {
    /// Store of failures and deployments.
    pub store: Store,
    /// Memory budget of bodies.
    pub budget: BodyBudget,
    /// Clock for the time of receipt.
    pub clock: Arc<dyn Clock>,
    /// Policy, which has the default env and the teams of services.
    pub policy: Arc<Policy>,
    /// Counts and remembers the answers.
    pub requests: Arc<Requests>,
    /// Keys. A request must have one of them. Without keys the API is off.
    pub keys: Keys,
}

/// Digests of the keys. Comparing digests does not reveal how much of a guess was right.
pub struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// Digests of `keys`.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a SecretString>) -> Self {
        Self(keys.into_iter().map(|key| Sha256::digest(key.expose_secret()).into()).collect())
    }
}

impl EventsApi {
    /// Checks that a request has a known key.
    fn admit(&self, headers: &HeaderMap) -> Result<(), EventsApiRefusal> {
        if self.keys.0.is_empty() {
            return Err(EventsApiRefusal::Off);
        }
        let key = headers.get("dd-api-key").ok_or(EventsApiRefusal::Forbidden)?;
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let matching = self.keys.0.iter().filter(|known| **known == digest).count();
        if matching > 0 { Ok(()) } else { Err(EventsApiRefusal::Forbidden) }
    }

    /// Counts an answer and returns it.
    fn answer(
        &self,
        kind: EventsApiKind,
        peer: Option<Peer>,
        answer: Result<impl IntoResponse, EventsApiRefusal>,
    ) -> Response {
        let status = answer.as_ref().map_or_else(EventsApiRefusal::status, |_| EventsApiStatus::Accepted);
        let reason = answer.as_ref().err().map(EventsApiRefusal::reason).unwrap_or_default();
        self.requests.events_api_request(kind, status, reason, peer);
        answer.into_response()
    }
}

/// Reason why a request is refused. The answers have the texts of Datadog's API.
enum EventsApiRefusal {
    Off,
    Forbidden,
    Incomplete,
    TooLarge,
    /// The reason is for the log.
    Unavailable(String),
    Invalid(String),
}

impl EventsApiRefusal {
    /// The value of the metric's label.
    fn status(&self) -> EventsApiStatus {
        match self {
            Self::Off => EventsApiStatus::Off,
            Self::Forbidden => EventsApiStatus::Forbidden,
            Self::Incomplete => EventsApiStatus::Incomplete,
            Self::TooLarge => EventsApiStatus::TooLarge,
            Self::Unavailable(_) => EventsApiStatus::Unavailable,
            Self::Invalid(_) => EventsApiStatus::Invalid,
        }
    }

    /// Reason that differs from request to request, for the log. Empty if the status says it all.
    fn reason(&self) -> &str {
        match self {
            Self::Unavailable(reason) | Self::Invalid(reason) => reason,
            Self::TooLarge => "the body is larger than 512 KiB",
            Self::Off | Self::Forbidden | Self::Incomplete => "",
        }
    }
}

impl IntoResponse for EventsApiRefusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Incomplete => return CloseConnection.into_response(),
            Self::Off => (StatusCode::NOT_FOUND, json!("the event API is off: set [events_api] keys")),
            Self::Forbidden => (StatusCode::FORBIDDEN, json!("Forbidden")),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, json!("Payload Too Large")),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, json!("Service Unavailable")),
            Self::Invalid(detail) => {
                let error = json!({ "status": "400", "title": "Bad Request", "detail": detail });
                (StatusCode::BAD_REQUEST, error)
            }
        };
        ApiError::of_datadog(status, error).into_response()
    }
}

impl From<StoreError> for EventsApiRefusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// `POST /api/v2/dora/failure`, and `/incident`, its older name.
pub(super) async fn submit(State(api): State<Arc<EventsApi>>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let submitted = api.submit(request).await.inspect(|id| tracing::debug!(%id, "a failure was accepted"));
    let body = submitted.map(|id| Json(json!({ "data": { "id": id, "type": "dora_failure" } })));
    api.answer(EventsApiKind::Failure, peer, body)
}

/// `POST /api/v2/dora/deployment`.
pub(super) async fn record_deployment(State(api): State<Arc<EventsApi>>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let deployed =
        api.record_deployment(request).await.inspect(|id| tracing::debug!(%id, "a deployment was accepted"));
    let body = deployed.map(|id| Json(json!({ "data": { "id": id, "type": "dora_deployment" } })));
    api.answer(EventsApiKind::Deployment, peer, body)
}

/// `DELETE /api/v2/dora/failure/{id}`: also 202 if there is no such failure, so that the request can be repeated.
pub(super) async fn withdraw(
    State(api): State<Arc<EventsApi>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    // An id that is not UTF-8 is refused like any other invalid id.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let withdrawn = api.withdraw(&id, request.headers()).await;
    let body =
        withdrawn.inspect(|()| tracing::debug!(id, "a failure was withdrawn")).map(|()| StatusCode::ACCEPTED);
    api.answer(EventsApiKind::Withdrawal, peer, body)
}

impl EventsApi {
    /// Reads the body of a request with a known key.
    async fn read(&self, request: Request) -> Result<HeldBody, EventsApiRefusal> {
        self.admit(request.headers())?;
        self.budget.read(request.into_body()).await.map_err(|error| match error {
            BodyError::TooLarge => EventsApiRefusal::TooLarge,
            BodyError::Incomplete => EventsApiRefusal::Incomplete,
            BodyError::NoRoom => {
                EventsApiRefusal::Unavailable("too many large bodies are being received at once".to_owned())
            }
        })
    }

    async fn record_deployment(&self, request: Request) -> Result<DeploymentId, EventsApiRefusal> {
        let body = self.read(request).await?;
        let deployment = deployment::parse(body.as_ref(), &self.policy, self.clock.now())
            .map_err(EventsApiRefusal::Invalid)?;
        let id = deployment.id.clone();
        in_time(self.store.record_deployment(deployment, self.clock.now())).await?;
        Ok(id)
    }

    async fn submit(&self, request: Request) -> Result<FailureId, EventsApiRefusal> {
        let body = self.read(request).await?;
        let submission = failure::parse(body.as_ref(), &self.policy.default_env, self.clock.now())
            .map_err(EventsApiRefusal::Invalid)?;
        let id = submission.id.clone();
        match in_time(self.store.submit(submission, self.clock.now())).await? {
            Submitted::BelongsToIncident => Err(belongs_to_incident(&id)),
            Submitted::Done | Submitted::NotFound => Ok(id),
        }
    }

    async fn withdraw(&self, id: &str, headers: &HeaderMap) -> Result<(), EventsApiRefusal> {
        self.admit(headers)?;
        let id =
            FailureId::parse(id).ok_or_else(|| EventsApiRefusal::Invalid(attributes::BAD_ID.to_owned()))?;
        match in_time(self.store.delete(id.clone(), self.clock.now())).await? {
            Submitted::BelongsToIncident => Err(belongs_to_incident(&id)),
            Submitted::Done | Submitted::NotFound => Ok(()),
        }
    }
}

fn belongs_to_incident(id: &FailureId) -> EventsApiRefusal {
    let source = sources::ALL.of_failure(id.as_str());
    let incident =
        source.map_or_else(|| "an".to_owned(), |(source, _)| format!("a {}", source.title)) + " incident";
    EventsApiRefusal::Invalid(format!(
        "attribute \"id\": {id} is {incident}, which the event API cannot change"
    ))
}
