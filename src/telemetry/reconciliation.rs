//! Reconciliation with PagerDuty: its metrics, and its last results for the dashboard.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use crate::domain::failure::seconds;
use crate::domain::timestamp::Timestamp;

/// Metrics and last results of the reconciliation.
#[derive(Default)]
pub struct Reconciliation {
    last_success: Gauge<f64, AtomicU64>,
    failures: Counter,
    repaired: Counter,
    subscription_disabled: Gauge,
    /// Asks for a look before its time.
    wanted: Notify,
    /// `None` if PagerDuty's REST API is not configured.
    state: Mutex<Option<ReconciliationState>>,
}

/// Last results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconciliationState {
    /// Time of the last look that succeeded since the start.
    pub succeeded_at: Option<Timestamp>,
    /// The last look, if it failed: its time and its error.
    pub failed: Option<(Timestamp, String)>,
    /// Number of events since the start whose webhooks had not come.
    pub repaired: u64,
    /// State of the webhook subscription. `None` until it is known.
    pub subscription: Option<SubscriptionHealth>,
}

/// State of the webhook subscription, for the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionHealth {
    /// State in a sentence or two, with what to do.
    pub says: String,
    /// `true` if a person must act.
    pub must_act: bool,
}

impl Reconciliation {
    /// Registers the metrics.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_reconciled_timestamp_seconds",
            "Time at which the incidents were last compared with PagerDuty's REST API; 0: not since the start",
            self.last_success.clone(),
        );
        registry.register(
            "pagerduty_dora_reconciliation_failures",
            "Attempts to compare the incidents with PagerDuty's REST API that failed",
            self.failures.clone(),
        );
        registry.register(
            "pagerduty_dora_repaired_events",
            "Events that PagerDuty's REST API told and that no webhook had told",
            self.repaired.clone(),
        );
        registry.register(
            "pagerduty_dora_subscription_disabled",
            "1 while PagerDuty's webhook subscription is disabled, switched off or missing; 0 if it sends, or is not known",
            self.subscription_disabled.clone(),
        );
    }

    /// Notes that the reconciliation is configured.
    pub fn begin(&self) {
        self.lock().get_or_insert_default();
    }

    /// Notes that the reconciliation is not configured any more.
    pub fn end(&self) {
        self.subscription_disabled.set(0);
        *self.lock() = None;
    }

    /// Notes a look that succeeded, and the number of its new events.
    pub fn succeeded(&self, at: Timestamp, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.last_success.set(seconds(at.as_nanos()));
        self.repaired.inc_by(events);
        let mut state = self.lock();
        let state = state.get_or_insert_default();
        state.succeeded_at = Some(at);
        state.failed = None;
        state.repaired += events;
    }

    /// Notes a look that failed.
    pub fn failed(&self, at: Timestamp, error: String) {
        self.failures.inc();
        self.lock().get_or_insert_default().failed = Some((at, error));
    }

    /// Sets the state of the webhook subscription.
    pub fn subscription(&self, health: SubscriptionHealth, is_disabled: bool) {
        self.subscription_disabled.set(i64::from(is_disabled));
        self.lock().get_or_insert_default().subscription = Some(health);
    }

    /// Notes that this process does not look at the subscription any more.
    pub fn forget_subscription(&self) {
        self.subscription_disabled.set(0);
        if let Some(state) = &mut *self.lock() {
            state.subscription = None;
        }
    }

    /// Asks for a look soon: a webhook was refused or not stored, and may never come again.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    /// Ready once a look was asked for.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The last results. `None` if PagerDuty's REST API is not configured.
    pub fn state(&self) -> Option<ReconciliationState> {
        self.lock().clone()
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, Option<ReconciliationState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
