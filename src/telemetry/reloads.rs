//! Last reload of the configuration.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::timestamp::Timestamp;

/// Metric of the last reload, and its mistakes for the dashboard.
#[derive(Default)]
pub struct Reloads {
    is_refused: Gauge,
    refused: Mutex<Option<(Timestamp, String)>>,
}

impl Reloads {
    /// Registers the metric.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_reload_refused",
            "1 if the last reload of the configuration was refused; else 0",
            self.is_refused.clone(),
        );
    }

    /// Notes that a reload took effect.
    pub fn succeeded(&self) {
        self.is_refused.set(0);
        *self.lock() = None;
    }

    /// Notes that a reload was refused.
    pub fn refused(&self, at: Timestamp, why: String) {
        self.is_refused.set(1);
        *self.lock() = Some((at, why));
    }

    /// Time and mistakes of the last reload. `None` if it was not refused.
    pub fn last_refused(&self) -> Option<(Timestamp, String)> {
        self.lock().clone()
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, Option<(Timestamp, String)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
