//! Webhooks of one source: counted, logged if refused, and remembered for the dashboard.
//!
//! A source may drop a refused event, and disable the subscription after a few refusals. So metrics, log and dashboard
//! must each show the reason.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::connection::Peer;
use super::refused::{INCOMPLETE, UNAVAILABLE};
use crate::clock::Clock;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::sources::{RefusalReason, RefusalText, Webhooks};
use crate::store::StoreError;
use crate::telemetry::metrics::Metrics;

/// Webhooks of one source: their configuration, and the last ones that were accepted and refused.
pub struct SourceRequests {
    /// Configuration of the source's webhooks.
    pub(super) webhooks: Webhooks,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    last: Arc<Mutex<LastWebhooks>>,
    log_limits: Arc<WebhookLogLimits>,
}

/// Last webhook of each kind of a source.
#[derive(Debug, Clone)]
pub(super) struct LastWebhooks {
    /// Name of the source, for people.
    pub(super) title: &'static str,
    /// Time at which the last webhook was answered 202. It survives a restart.
    pub(super) accepted_at: Option<Timestamp>,
    /// Type of its event if that was a test event. Only the dashboard shows it: no listing has test events.
    pub(super) accepted_test: Option<String>,
    /// Last webhook that was refused since the start.
    pub(super) refused: Option<RefusedWebhook>,
    /// `true` if the last of all webhooks was refused.
    pub(super) last_was_refused: bool,
}

/// A refused webhook.
#[derive(Debug, Clone)]
pub(super) struct RefusedWebhook {
    pub(super) refusal_text: RefusalText,
    pub(super) refusal: LastRefusal,
}

/// Refusal of a request: its time and its sender.
#[derive(Debug, Clone)]
pub(super) struct LastRefusal {
    pub(super) at: Timestamp,
    pub(super) peer: String,
}

impl LastRefusal {
    pub(super) fn new(at: Timestamp, peer: Option<Peer>) -> Self {
        // The server sets the peer of every request.
        let peer = peer.map_or_else(|| "unknown".to_owned(), |Peer(peer)| peer.to_string());
        Self { at, peer }
    }
}

/// Limit of each kind of log line.
#[derive(Default)]
struct WebhookLogLimits {
    refused: [LogLimit; RefusalReason::ALL.len()],
    cut_off: LogLimit,
    without_room: LogLimit,
    not_stored: LogLimit,
}

impl SourceRequests {
    /// Requests of a source. `accepted_at` is the time of the last accepted webhook in the store.
    pub fn new(
        webhooks: Webhooks,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        accepted_at: Option<Timestamp>,
    ) -> Arc<Self> {
        metrics.intake.create_series_of_source(&webhooks.source.name);
        if let Some(at) = accepted_at {
            metrics.intake.accepted_at(&webhooks.source.name, at);
        }
        let last = LastWebhooks {
            title: webhooks.source.title,
            accepted_at,
            accepted_test: None,
            refused: None,
            last_was_refused: false,
        };
        Arc::new(Self {
            webhooks,
            metrics,
            clock,
            last: Arc::new(Mutex::new(last)),
            log_limits: Arc::default(),
        })
    }

    /// Requests of the same source, configured in another way. The last webhooks are still known.
    #[must_use]
    pub fn reconfigured(&self, webhooks: Webhooks) -> Arc<Self> {
        let (metrics, clock) = (Arc::clone(&self.metrics), Arc::clone(&self.clock));
        let (last, log_limits) = (Arc::clone(&self.last), Arc::clone(&self.log_limits));
        Arc::new(Self { webhooks, metrics, clock, last, log_limits })
    }

    /// Last webhook of each kind.
    pub(super) fn last(&self) -> LastWebhooks {
        self.lock().clone()
    }

    /// Name of the source.
    pub fn name(&self) -> &'static SourceName {
        &self.webhooks.source.name
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, LastWebhooks> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a webhook that was answered 202. `test` is the type of a test event.
    pub(super) fn accepted(&self, status: &'static str, test: Option<String>, at: Timestamp) {
        self.metrics.intake.webhook(Some(self.name()), status);
        self.metrics.intake.accepted_at(self.name(), at);
        let mut last = self.lock();
        last.accepted_at = Some(at);
        last.accepted_test = test;
        last.last_was_refused = false;
    }

    /// Counts a webhook that could not be received or stored. The source sends it again.
    pub(super) fn not_stored(&self, status: &'static str) {
        self.want_reconciliation();
        self.metrics.intake.webhook(Some(self.name()), status);
    }

    /// Has incidents or deployments read from the source's API soon, if they may be lost.
    fn want_reconciliation(&self) {
        if self.webhooks.source.incidents_of.is_some() {
            self.metrics.reconciliation.want();
        } else {
            self.metrics.deployment_readings.want(self.webhooks.source);
        }
    }

    /// Logs that the store did not keep a webhook in time.
    pub(super) fn log_not_stored(&self, error: &StoreError) {
        if let Some(held_back) = self.log_limits.not_stored.pass(Instant::now()) {
            let resend_sentence = self.webhooks.resend_sentence;
            tracing::warn!(%error, held_back, "a webhook could not be stored: {resend_sentence}");
        }
    }

    /// Notes a webhook whose connection was closed because its body was too slow. The source sends it again.
    pub(super) fn cut_off(&self, peer: Option<Peer>) {
        self.not_stored(INCOMPLETE);
        if let Some(held_back) = self.log_limits.cut_off.pass(Instant::now()) {
            let (peer, title) = (self.refusal(peer).peer, self.webhooks.source.title);
            tracing::warn!(
                peer,
                held_back,
                "a webhook was cut off: its body took longer than 10 s, or was too slow. If {title} sent it, look at \
                 the proxy and the network. Otherwise another sender posts here"
            );
        }
    }

    /// Notes a webhook that was answered 503 because too many large bodies were being received. The source sends it
    /// again.
    pub(super) fn without_room(&self, peer: Option<Peer>) {
        self.not_stored(UNAVAILABLE);
        if let Some(held_back) = self.log_limits.without_room.pass(Instant::now()) {
            let (peer, resend_sentence) = (self.refusal(peer).peer, self.webhooks.resend_sentence);
            tracing::warn!(
                peer,
                held_back,
                "a webhook was answered 503: too many large bodies are being received at once. {resend_sentence}"
            );
        }
    }

    /// Notes a refused webhook.
    pub(super) fn refused(&self, reason: RefusalReason, peer: Option<Peer>) {
        let RefusalText { cause, remedy, .. } = (self.webhooks.refusal_text)(reason);
        let lost = if reason.is_resent() { String::new() } else { self.fate() };
        self.note_refusal(reason, peer, |held_back, peer| {
            tracing::warn!(
                peer,
                reason = reason.status(),
                held_back,
                "a webhook was refused: {cause}. {remedy}{lost}"
            );
        });
    }

    /// Notes a webhook to an unknown path.
    pub(super) fn to_unknown_path(&self, path: &str, peer: Option<Peer>) {
        let RefusalText { remedy, .. } = (self.webhooks.refusal_text)(RefusalReason::NoSuchPath);
        let Webhooks { source, path: expected, .. } = &self.webhooks;
        let (title, fate) = (source.title, self.fate());
        self.note_refusal(RefusalReason::NoSuchPath, peer, |held_back, peer| {
            let reason = RefusalReason::NoSuchPath.status();
            tracing::warn!(
                peer,
                reason,
                path,
                held_back,
                "a webhook was refused: there is nothing at {path}; {title}'s webhooks go to {expected}. {remedy}{fate}"
            );
        });
    }

    /// Notes a webhook that was sent to the admin listener.
    pub(super) fn to_admin_listener(&self, peer: Option<Peer>) {
        let (title, fate) = (self.webhooks.source.title, self.fate());
        self.note_refusal(RefusalReason::NoSuchPath, peer, |held_back, peer| {
            let reason = RefusalReason::NoSuchPath.status();
            tracing::warn!(
                peer,
                reason,
                held_back,
                "a webhook was refused: it was sent to the admin listener. Let {title}, or the proxy in between, send \
                 webhooks to the port of server.listen{fate}"
            );
        });
    }

    /// End of a log line about a webhook that was answered 4xx.
    fn fate(&self) -> String {
        let Webhooks { source, is_read_from_api, .. } = &self.webhooks;
        let title = source.title;
        if *is_read_from_api {
            format!(". If {title} sent it, its deployment is read from {title}'s API")
        } else {
            ". If a source sent it, the event is lost: it is not sent again".to_owned()
        }
    }

    fn note_refusal(&self, reason: RefusalReason, peer: Option<Peer>, log: impl FnOnce(u64, &str)) {
        let refusal = self.refusal(peer);
        self.metrics.intake.webhook(Some(self.name()), reason.status());
        self.metrics.intake.refused_at(Some(self.name()), refusal.at);
        if reason.may_lose_an_event() {
            self.want_reconciliation();
        }
        if let Some(held_back) = self.log_limits.refused[reason.index()].pass(Instant::now()) {
            log(held_back, &refusal.peer);
        }
        let mut last = self.lock();
        last.refused = Some(RefusedWebhook { refusal_text: (self.webhooks.refusal_text)(reason), refusal });
        last.last_was_refused = true;
    }

    fn refusal(&self, peer: Option<Peer>) -> LastRefusal {
        LastRefusal::new(self.clock.now(), peer)
    }
}
