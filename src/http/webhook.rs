//! `POST` to the path of a source. A signed webhook is stored, and answered once it is on disk.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::{CloseConnection, in_time};
use super::api_error::ApiError;
use super::body::{BodyError, LARGEST_BODY_BYTES};
use super::budget::BodyBudget;
use super::connection::Peer;
use super::refused::{UNAVAILABLE, error};
use super::source_requests::SourceRequests;
use crate::clock::Clock;
use crate::domain::event::Heading;
use crate::domain::printable::printable;
use crate::sources::{RefusalReason, RefusalText, SignatureError, Webhooks};
use crate::store::{Delivery, Recorded, Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// State of the handler of a source's webhooks.
pub struct WebhookIntake {
    /// Store of events.
    pub store: Store,
    /// Memory budget of bodies.
    pub budget: BodyBudget,
    /// Clock for the time of receipt.
    pub clock: Arc<dyn Clock>,
    /// Metrics, for the time from an event to its receipt.
    pub metrics: Arc<Metrics>,
    /// Source of the webhooks, which also counts and remembers the answers.
    pub source: Arc<SourceRequests>,
}

/// A delivery with a valid signature, and its heading. Later stages do not see the request.
pub(super) struct Signed {
    delivery: Delivery,
    heading: Result<Heading, String>,
}

/// Reason why a request is refused before its body is parsed.
pub(super) enum WebhookRefusal {
    For(RefusalReason),
    /// The body was not complete in time. There is no answer.
    Incomplete,
    /// Too many large bodies are being received or stored.
    NoRoom,
}

pub(super) async fn receive(State(intake): State<Arc<WebhookIntake>>, request: Request) -> Response {
    // The rest of the request is dropped early to save memory: a thousand connections may wait for their bodies.
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let peer = extensions.get::<Peer>().copied();
    drop(extensions);
    let signed = match Signed::read(headers, body, &intake).await {
        Ok(signed) => signed,
        Err(refused) => {
            match refused {
                WebhookRefusal::For(reason) => intake.source.refused(reason, peer),
                WebhookRefusal::Incomplete => intake.source.cut_off(peer),
                WebhookRefusal::NoRoom => intake.source.without_room(peer),
            }
            return refused.answer(&intake.source.webhooks);
        }
    };
    let received_at = signed.delivery.received_at;
    let test = signed.heading.as_ref().ok().filter(|heading| heading.is_test);
    let test = test.map(|heading| heading.event_type.to_string());
    let advice = signed.advice(&intake.source.webhooks);
    let log_fields = tracing::enabled!(tracing::Level::DEBUG).then(|| signed.names());
    match intake.keep(signed).await {
        Ok(recorded) => {
            intake.source.accepted(recorded.as_str(), test, received_at);
            if let Some(advice) = advice.filter(|_| recorded == Recorded::Ignored) {
                tracing::warn!("{advice}");
            }
            if let Some((event, event_type, about)) = log_fields {
                tracing::debug!(
                    event,
                    event_type,
                    about,
                    status = recorded.as_str(),
                    "a webhook was accepted"
                );
            }
            accepted(recorded)
        }
        Err(error) => {
            intake.source.not_stored(UNAVAILABLE);
            if !matches!(error, StoreError::NotCommitted(_)) {
                // If the store cannot commit, the store itself logs that, with the number of webhooks.
                intake.store.count_late_webhook();
                intake.source.log_not_stored(&error);
            }
            let detail = "The event could not be stored now; send it again.";
            ApiError::unavailable(detail).into_response()
        }
    }
}

impl WebhookIntake {
    /// Stores the delivery. `Ok` means that it is on disk.
    async fn keep(&self, Signed { delivery, heading }: Signed) -> Result<Recorded, StoreError> {
        let received_at = delivery.received_at;
        let occurred_at = heading.as_ref().ok().and_then(|heading| heading.occurred_at);
        // After a timeout the event may still be stored. Then the resent event is a duplicate.
        let recorded = match heading {
            Ok(heading) => in_time(self.store.record(heading, delivery)).await?,
            Err(reason) => in_time(self.store.quarantine(reason, delivery)).await?,
        };
        if let (Recorded::Accepted | Recorded::AcceptedWithPlaceholderTime, Some(occurred_at)) =
            (recorded, occurred_at)
        {
            self.metrics.observe_lag(occurred_at, received_at);
        }
        Ok(recorded)
    }
}

impl Signed {
    async fn read(headers: HeaderMap, body: Body, intake: &WebhookIntake) -> Result<Self, WebhookRefusal> {
        if announces_too_large_body(&headers) {
            return Err(WebhookRefusal::For(RefusalReason::TooLarge));
        }
        let body = intake.budget.read(body).await?;
        if !is_identity(&headers) {
            return Err(WebhookRefusal::For(RefusalReason::Encoding));
        }
        let webhooks = &intake.source.webhooks;
        let verified = webhooks.verify(&headers, &body).map_err(|unverified| {
            WebhookRefusal::For(match unverified {
                SignatureError::Missing => RefusalReason::NoSignature,
                SignatureError::Legacy => RefusalReason::Legacy,
                SignatureError::Malformed => RefusalReason::MalformedSignature,
                SignatureError::Mismatch if webhooks.retry_unverified => RefusalReason::UnverifiedRetry,
                SignatureError::Mismatch => RefusalReason::WrongSignature,
            })
        })?;
        let heading = webhooks.heading(&verified);
        let (bytes, reservation) = body.into_parts();
        let id = headers.get(webhooks.delivery_id_header).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let (source, received_at) = (webhooks.source, intake.clock.now());
        let delivery = Delivery { source, id, received_at, body: bytes, reservation };
        Ok(Self { delivery, heading })
    }

    /// Advice about the set-up of the webhook, if this is a test event.
    fn advice(&self, webhooks: &Webhooks) -> Option<String> {
        self.heading.as_ref().ok().filter(|heading| heading.is_test)?;
        (webhooks.advice_after_test)(&self.delivery.body)
    }

    /// Event id, event type, and incident or deployment, for the log.
    fn names(&self) -> (String, String, Option<String>) {
        let text = |text: &str| printable(text);
        match &self.heading {
            Ok(heading) => {
                let about = heading.subject.as_ref().map(|subject| text(&subject.to_string()));
                (text(&heading.id), text(&heading.event_type), about)
            }
            Err(_) => (String::new(), String::new(), None),
        }
    }
}

/// Answer to a webhook that is on disk.
fn accepted(recorded: Recorded) -> Response {
    let body = match recorded {
        Recorded::Accepted => r#"{"status":"accepted"}"#,
        Recorded::AcceptedWithPlaceholderTime => {
            r#"{"status":"accepted","detail":"A time in the year 9999 counts as absent; a copy of the event is quarantined."}"#
        }
        Recorded::Duplicate => r#"{"status":"duplicate"}"#,
        Recorded::Ignored => r#"{"status":"ignored"}"#,
        Recorded::Quarantined => r#"{"status":"quarantined"}"#,
    };
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// `true` if the sender announces a too large body and waits for permission (`Expect: 100-continue`).
fn announces_too_large_body(headers: &HeaderMap) -> bool {
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    headers.contains_key("expect") && length.is_some_and(|length| length > LARGEST_BODY_BYTES as u64)
}

fn is_identity(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

impl From<BodyError> for WebhookRefusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::For(RefusalReason::TooLarge),
            BodyError::Incomplete => Self::Incomplete,
            BodyError::NoRoom => Self::NoRoom,
        }
    }
}

impl WebhookRefusal {
    /// Answer to the sender, with the texts of the source.
    fn answer(self, webhooks: &Webhooks) -> Response {
        let reason = match self {
            Self::For(reason) => reason,
            Self::Incomplete => return CloseConnection.into_response(),
            Self::NoRoom => {
                let detail = "Too many large bodies are being received; send it again.";
                return ApiError::unavailable(detail).closing().into_response();
            }
        };
        let RefusalText { cause, advice_for_sender, .. } = (webhooks.refusal_text)(reason);
        let why = format!("{cause}{advice_for_sender}.");
        let (status, detail) = match reason {
            RefusalReason::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "A body may have at most 512 KiB.".to_owned())
            }
            RefusalReason::Encoding => {
                let detail = "The body must be sent as it is, without a Content-Encoding.";
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, detail.to_owned())
            }
            RefusalReason::NoSuchPath => (StatusCode::NOT_FOUND, why),
            RefusalReason::UnverifiedRetry => (StatusCode::SERVICE_UNAVAILABLE, why),
            RefusalReason::Legacy
            | RefusalReason::NoSignature
            | RefusalReason::MalformedSignature
            | RefusalReason::WrongSignature => (StatusCode::UNAUTHORIZED, why),
        };
        ApiError::new(status, error(reason), detail).closing().into_response()
    }
}
