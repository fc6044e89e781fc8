//! State of each backend, as gauges.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::failure::seconds;
use crate::domain::lane::BackendState;
use crate::store::{BackendStatus, StoreGauges};

/// Label of a metric that has a series for each backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BackendLabels {
    pub(super) backend: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    backend: String,
    state: &'static str,
}

/// Gauges of the backends. A backend with two credentials shows the worse of their states.
#[derive(Default)]
pub(super) struct Backends {
    state: Family<StateLabels, Gauge>,
    last_success: Family<BackendLabels, Gauge<f64, AtomicU64>>,
    suspect: Family<BackendLabels, Gauge>,
}

impl Backends {
    /// Registers the gauges.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_backend_state",
            "1 for the present state of a backend, 0 for its other states",
            self.state.clone(),
        );
        registry.register(
            "pagerduty_dora_backend_last_success_timestamp_seconds",
            "Time at which a backend last accepted a request; 0: never",
            self.last_success.clone(),
        );
        registry.register(
            "pagerduty_dora_outbox_suspect",
            "Suspect rows: they fail again and again while other rows of their backend are accepted",
            self.suspect.clone(),
        );
    }

    /// Sets the gauges of the configured backends. Those of other backends are removed.
    pub(super) fn set(&self, backends: &[String], gauges: &StoreGauges) {
        self.state.clear();
        self.last_success.clear();
        self.suspect.clear();
        for backend in backends {
            let own: Vec<&BackendStatus> =
                gauges.backends.iter().filter(|status| status.backend == *backend).collect();
            let now = own.iter().map(|status| status.state).max().unwrap_or(BackendState::Idle);
            for &state in BackendState::ALL {
                let label = StateLabels { backend: backend.clone(), state: state.as_str() };
                self.state.get_or_create(&label).set(i64::from(state == now));
            }
            let label = BackendLabels { backend: backend.clone() };
            let last_success = own.iter().filter_map(|status| status.last_success_at).max();
            let at = last_success.map_or(0.0, |at| seconds(at.as_nanos()));
            self.last_success.get_or_create(&label).set(at);
            let suspect = gauges.outbox.iter().find(|outbox| outbox.backend == *backend);
            self.suspect.get_or_create(&label).set(suspect.map_or(0, |outbox| outbox.suspect));
        }
    }
}
