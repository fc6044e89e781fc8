//! Requests to the public listener: counted, logged where they were refused, and remembered for the dashboard.
//!
//! PagerDuty drops an event that is refused, and disables a subscription after a few. So whoever looks for a webhook that
//! does not arrive has to find the reason in each of these three places.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderValue, Method};
use percent_encoding::percent_decode_str;

use super::answer::not_found;
use super::api_error::ApiError;
use super::connection::Peer;
use super::refused::{INCOMPLETE, Reason, UNAVAILABLE};
use crate::clock::Clock;
use crate::domain::address::without_credentials;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::pagerduty::signature::SIGNATURE_HEADER;
use crate::store::StoreError;
use crate::telemetry::intake::{EventKind, EventStatus, Source};
use crate::telemetry::metrics::Metrics;

/// Number of characters that are shown of a path without a route.
const SHOWN_CHARACTERS: usize = 100;

/// Route for deployments.
const DEPLOYMENTS: &str = "/api/v2/dora/deployment";

/// Requests to the public listener.
pub struct Requests {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    webhook_path: String,
    last: Mutex<LastRequests>,
    lines: Lines,
}

/// The last request of each sort.
#[derive(Debug, Clone, Default)]
pub(super) struct LastRequests {
    /// Time at which the last webhook was answered 202. It outlasts a restart.
    pub(super) accepted_at: Option<Timestamp>,
    /// `true` if that was one of PagerDuty's test events, which no listing shows.
    pub(super) accepted_a_test: bool,
    /// The last webhook that was refused since the start.
    pub(super) refused: Option<RefusedWebhook>,
    /// The last webhook of all is that one.
    pub(super) last_was_refused: bool,
    /// Time at which the event API last answered 200 or 202, since the start.
    pub(super) event_accepted_at: Option<Timestamp>,
    /// The last request to the event API without a key that is known, since the start.
    pub(super) event_forbidden: Option<Refusal>,
    /// The last request to the event API while it was off.
    pub(super) event_off: Option<Refusal>,
}

/// A refused webhook.
#[derive(Debug, Clone)]
pub(super) struct RefusedWebhook {
    pub(super) reason: Reason,
    pub(super) refusal: Refusal,
}

/// Refusal of a request: its time and its sender.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) at: Timestamp,
    pub(super) peer: String,
}

/// One limit for each kind of line.
#[derive(Default)]
struct Lines {
    webhooks: [LogLimit; Reason::ALL.len()],
    nobodys: LogLimit,
    cut_off: LogLimit,
    without_room: LogLimit,
    not_kept: LogLimit,
    forbidden: LogLimit,
    off: LogLimit,
}

impl Requests {
    /// Begins with when the last webhook was accepted, as the store has it.
    pub fn new(
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        webhook_path: &str,
        accepted_at: Option<Timestamp>,
    ) -> Arc<Self> {
        if let Some(at) = accepted_at {
            metrics.intake.accepted_at(Source::PagerDuty, at);
        }
        let last = Mutex::new(LastRequests { accepted_at, ..LastRequests::default() });
        let (webhook_path, lines) = (webhook_path.to_owned(), Lines::default());
        Arc::new(Self { metrics, clock, webhook_path, last, lines })
    }

    /// The last request of each sort.
    pub(super) fn last(&self) -> LastRequests {
        self.lock().clone()
    }

    /// A panic elsewhere leaves values behind that are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, LastRequests> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A webhook was answered 202.
    pub(super) fn webhook_accepted(&self, status: &'static str, is_test: bool, at: Timestamp) {
        self.metrics.intake.webhook(Source::PagerDuty, status);
        self.metrics.intake.accepted_at(Source::PagerDuty, at);
        let mut last = self.lock();
        last.accepted_at = Some(at);
        last.accepted_a_test = is_test;
        last.last_was_refused = false;
    }

    /// A webhook was not kept, by no fault of its own or by an accident on its way. PagerDuty sends it again.
    pub(super) fn webhook_not_kept(&self, status: &'static str) {
        self.metrics.intake.webhook(Source::PagerDuty, status);
    }

    /// Says that the store did not keep a webhook in time.
    pub(super) fn log_not_kept(&self, error: &StoreError) {
        if let Some(held_back) = self.lines.not_kept.pass(std::time::Instant::now()) {
            tracing::warn!(%error, held_back, "a webhook could not be kept: PagerDuty sends it again for 48 hours");
        }
    }

    /// A webhook was cut off without an answer, because its body did not come in time. PagerDuty sends it again.
    pub(super) fn webhook_cut_off(&self, peer: Option<Peer>) {
        self.webhook_not_kept(INCOMPLETE);
        if let Some(held_back) = self.lines.cut_off.pass(std::time::Instant::now()) {
            let peer = self.refusal(peer).peer;
            tracing::warn!(
                peer,
                held_back,
                "a webhook was cut off: its body did not come in 10 s, or too slowly. If PagerDuty sent it, look at the \
                 proxy and the network. Else somebody else posts here"
            );
        }
    }

    /// A webhook was answered 503, because too many large bodies were being received. PagerDuty sends it again.
    pub(super) fn webhook_without_room(&self, peer: Option<Peer>) {
        self.webhook_not_kept(UNAVAILABLE);
        if let Some(held_back) = self.lines.without_room.pass(std::time::Instant::now()) {
            let peer = self.refusal(peer).peer;
            tracing::warn!(
                peer,
                held_back,
                "a webhook was answered 503: too many large bodies are being received at once. PagerDuty sends it again \
                 for 48 hours"
            );
        }
    }

    /// A webhook was refused.
    pub(super) fn webhook_refused(&self, reason: Reason, peer: Option<Peer>) {
        let refusal = self.refusal(peer);
        self.metrics.intake.webhook(Source::PagerDuty, reason.status());
        self.metrics.intake.refused_at(Source::PagerDuty, refusal.at);
        if let Some(held_back) = self.lines.webhooks[reason.index()].pass(std::time::Instant::now()) {
            let (peer, why, todo) = (&refusal.peer, reason.why(), reason.todo());
            tracing::warn!(peer, reason = reason.status(), held_back, "a webhook was refused: {why}. {todo}");
        }
        self.remember(RefusedWebhook { reason, refusal });
    }

    fn remember(&self, refused: RefusedWebhook) {
        let mut last = self.lock();
        last.refused = Some(refused);
        last.last_was_refused = true;
    }

    /// A request to the event API was answered.
    pub(super) fn event(&self, kind: EventKind, status: EventStatus, peer: Option<Peer>) {
        self.metrics.intake.event(kind, status);
        match status {
            EventStatus::Accepted => self.lock().event_accepted_at = Some(self.clock.now()),
            EventStatus::Forbidden => {
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
            EventStatus::Off => {
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
            EventStatus::Invalid
            | EventStatus::TooLarge
            | EventStatus::Incomplete
            | EventStatus::Unavailable => {}
        }
    }

    fn refusal(&self, peer: Option<Peer>) -> Refusal {
        // The server names the peer of every request.
        let peer = peer.map_or_else(|| "unknown".to_owned(), |Peer(peer)| peer.to_string());
        Refusal { at: self.clock.now(), peer }
    }

    /// A POST request came to a path where there is nothing.
    fn lost(&self, path: &str, headers: &HeaderMap, peer: Option<Peer>) {
        let path: String = printable(&shown_path(path)).chars().take(SHOWN_CHARACTERS).collect();
        let (right, is_pagerdutys) = (&self.webhook_path, looks_like_pagerdutys(headers));
        let (source, lines) = if is_pagerdutys {
            (Source::PagerDuty, &self.lines.webhooks[Reason::NoSuchPath.index()])
        } else {
            (Source::Unknown, &self.lines.nobodys)
        };
        let refusal = self.refusal(peer);
        let status = Reason::NoSuchPath.status();
        self.metrics.intake.webhook(source, status);
        self.metrics.intake.refused_at(source, refusal.at);
        if let Some(held_back) = lines.pass(std::time::Instant::now()) {
            let peer = &refusal.peer;
            let said = if is_pagerdutys {
                let todo = Reason::NoSuchPath.todo();
                format!(
                    "a webhook was refused: there is nothing at {path}; PagerDuty's webhooks go to {right}. {todo}"
                )
            } else {
                format!(
                    "a POST request was refused: there is nothing at {path}. PagerDuty's webhooks go to {right}, \
                     deployments to {DEPLOYMENTS}. If the sender is yours, correct its address"
                )
            };
            tracing::warn!(peer, reason = status, path, held_back, "{said}");
        }
        if is_pagerdutys {
            self.remember(RefusedWebhook { reason: Reason::NoSuchPath, refusal });
        }
    }
}

/// A path for the log: an address that was put behind the host's may hold credentials, encoded or not.
fn shown_path(path: &str) -> String {
    without_credentials(&percent_decode_str(path).decode_utf8_lossy()).into_owned()
}

/// Scanners post to all sorts of paths; what nobody would take for a webhook must not alarm anybody.
fn looks_like_pagerdutys(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    headers.contains_key(SIGNATURE_HEADER)
        || agent.is_some_and(|agent| agent.to_ascii_lowercase().starts_with(b"pagerduty"))
}

/// Answers what came to a path of the public listener where there is nothing.
pub(super) async fn no_such_path(State(requests): State<Arc<Requests>>, request: Request) -> ApiError {
    if request.method() == Method::POST {
        let peer = request.extensions().get::<Peer>().copied();
        requests.lost(request.uri().path(), request.headers(), peer);
    }
    not_found().await
}
