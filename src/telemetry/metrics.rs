//! All metrics of the program, and their Prometheus text.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use strum::VariantArray as _;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::backends::{BackendLabels, Backends};
use super::connections::Connections;
use super::deployment_reading::DeploymentReadings;
use super::intake::IntakeMetrics;
use super::process::Process;
use super::reconciliation::Reconciliation;
use super::reloads::Reloads;
use super::replicas::ReplicaMetrics;
use super::store::StoreMetrics;
use crate::domain::timestamp::Timestamp;
use crate::store::{CommitObserver, StoreGauges};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    backend: String,
    outcome: &'static str,
}

/// Result of an attempt to forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum AttemptResult {
    /// The backend accepted the request.
    Sent,
    /// The row will be retried.
    Retry,
    /// The backend refused our credentials.
    Refused,
    /// The row is dead.
    Dead,
}

impl AttemptResult {
    /// All results.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// Value of the label.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// All metrics except the DORA figures. No label has an incident's id, a title or a URL.
pub struct Metrics {
    registry: Registry,
    /// Metrics of the public listener.
    pub intake: IntakeMetrics,
    webhook_lag_seconds: Histogram,
    commit_seconds: Histogram,
    commit_batch_size: Histogram,
    attempts: Family<AttemptLabels, Counter>,
    outbox_pending: Family<BackendLabels, Gauge>,
    outbox_dead: Family<BackendLabels, Gauge>,
    outbox_oldest_age_seconds: Family<BackendLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    open_failures: Gauge,
    quarantined: Gauge,
    /// Connections that were refused.
    pub connections: Connections,
    certificate_expiry: Gauge,
    /// Last reload of the configuration.
    pub reloads: Reloads,
    /// Metrics of the store.
    pub store: StoreMetrics,
    /// Metrics of daemons that share the store.
    pub replicas: ReplicaMetrics,
    /// Reconciliation with PagerDuty.
    pub reconciliation: Reconciliation,
    /// Reading of deployments from the APIs of GitHub and GitLab.
    pub deployment_readings: DeploymentReadings,
    of_backends: Backends,
    backends: Mutex<Vec<String>>,
}

impl Metrics {
    /// Registers all metrics. The counters of these backends are there from the start.
    pub fn new(backends: impl IntoIterator<Item = String>) -> Arc<Self> {
        let mut metrics = Self::registered(backends);
        metrics.store.register_file(&mut metrics.registry);
        Arc::new(metrics)
    }

    /// The same for a daemon that shares its store with others.
    pub fn with_replicas(backends: impl IntoIterator<Item = String>) -> Arc<Self> {
        let mut metrics = Self::registered(backends);
        metrics.replicas.register(&mut metrics.registry);
        Arc::new(metrics)
    }

    fn registered(backends: impl IntoIterator<Item = String>) -> Self {
        let mut registry = Registry::default();
        let mut metrics = Self {
            intake: IntakeMetrics::new(&mut registry),
            registry,
            webhook_lag_seconds: Histogram::new([
                0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0,
            ]),
            commit_seconds: Histogram::new([
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
            ]),
            commit_batch_size: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            attempts: Family::default(),
            outbox_pending: Family::default(),
            outbox_dead: Family::default(),
            outbox_oldest_age_seconds: Family::default(),
            open_failures: Gauge::default(),
            quarantined: Gauge::default(),
            connections: Connections::default(),
            certificate_expiry: Gauge::default(),
            reloads: Reloads::default(),
            store: StoreMetrics::default(),
            replicas: ReplicaMetrics::default(),
            reconciliation: Reconciliation::default(),
            deployment_readings: DeploymentReadings::default(),
            of_backends: Backends::default(),
            backends: Mutex::default(),
        };
        metrics.register();
        metrics.set_backends(backends);
        metrics.reloads.register(&mut metrics.registry);
        metrics.connections.register(&mut metrics.registry);
        metrics.store.register(&mut metrics.registry);
        metrics.reconciliation.register(&mut metrics.registry);
        metrics.deployment_readings.register(&mut metrics.registry);
        metrics.registry.register_collector(Box::new(Process::default()));
        metrics
    }

    fn register(&mut self) {
        macro_rules! register {
            ($field:ident, $name:literal, $help:literal) => {
                self.registry.register(concat!("pagerduty_dora_", $name), $help, self.$field.clone())
            };
        }
        register!(webhook_lag_seconds, "webhook_lag_seconds", "Time from an event to its arrival");
        register!(commit_seconds, "commit_seconds", "Time of a commit, disk sync included");
        register!(commit_batch_size, "commit_batch_size", "Writes in a commit");
        register!(attempts, "forward_attempts", "Attempts to forward, by outcome");
        register!(outbox_pending, "outbox_pending", "Rows to be sent");
        register!(outbox_dead, "outbox_dead", "Dead rows, which are not retried until a person decides");
        register!(outbox_oldest_age_seconds, "outbox_oldest_age_seconds", "Age of the oldest row to be sent");
        register!(open_failures, "open_failures", "Open failures");
        register!(quarantined, "quarantined", "Webhooks in quarantine");
        register!(
            certificate_expiry,
            "certificate_expiry_timestamp_seconds",
            "End of the validity of the certificate in server.tls; 0: it has none"
        );
        self.of_backends.register(&mut self.registry);
        let version = Family::<VersionLabels, Gauge>::default();
        version.get_or_create(&VersionLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        self.registry.register("pagerduty_dora_build_info", "Version of the running program", version);
    }

    /// Sets the end of the certificate's validity. `None`: the public listener has no TLS.
    pub fn set_certificate_expiry(&self, expires_at: Option<Timestamp>) {
        self.certificate_expiry.set(expires_at.map_or(0, |expires_at| expires_at.as_nanos() / 1_000_000_000));
    }

    /// End of the certificate's validity. `None`: the public listener has no TLS.
    pub fn certificate_expiry(&self) -> Option<Timestamp> {
        let seconds = self.certificate_expiry.get();
        (seconds != 0).then(|| Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000)))
    }

    /// Sets the names of the configured backends, and creates the counters of each.
    pub fn set_backends(&self, backends: impl IntoIterator<Item = String>) {
        let backends: Vec<String> = backends.into_iter().collect();
        for backend in &backends {
            for outcome in AttemptResult::ALL.iter().copied().map(AttemptResult::as_str) {
                self.attempts.get_or_create(&AttemptLabels { backend: backend.clone(), outcome }).inc_by(0);
            }
        }
        *self.backends.lock().unwrap_or_else(PoisonError::into_inner) = backends;
    }

    /// Records the time from an event to its arrival.
    pub fn observe_lag(&self, occurred_at: Timestamp, received_at: Timestamp) {
        self.webhook_lag_seconds
            .observe(crate::domain::failure::seconds(received_at.nanos_since(occurred_at)));
    }

    /// Counts an attempt to forward.
    pub fn attempted(&self, backend: &str, result: AttemptResult) {
        let outcome = result.as_str();
        self.attempts.get_or_create(&AttemptLabels { backend: backend.to_owned(), outcome }).inc();
    }

    /// Sets the gauges of the store. Not called while the store cannot be read: then the gauges keep their values.
    pub fn note(&self, gauges: &StoreGauges, now: Timestamp) {
        self.open_failures.set(gauges.open_failures);
        self.quarantined.set(gauges.quarantined);
        self.store.note(&gauges.sizes);
        if let Some(shared) = &gauges.shared {
            self.replicas.note(shared);
        }
        // A backend that was removed from the configuration is shown while it has rows.
        self.outbox_pending.clear();
        self.outbox_dead.clear();
        self.outbox_oldest_age_seconds.clear();
        let with_rows = gauges.outbox.iter().map(|outbox| &outbox.backend);
        let backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for backend in backends.iter().chain(with_rows) {
            let outbox = gauges.outbox.iter().find(|outbox| outbox.backend == *backend);
            let label = BackendLabels { backend: backend.clone() };
            let age =
                outbox.and_then(|outbox| outbox.oldest_at).map_or(0, |oldest_at| now.nanos_since(oldest_at));
            self.outbox_pending.get_or_create(&label).set(outbox.map_or(0, |outbox| outbox.pending));
            self.outbox_dead.get_or_create(&label).set(outbox.map_or(0, |outbox| outbox.dead));
            self.outbox_oldest_age_seconds
                .get_or_create(&label)
                .set(crate::domain::failure::seconds(age.max(0)));
        }
        self.of_backends.set(&backends, gauges);
    }

    /// The Prometheus text. `dora` is the text of the DORA figures that were computed last.
    pub fn text(&self, dora: &str) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        text.push_str(dora);
        Ok(prometheus_text(&text))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    version: &'static str,
}

impl CommitObserver for Metrics {
    #[expect(clippy::cast_precision_loss, reason = "a commit has at most a few hundred writes")]
    fn committed(&self, writes: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_batch_size.observe(writes as f64);
    }

    fn refused(&self, writes: usize) {
        self.store.writes_refused.inc_by(u64::try_from(writes).unwrap_or(u64::MAX));
    }

    fn missed_resolve(&self) {
        self.reconciliation.want();
    }

    fn waited_for_turn(&self, took: Duration) {
        self.replicas.waited_for_turn(took);
    }

    fn reconnected(&self) {
        self.replicas.reconnected();
    }

    fn stepped_back(&self, has_stepped_back: bool) {
        self.replicas.stepped_back(has_stepped_back);
    }
}

/// Converts OpenMetrics to Prometheus' older text format, which every scraper reads. In that format, `HELP` and `TYPE`
/// of a counter have the name of its samples (`…_total`), and there is no end marker.
fn prometheus_text(open_metrics: &str) -> String {
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(keyword), Some(name), Some(rest)) if counters.contains(&name) => {
                text.extend(["# ", keyword, " ", name, "_total ", rest, "\n"]);
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}
