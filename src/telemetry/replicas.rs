//! Metrics of daemons that share a store.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::backends::BackendLabels;
use crate::store::SharedGauges;

/// Name of the lease of the replica that asks the APIs of PagerDuty, GitHub and GitLab. No backend can have it.
pub const API_LEASE: &str = "(APIs)";

/// Metrics of daemons that share a store.
pub struct ReplicaMetrics {
    alive: Gauge,
    unfolded: Gauge,
    leases: Family<BackendLabels, Gauge>,
    turn_wait_seconds: Histogram,
    reconnects: Counter,
    has_stepped_back: Gauge,
}

impl Default for ReplicaMetrics {
    fn default() -> Self {
        Self {
            alive: Gauge::default(),
            unfolded: Gauge::default(),
            leases: Family::default(),
            turn_wait_seconds: Histogram::new([
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0,
            ]),
            reconnects: Counter::default(),
            has_stepped_back: Gauge::default(),
        }
    }
}

impl ReplicaMetrics {
    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_replicas",
            "Daemons that share the store and live",
            self.alive.clone(),
        );
        registry.register(
            "pagerduty_dora_unfolded",
            "Stored events that are not in a failure or deployment yet",
            self.unfolded.clone(),
        );
        registry.register(
            "pagerduty_dora_leases",
            "1 if this replica sends to the backend, 0 if another one does",
            self.leases.clone(),
        );
        registry.register(
            "pagerduty_dora_turn_wait_seconds",
            "Time that a transaction of this replica waited for its turn to decide",
            self.turn_wait_seconds.clone(),
        );
        registry.register(
            "pagerduty_dora_store_reconnects",
            "Connections to the database that were made after one was lost",
            self.reconnects.clone(),
        );
        registry.register(
            "pagerduty_dora_stepped_back",
            "1 while this replica only takes webhooks in, because a later start has another version or configuration",
            self.has_stepped_back.clone(),
        );
    }

    /// Sets the gauges that are the same for all replicas.
    pub fn note(&self, gauges: &SharedGauges) {
        self.alive.set(gauges.replicas);
        self.unfolded.set(gauges.unfolded);
    }

    /// Notes if this replica sends to a backend.
    pub fn set_lease(&self, backend: &str, is_held: bool) {
        self.leases.get_or_create(&BackendLabels { backend: backend.to_owned() }).set(i64::from(is_held));
    }

    /// Notes that this replica does not send to a backend any more.
    pub fn forget_lease(&self, backend: &str) {
        self.leases.remove(&BackendLabels { backend: backend.to_owned() });
    }

    /// `true` while another replica asks the APIs of PagerDuty, GitHub and GitLab.
    pub fn others_ask_apis(&self) -> bool {
        let lease = self.leases.get(&BackendLabels { backend: API_LEASE.to_owned() });
        lease.is_some_and(|is_held| is_held.get() == 0)
    }

    pub(super) fn waited_for_turn(&self, took: Duration) {
        self.turn_wait_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn reconnected(&self) {
        self.reconnects.inc();
    }

    /// `true` while this replica only takes webhooks in.
    pub fn only_takes_in(&self) -> bool {
        self.has_stepped_back.get() != 0
    }

    pub(super) fn stepped_back(&self, has_stepped_back: bool) {
        self.has_stepped_back.set(i64::from(has_stepped_back));
    }
}
