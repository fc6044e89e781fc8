//! The Datadog-compatible DORA event API, first half: failures.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::answer::{CloseConnection, RETRY_AFTER_SECONDS, in_time};
use super::body::{BodyBudget, BodyError};
use crate::clock::Clock;
use crate::domain::id::FailureId;
use crate::domain::submission::Submission;
use crate::domain::timestamp::Timestamp;
use crate::store::{Store, StoreError, Submitted};

/// Datadog: `custom_tags`, up to 100.
const MOST_TAGS: usize = 100;

/// What the event API's handlers use.
pub struct EventsApi {
    store: Store,
    budget: BodyBudget,
    clock: Arc<dyn Clock>,
    default_env: String,
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
        default_env: String,
    ) -> Option<Self> {
        let keys: Vec<_> = keys.iter().map(|key| Sha256::digest(key.expose_secret()).into()).collect();
        (!keys.is_empty()).then_some(Self { store, budget, clock, default_env, keys })
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
        tracing::warn!(%error, "a failure sent to the event API could not be kept");
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

/// `DELETE /api/v2/dora/failure/{id}`: 202 as well where there is nothing (any more), so that it can be repeated.
pub(super) async fn withdraw(
    State(api): State<Arc<EventsApi>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match api.withdraw(&id, &headers).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(refused) => refused.into_response(),
    }
}

impl EventsApi {
    async fn submit(&self, request: Request) -> Result<FailureId, Refused> {
        if !self.admits(request.headers()) {
            return Err(Refused::Forbidden);
        }
        let body = self.budget.read(request.into_body()).await.map_err(|error| match error {
            BodyError::TooLarge => Refused::TooLarge,
            BodyError::Incomplete => Refused::Incomplete,
            BodyError::NoRoom => Refused::Unavailable,
        })?;
        let submission =
            parse(body.as_ref(), &self.default_env, self.clock.now()).map_err(Refused::Invalid)?;
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
        let id = FailureId::parse(id).ok_or_else(|| Refused::Invalid(BAD_ID.to_owned()))?;
        match in_time(self.store.delete(id.clone(), self.clock.now())).await? {
            Submitted::IncidentsOwn => Err(incidents_own(&id)),
            Submitted::Done | Submitted::NotFound => Ok(()),
        }
    }
}

fn incidents_own(id: &FailureId) -> Refused {
    Refused::Invalid(format!("attribute \"id\": {id} is a PagerDuty incident that is followed here"))
}

const BAD_ID: &str = "attribute \"id\" must be 16-128 characters and contain only alphanumeric characters, \
                      hyphens, underscores, periods, and colons";

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    id: Option<String>,
    services: Option<Vec<String>>,
    team: Option<String>,
    env: Option<String>,
    started_at: Time,
    finished_at: Option<Time>,
    name: Option<String>,
    severity: Option<String>,
    version: Option<String>,
    git: Option<Git>,
    custom_tags: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Git {
    repository_url: String,
    commit_sha: String,
}

/// Seconds, milliseconds or nanoseconds, or RFC 3339.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a time: an integer of seconds, milliseconds or nanoseconds, or RFC 3339"
)]
enum Time {
    Unix(i64),
    Text(String),
}

impl Time {
    fn at(&self, attribute: &str) -> Result<Timestamp, String> {
        let time = match self {
            Self::Unix(number) => Timestamp::from_unix(*number),
            Self::Text(text) => Timestamp::parse(text),
        };
        time.map_err(|error| format!("attribute \"{attribute}\" {error}"))
    }
}

/// Checks what was sent against Datadog's own limits.
fn parse(body: &[u8], default_env: &str, received_at: Timestamp) -> Result<Submission, String> {
    let Envelope { data: Data { attributes } } = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let named = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let services: Vec<String> =
        attributes.services.unwrap_or_default().into_iter().filter(|name| !name.trim().is_empty()).collect();
    let team = named(attributes.team);
    if services.is_empty() && team.is_none() {
        return Err("one of the attributes \"services\" and \"team\" is required".to_owned());
    }
    let tags = attributes.custom_tags.unwrap_or_default();
    if tags.len() > MOST_TAGS {
        return Err("attribute \"custom_tags\" must have at most 100 tags".to_owned());
    }
    let (commit_sha, repository_url) = match attributes.git {
        Some(git) if !is_full_sha(&git.commit_sha) => {
            return Err("attribute \"git.commit_sha\" must be a full commit SHA".to_owned());
        }
        git => git.map(|git| (git.commit_sha, git.repository_url)).unzip(),
    };
    let env = named(attributes.env).unwrap_or_else(|| default_env.to_owned());
    let started_at = attributes.started_at.at("started_at")?;
    let id = match attributes.id {
        Some(id) => FailureId::parse(&id).ok_or(BAD_ID)?,
        None => made_up_id(&env, &services, team.as_deref(), started_at),
    };
    let finished_at = attributes.finished_at.map(|time| time.at("finished_at")).transpose()?;
    Ok(Submission {
        id,
        services,
        team,
        env,
        started_at,
        finished_at,
        name: attributes.name,
        severity: named(attributes.severity),
        version: named(attributes.version),
        commit_sha,
        repository_url,
        tags,
        in_the_future: started_at.max(finished_at.unwrap_or(started_at)).is_ahead_of(received_at),
    })
}

/// Datadog: `^[a-fA-F0-9]{40,}$`.
fn is_full_sha(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without an id, the same env, services, team and start are the same failure: the id is made of them.
fn made_up_id(env: &str, services: &[String], team: Option<&str>, started_at: Timestamp) -> FailureId {
    let mut sorted: Vec<&String> = services.iter().collect();
    sorted.sort();
    let content = json!([env, sorted, team, started_at.as_nanos()]).to_string();
    let mut id = String::from("api:");
    for byte in &Sha256::digest(content)[..16] {
        let _ = write!(id, "{byte:02x}");
    }
    #[expect(clippy::expect_used, reason = "36 characters of [a-f0-9:]")]
    FailureId::parse(&id).expect("a well-formed id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Flag;
    use crate::domain::policy::Policy;

    fn sent(attributes: &serde_json::Value) -> Result<Submission, String> {
        parse(json!({ "data": { "attributes": attributes } }).to_string().as_bytes(), "production", now())
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-20T00:00:00Z").unwrap()
    }

    #[test]
    fn rule_14_holds_here_as_well() {
        let flags = |started_at, finished_at| {
            let times = json!({ "team": "a", "started_at": started_at, "finished_at": finished_at });
            sent(&times).unwrap().evaluate(&Policy::default()).failure.flags
        };
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-20T00:04:00Z"), []);
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-18T00:00:00Z"), [Flag::EndBeforeStart]);
        assert_eq!(flags("2026-11-19T00:00:00Z", "2026-11-20T00:06:00Z"), [Flag::InTheFuture]);
    }

    #[test]
    fn times_of_every_unit_are_the_same_failure() {
        let started = |time: serde_json::Value| sent(&json!({ "team": "a", "started_at": time })).unwrap();
        let id = started(json!("2026-11-01T10:00:00Z")).id;
        for time in [1_793_527_200_i64, 1_793_527_200_000, 1_793_527_200_000_000_000] {
            assert_eq!(started(json!(time)).id, id, "{time}");
        }
        assert_ne!(started(json!(1_793_527_201)).id, id);
    }

    #[test]
    fn without_an_id_the_order_of_services_does_not_matter() {
        let with = |services: [&str; 2]| sent(&json!({ "services": services, "started_at": 1_793_527_200 }));
        assert_eq!(with(["a", "b"]).unwrap().id, with(["b", "a"]).unwrap().id);
    }

    #[test]
    fn datadogs_limits_hold() {
        let refused = [
            json!({ "started_at": 1_793_527_200 }),
            json!({ "services": [" "], "started_at": 1_793_527_200 }),
            json!({ "team": "a" }),
            json!({ "team": "a", "started_at": 17 }),
            json!({ "team": "a", "started_at": 1.5 }),
            json!({ "team": "a", "started_at": "today" }),
            json!({ "team": "a", "started_at": 1_793_527_200, "finished_at": -1 }),
            json!({ "team": "a", "started_at": 1_793_527_200, "id": "short" }),
            json!({ "team": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x", "commit_sha": "abc" } }),
            json!({ "team": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x" } }),
            json!({ "team": "a", "started_at": 1_793_527_200,
                    "custom_tags": (0..101).map(|n| format!("k:{n}")).collect::<Vec<_>>() }),
        ];
        let told: Vec<String> = refused.iter().map(|attributes| sent(attributes).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"));
        for body in ["", "{}", "[]", "{\"data\":1}", "\u{0}"] {
            assert!(parse(body.as_bytes(), "production", now()).is_err(), "{body}");
        }
    }
}
