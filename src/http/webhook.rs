//! `POST {pagerduty.path}`: what is signed is kept, and answered once the disk has it.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::{CloseConnection, in_time, refusal};
use super::body::{BodyBudget, BodyError, LARGEST_BODY_BYTES};
use crate::clock::Clock;
use crate::config::Unverified;
use crate::domain::event::Heading;
use crate::pagerduty::payload::{self, NotUnderstood};
use crate::pagerduty::signature::{SIGNATURE_HEADER, SignatureError, SigningSecrets};
use crate::store::{Delivery, Recorded, Store, StoreError};
use crate::telemetry::log_limit::LogLimit;
use crate::telemetry::metrics::Metrics;

/// What the webhook's handler uses.
pub struct Intake {
    /// Where events go.
    pub store: Store,
    /// What they may be signed with.
    pub secrets: SigningSecrets,
    /// What is answered where they are not.
    pub unverified: Unverified,
    /// The room for bodies.
    pub budget: BodyBudget,
    /// When they are received.
    pub clock: Arc<dyn Clock>,
    /// Who counts them.
    pub metrics: Arc<Metrics>,
}

/// A delivery whose bytes were signed, and its heading. Behind it nobody sees the request.
pub(super) struct Signed {
    delivery: Delivery,
    heading: Result<Heading, NotUnderstood>,
}

/// Why a request is refused, before its body is parsed.
pub(super) enum Refused {
    Body(BodyError),
    Encoding,
    Signature { error: SignatureError, is_legacy: bool, may_retry: bool },
}

pub(super) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    // The rest of the request is let go of at once: a thousand connections may wait for their bodies.
    let (Parts { headers, .. }, body) = request.into_parts();
    let signed = match Signed::read(headers, body, &intake).await {
        Ok(signed) => signed,
        Err(refused) => {
            intake.metrics.answered(refused.as_str());
            return refused.into_response();
        }
    };
    match intake.keep(signed).await {
        Ok(recorded) => {
            intake.metrics.answered(recorded.as_str());
            accepted(recorded)
        }
        Err(error) => {
            intake.metrics.answered("unavailable");
            say_that_put_off(&error);
            let detail = "The event could not be stored just now; send it again.";
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }
}

/// The store itself says that it cannot commit, and how many webhooks that concerns.
fn say_that_put_off(error: &StoreError) {
    static LINES: LazyLock<LogLimit> = LazyLock::new(LogLimit::default);
    if matches!(error, StoreError::NotCommitted(_)) {
        return;
    }
    if let Some(held_back) = LINES.pass(Instant::now()) {
        tracing::warn!(%error, held_back, "a webhook could not be kept: PagerDuty sends it again for 48 hours");
    }
}

impl Intake {
    /// Has the store keep it; `Ok` means that the disk has it.
    async fn keep(&self, Signed { delivery, heading }: Signed) -> Result<Recorded, StoreError> {
        let received_at = delivery.received_at;
        let occurred_at = heading.as_ref().ok().map(|heading| heading.occurred_at);
        // Where this gives up waiting, the event may be kept all the same; the resend will be a duplicate.
        let recorded = match heading {
            Ok(heading) => in_time(self.store.record(heading, delivery)).await?,
            Err(reason) => in_time(self.store.quarantine(reason.to_string(), delivery)).await?,
        };
        if let (Recorded::Accepted, Some(occurred_at)) = (recorded, occurred_at) {
            self.metrics.lagged(occurred_at, received_at);
        }
        Ok(recorded)
    }
}

impl Signed {
    async fn read(headers: HeaderMap, body: Body, intake: &Intake) -> Result<Self, Refused> {
        if wont_be_read(&headers) {
            return Err(Refused::Body(BodyError::TooLarge));
        }
        let body = intake.budget.read(body).await.map_err(Refused::Body)?;
        if !is_identity(&headers) {
            return Err(Refused::Encoding);
        }
        let lines = headers.get_all(SIGNATURE_HEADER).iter().map(HeaderValue::as_bytes);
        let verified = intake.secrets.verify(lines, &body).map_err(|error| Refused::Signature {
            error,
            is_legacy: error == SignatureError::Missing && crate::pagerduty::looks_like_legacy(body.as_ref()),
            may_retry: error == SignatureError::Mismatch && intake.unverified == Unverified::Retry,
        })?;
        let heading = payload::heading(verified.into_inner().as_ref());
        let (bytes, reservation) = body.into_parts();
        let id = headers.get("x-webhook-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let delivery = Delivery { id, received_at: intake.clock.now(), body: bytes, reservation };
        Ok(Self { delivery, heading })
    }
}

/// The answer once the disk has it: there are four, so none has to be put together.
fn accepted(recorded: Recorded) -> Response {
    let body = match recorded {
        Recorded::Accepted => r#"{"status":"accepted"}"#,
        Recorded::Duplicate => r#"{"status":"duplicate"}"#,
        Recorded::Ignored => r#"{"status":"ignored"}"#,
        Recorded::Quarantined => r#"{"status":"quarantined"}"#,
    };
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A sender that asks first (`Expect: 100-continue`) is told before it sends what is too large.
fn wont_be_read(headers: &HeaderMap) -> bool {
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    headers.contains_key("expect") && length.is_some_and(|length| length > LARGEST_BODY_BYTES as u64)
}

fn is_identity(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

impl Refused {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Body(BodyError::TooLarge) => "too_large",
            Self::Body(BodyError::Incomplete) => "incomplete",
            Self::Body(BodyError::NoRoom) => "unavailable",
            Self::Encoding => "unsupported_encoding",
            Self::Signature { may_retry: true, .. } => "unverified_retry",
            Self::Signature { .. } => "unverified",
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let label = self.as_str();
        match self {
            Self::Body(BodyError::Incomplete) => CloseConnection.into_response(),
            Self::Body(BodyError::TooLarge) => {
                refusal(StatusCode::PAYLOAD_TOO_LARGE, label, "A body may have at most 512 KiB.")
            }
            Self::Body(BodyError::NoRoom) => {
                let detail = "Too many large bodies are being received; send it again.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, label, detail)
            }
            Self::Encoding => {
                let detail = "The body must be sent as it is, without a Content-Encoding.";
                refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, label, detail)
            }
            Self::Signature { is_legacy: true, .. } => {
                let detail =
                    "This is a V1 or V2 webhook, which is not signed: create a V3 webhook subscription.";
                refusal(StatusCode::UNAUTHORIZED, label, detail)
            }
            Self::Signature { error, may_retry, .. } => {
                let status =
                    if may_retry { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNAUTHORIZED };
                refusal(status, label, sentence(error))
            }
        }
    }
}

/// An error's words as a sentence.
fn sentence(error: SignatureError) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}
