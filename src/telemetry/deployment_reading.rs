//! Reading of deployments from the APIs of GitHub and GitLab: its metrics, and its last results for the dashboard.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::domain::failure::seconds;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;

/// Metrics and last results of the readings.
#[derive(Default)]
pub struct DeploymentReadings {
    last_success: Family<SourceLabels, Gauge<f64, AtomicU64>>,
    failures: Family<SourceLabels, Counter>,
    repaired: Family<SourceLabels, Counter>,
    /// Those that are configured, by the names of their sources.
    readings: Mutex<BTreeMap<&'static str, Reading>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

/// A reading that is configured.
struct Reading {
    state: DeploymentReadingState,
    /// Number of times that somebody asked for a reading.
    wanted: watch::Sender<u64>,
}

/// Last results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentReadingState {
    /// Name of the source for people: `GitHub`.
    pub title: &'static str,
    /// Time of the last reading that succeeded since the start.
    pub succeeded_at: Option<Timestamp>,
    /// The last reading, if it failed: its time and its error.
    pub failed: Option<(Timestamp, String)>,
    /// Number of events since the start that no webhook had told.
    pub repaired: u64,
    /// Results that people should know of.
    pub gaps: ReadingGaps,
}

/// Parts that a reading has not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadingGaps {
    /// Number of repositories that cannot be read, and the reason for the first of them.
    pub unreadable: Option<(usize, String)>,
    /// Number of records that are not understood, and the first of them with the reason.
    pub left_out: Option<(usize, String)>,
    /// Host on which no repository is known, if no repository was read.
    pub none_on: Option<String>,
}

impl DeploymentReadings {
    /// Registers the metrics.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_deployments_read_timestamp_seconds",
            "Time at which the deployments were last read from the API of the source; 0: not since the start",
            self.last_success.clone(),
        );
        registry.register(
            "pagerduty_dora_deployment_reading_failures",
            "Failed attempts to read deployments from the API of the source",
            self.failures.clone(),
        );
        registry.register(
            "pagerduty_dora_repaired_deployment_events",
            "Events about deployments that the API of the source told and that no webhook had told",
            self.repaired.clone(),
        );
    }

    /// Notes that the API of a source is configured. The receiver changes when somebody asks for a reading.
    pub fn begin(&self, source: &'static Source) -> watch::Receiver<u64> {
        let labels = labels(source);
        // Prometheus sees no increase in a series that begins with 1. A reload keeps the values.
        self.last_success.get_or_create(&labels).inc_by(0.0);
        self.failures.get_or_create(&labels).inc_by(0);
        self.repaired.get_or_create(&labels).inc_by(0);
        let mut readings = self.lock();
        let reading = readings.entry(labels.source).or_insert_with(|| Reading {
            state: DeploymentReadingState {
                title: source.title,
                succeeded_at: None,
                failed: None,
                repaired: 0,
                gaps: ReadingGaps::default(),
            },
            wanted: watch::Sender::new(0),
        });
        reading.wanted.subscribe()
    }

    /// Notes that the API of a source is not configured any more.
    pub fn end(&self, source: &'static Source) {
        let labels = labels(source);
        self.last_success.remove(&labels);
        self.failures.remove(&labels);
        self.repaired.remove(&labels);
        self.lock().remove(labels.source);
    }

    /// Notes a reading that succeeded, and the parts that it has not read.
    pub fn succeeded(&self, source: &'static Source, at: Timestamp, gaps: ReadingGaps) {
        self.change(source, |state, labels| {
            self.last_success.get_or_create(labels).set(seconds(at.as_nanos()));
            (state.succeeded_at, state.failed, state.gaps) = (Some(at), None, gaps);
        });
    }

    /// Notes a reading that failed.
    pub fn failed(&self, source: &'static Source, at: Timestamp, error: String) {
        self.change(source, |state, labels| {
            self.failures.get_or_create(labels).inc();
            state.failed = Some((at, error));
        });
    }

    /// Notes new events.
    pub fn repaired(&self, source: &'static Source, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.change(source, |state, labels| {
            self.repaired.get_or_create(labels).inc_by(events);
            state.repaired += events;
        });
    }

    /// Asks for a reading soon: a webhook was refused or not stored, and does not come again by itself.
    pub fn want(&self, source: &'static Source) {
        if let Some(reading) = self.lock().get(labels(source).source) {
            reading.wanted.send_modify(|times| *times += 1);
        }
    }

    /// The last results of each source whose API is configured.
    pub fn states(&self) -> Vec<DeploymentReadingState> {
        self.lock().values().map(|reading| reading.state.clone()).collect()
    }

    /// Changes a state. A loop that ends may report after its source was removed: that changes nothing.
    fn change(
        &self,
        source: &'static Source,
        change: impl FnOnce(&mut DeploymentReadingState, &SourceLabels),
    ) {
        let labels = labels(source);
        if let Some(reading) = self.lock().get_mut(labels.source) {
            change(&mut reading.state, &labels);
        }
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels(source: &'static Source) -> SourceLabels {
    SourceLabels { source: source.name.as_str() }
}
