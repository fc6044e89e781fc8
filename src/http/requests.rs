//! Requests to the public listener besides webhooks: counted, logged where they were refused, and remembered for the
//! dashboard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
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
use crate::sources::{RefusalReason, Webhooks};
use crate::telemetry::intake::{SubmissionKind, SubmissionStatus};
use crate::telemetry::metrics::Metrics;

/// Number of characters that are shown of a path without a route.
const SHOWN_CHARACTERS: usize = 100;

/// Route for deployments.
const DEPLOYMENTS: &str = "/api/v2/dora/deployment";

/// Requests to the public listener, those with webhooks for each source.
pub struct Requests {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// One for each source of webhooks.
    sources: Vec<Arc<SourceRequests>>,
    last: Mutex<LastRequests>,
    lines: RequestLogLimits,
}

/// The last request of each sort.
#[derive(Debug, Clone, Default)]
pub(super) struct LastRequests {
    /// The last webhooks of each source.
    pub(super) webhooks: Vec<LastWebhooks>,
    /// Time at which the event API last answered 200 or 202, since the start.
    pub(super) event_accepted_at: Option<Timestamp>,
    /// The last request to the event API without a key that is known, since the start.
    pub(super) event_forbidden: Option<LastRefusal>,
    /// The last request to the event API while it was off.
    pub(super) event_off: Option<LastRefusal>,
}

/// One limit for each kind of line.
#[derive(Default)]
struct RequestLogLimits {
    nobodys: LogLimit,
    forbidden: LogLimit,
    off: LogLimit,
}

impl Requests {
    /// Begins with no request.
    pub fn new(metrics: Arc<Metrics>, clock: Arc<dyn Clock>, sources: Vec<Arc<SourceRequests>>) -> Arc<Self> {
        let (last, lines) = (Mutex::default(), RequestLogLimits::default());
        Arc::new(Self { metrics, clock, sources, last, lines })
    }

    /// The sources of webhooks.
    pub fn sources(&self) -> &[Arc<SourceRequests>] {
        &self.sources
    }

    /// The last request of each sort.
    pub(super) fn last(&self) -> LastRequests {
        let webhooks = self.sources.iter().map(|source| source.last()).collect();
        LastRequests { webhooks, ..self.lock().clone() }
    }

    /// A panic elsewhere leaves values behind that are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, LastRequests> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to the event API was answered.
    pub(super) fn event(&self, kind: SubmissionKind, status: SubmissionStatus, peer: Option<Peer>) {
        self.metrics.intake.event(kind, status);
        match status {
            SubmissionStatus::Accepted => self.lock().event_accepted_at = Some(self.clock.now()),
            SubmissionStatus::Forbidden => {
                let refusal = self.refusal(peer);
                if let Some(held_back) = self.lines.forbidden.pass(std::time::Instant::now()) {
                    let peer = &refusal.peer;
                    tracing::warn!(
                        peer,
                        kind = kind.as_str(),
                        held_back,
                        "the event API refused a request: its DD-API-KEY header holds none of the keys in [events_api] \
                         keys. Give the sender one of those"
                    );
                }
                self.lock().event_forbidden = Some(refusal);
            }
            SubmissionStatus::Off => {
                let refusal = self.refusal(peer);
                if let Some(held_back) = self.lines.off.pass(std::time::Instant::now()) {
                    let peer = &refusal.peer;
                    tracing::warn!(
                        peer,
                        kind = kind.as_str(),
                        held_back,
                        "the event API is off: set [events_api] keys"
                    );
                }
                self.lock().event_off = Some(refusal);
            }
            SubmissionStatus::Invalid
            | SubmissionStatus::TooLarge
            | SubmissionStatus::Incomplete
            | SubmissionStatus::Unavailable => {}
        }
    }

    fn refusal(&self, peer: Option<Peer>) -> LastRefusal {
        LastRefusal::new(self.clock.now(), peer)
    }

    /// A POST request came to a path where there is nothing.
    fn lost(&self, path: &str, headers: &HeaderMap, peer: Option<Peer>) {
        let path: String = printable(&shown_path(path)).chars().take(SHOWN_CHARACTERS).collect();
        // Scanners post to all sorts of paths; what nobody would take for a webhook must not alarm anybody.
        if let Some(source) = self.sources.iter().find(|source| (source.webhooks.recognizes)(headers)) {
            return source.lost(&path, peer);
        }
        let (refusal, status) = (self.refusal(peer), RefusalReason::NoSuchPath.status());
        self.metrics.intake.webhook(None, status);
        self.metrics.intake.refused_at(None, refusal.at);
        if let Some(held_back) = self.lines.nobodys.pass(std::time::Instant::now()) {
            let peer = &refusal.peer;
            let right = |requests: &Arc<SourceRequests>| {
                let Webhooks { source, path, .. } = &requests.webhooks;
                format!("{}'s webhooks go to {path}, ", source.title)
            };
            let right: String = self.sources.iter().map(right).collect();
            tracing::warn!(
                peer,
                reason = status,
                path,
                held_back,
                "a POST request was refused: there is nothing at {path}. {right}deployments to {DEPLOYMENTS}. If the \
                 sender is yours, correct its address"
            );
        }
    }
}

/// A path for the log: an address that was put behind the host's may hold credentials, encoded or not.
fn shown_path(path: &str) -> String {
    without_credentials(&percent_decode_str(path).decode_utf8_lossy()).into_owned()
}

/// Answers what came to a path of the public listener where there is nothing.
pub(super) async fn no_such_path(State(requests): State<Arc<Requests>>, request: Request) -> ApiError {
    if request.method() == Method::POST {
        let peer = request.extensions().get::<Peer>().copied();
        requests.lost(request.uri().path(), request.headers(), peer);
    }
    not_found().await
}
