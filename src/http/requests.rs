//! Requests to the public listener besides webhooks: counted, logged if refused, and remembered for the dashboard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::answer::not_found;
use super::api_error::ApiError;
use super::connection::Peer;
use super::source_requests::{LastRefusal, LastWebhooks, SourceRequests};
use crate::clock::Clock;
use crate::domain::address::without_credentials;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::sources::{self, OptionalWebhooks, RefusalReason, Webhooks};
use crate::telemetry::intake::{EventsApiKind, EventsApiStatus};
use crate::telemetry::metrics::Metrics;

/// Largest number of characters of an unknown path in a message.
const SHOWN_CHARACTERS: usize = 100;

/// Route for deployments.
const DEPLOYMENTS: &str = "/api/v2/dora/deployment";

/// Requests to the public listener: to the event API, to unknown paths, and the webhooks of each source.
pub struct Requests {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// Webhooks of each source.
    sources: Vec<Arc<SourceRequests>>,
    last: Arc<Mutex<LastRequests>>,
    log_limits: Arc<RequestLogLimits>,
}

/// Last request of each kind.
#[derive(Debug, Clone, Default)]
pub(super) struct LastRequests {
    /// Last webhooks of each source.
    pub(super) webhooks: Vec<LastWebhooks>,
    /// Time at which the event API last answered 200 or 202, since the start.
    pub(super) events_api_accepted_at: Option<Timestamp>,
    /// Last request to the event API without a known key, since the start.
    pub(super) events_api_forbidden: Option<LastRefusal>,
    /// Last request to the event API while it was off.
    pub(super) events_api_off: Option<LastRefusal>,
    /// Last invalid request to the event API, since the start, with its mistake.
    pub(super) events_api_invalid: Option<(LastRefusal, String)>,
}

/// Limit of each kind of log line.
#[derive(Default)]
struct RequestLogLimits {
    unknown_path: LogLimit,
    forbidden: LogLimit,
    off: LogLimit,
    sources_off: [LogLimit; sources::OPTIONAL.len()],
    invalid: LogLimit,
    unavailable: LogLimit,
}

impl Requests {
    /// No request yet.
    pub fn new(metrics: Arc<Metrics>, clock: Arc<dyn Clock>, sources: Vec<Arc<SourceRequests>>) -> Arc<Self> {
        let (last, log_limits) = (Arc::default(), Arc::default());
        Arc::new(Self { metrics, clock, sources, last, log_limits })
    }

    /// The same with other sources. The last requests are still known.
    #[must_use]
    pub fn with_sources(&self, sources: Vec<Arc<SourceRequests>>) -> Arc<Self> {
        let (metrics, clock) = (Arc::clone(&self.metrics), Arc::clone(&self.clock));
        let (last, log_limits) = (Arc::clone(&self.last), Arc::clone(&self.log_limits));
        Arc::new(Self { metrics, clock, sources, last, log_limits })
    }

    /// Sources of webhooks.
    pub fn sources(&self) -> &[Arc<SourceRequests>] {
        &self.sources
    }

    /// Last request of each kind.
    pub(super) fn last(&self) -> LastRequests {
        let webhooks = self.sources.iter().map(|source| source.last()).collect();
        LastRequests { webhooks, ..self.lock().clone() }
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, LastRequests> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an answer of the event API. `reason`: what is wrong with this request, or why it could not be stored.
    pub(super) fn events_api_request(
        &self,
        kind: EventsApiKind,
        status: EventsApiStatus,
        reason: &str,
        peer: Option<Peer>,
    ) {
        self.metrics.intake.events_api_request(kind, status);
        let (limit, message) = match status {
            EventsApiStatus::Accepted => {
                self.lock().events_api_accepted_at = Some(self.clock.now());
                return;
            }
            EventsApiStatus::Incomplete => return,
            EventsApiStatus::Forbidden => (
                &self.log_limits.forbidden,
                "the event API refused a request: its DD-API-KEY header has none of the keys in [events_api] keys. Give \
                 the sender one of them, and let it send the request again"
                    .to_owned(),
            ),
            EventsApiStatus::Off => {
                (&self.log_limits.off, "the event API is off: set [events_api] keys".to_owned())
            }
            EventsApiStatus::Invalid | EventsApiStatus::TooLarge => (
                &self.log_limits.invalid,
                format!("the event API refused a request, which is in no figure: {reason}. Correct the sender"),
            ),
            EventsApiStatus::Unavailable => (
                &self.log_limits.unavailable,
                format!(
                    "a request to the event API could not be stored, and was answered 503: {reason}. The sender has to \
                     send it again"
                ),
            ),
        };
        let refusal = self.refusal(peer);
        if let Some(held_back) = limit.pass(std::time::Instant::now()) {
            let peer = &refusal.peer;
            tracing::warn!(peer, kind = kind.as_str(), held_back, "{message}");
        }
        match status {
            EventsApiStatus::Forbidden => self.lock().events_api_forbidden = Some(refusal),
            EventsApiStatus::Off => self.lock().events_api_off = Some(refusal),
            EventsApiStatus::Invalid | EventsApiStatus::TooLarge => {
                self.lock().events_api_invalid = Some((refusal, reason.to_owned()));
            }
            EventsApiStatus::Accepted | EventsApiStatus::Incomplete | EventsApiStatus::Unavailable => {}
        }
    }

    /// The source whose webhooks have such headers.
    fn recognize(&self, headers: &HeaderMap) -> Option<&Arc<SourceRequests>> {
        self.sources.iter().find(|source| (source.webhooks.recognizes)(headers))
    }

    fn refusal(&self, peer: Option<Peer>) -> LastRefusal {
        LastRefusal::new(self.clock.now(), peer)
    }

    /// Notes a POST request to an unknown path.
    fn to_unknown_path(&self, path: &str, headers: &HeaderMap, peer: Option<Peer>) {
        let path: String = printable(&shown_path(path)).chars().take(SHOWN_CHARACTERS).collect();
        // Scanners post to many paths. A request that does not look like a webhook must raise no alarm.
        if let Some(source) = self.recognize(headers) {
            return source.to_unknown_path(&path, peer);
        }
        // A source that is configured is recognized above.
        let off = sources::OPTIONAL.iter().position(|source| (source.recognizes)(headers));
        let (refusal, status) = (self.refusal(peer), RefusalReason::NoSuchPath.status());
        self.metrics.intake.webhook(None, status);
        self.metrics.intake.refused_at(None, refusal.at);
        if let Some(index) = off {
            let OptionalWebhooks { title, keys, .. } = &sources::OPTIONAL[index];
            if let Some(held_back) = self.log_limits.sources_off[index].pass(std::time::Instant::now()) {
                let peer = &refusal.peer;
                tracing::warn!(
                    peer,
                    reason = status,
                    path,
                    held_back,
                    "a webhook was refused: {title}'s webhooks are off: set {keys}"
                );
            }
            return;
        }
        if let Some(held_back) = self.log_limits.unknown_path.pass(std::time::Instant::now()) {
            let peer = &refusal.peer;
            let hint = |requests: &Arc<SourceRequests>| {
                let Webhooks { source, path, .. } = &requests.webhooks;
                format!("{}'s webhooks go to {path}, ", source.title)
            };
            let hint: String = self.sources.iter().map(hint).collect();
            tracing::warn!(
                peer,
                reason = status,
                path,
                held_back,
                "a POST request was refused: there is nothing at {path}. {hint}deployments to {DEPLOYMENTS}. If the \
                 sender is yours, correct its URL"
            );
        }
    }
}

/// Notes a webhook that was sent to the admin listener, which answers as it does to any other request.
pub(super) async fn note_webhook_to_admin(
    State(requests): State<Arc<Requests>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::POST
        && let Some(source) = requests.recognize(request.headers())
    {
        source.to_admin_listener(request.extensions().get::<Peer>().copied());
    }
    next.run(request).await
}

/// A path for the log, without credentials: a path may contain a whole URL with credentials, encoded or not.
fn shown_path(path: &str) -> String {
    without_credentials(&percent_decode_str(path).decode_utf8_lossy()).into_owned()
}

/// Answers a request to an unknown path of the public listener.
pub(super) async fn no_such_path(State(requests): State<Arc<Requests>>, request: Request) -> ApiError {
    if request.method() == Method::POST {
        let peer = request.extensions().get::<Peer>().copied();
        requests.to_unknown_path(request.uri().path(), request.headers(), peer);
    }
    not_found().await
}
