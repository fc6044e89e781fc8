//! Metrics of the public listener: accepted and refused requests.

use std::sync::atomic::AtomicU64;
use strum::VariantArray as _;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;

/// Label of a POST request to an unknown path that does not look like a webhook of any source.
const UNKNOWN: &str = "unknown";

/// Answers to a webhook. Each has a series from the start, because Prometheus sees no increase in a series that begins
/// with 1.
pub(crate) const STATUSES: [&str; 14] = [
    "accepted",
    "duplicate",
    "ignored",
    "quarantined",
    "no_signature",
    "malformed_signature",
    "wrong_signature",
    "unverified_retry",
    "legacy",
    "too_large",
    "unsupported_encoding",
    "no_such_path",
    "incomplete",
    "unavailable",
];

/// Subject of a request to the event API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventsApiKind {
    /// A deployment is sent.
    Deployment,
    /// A failure is sent.
    Failure,
    /// A failure is deleted.
    Withdrawal,
}

impl EventsApiKind {
    /// All values.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// Value of the label.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Answer to a request to the event API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventsApiStatus {
    /// 200 or 202.
    Accepted,
    /// 400.
    Invalid,
    /// 403: no key, or an unknown one.
    Forbidden,
    /// 404: no keys are configured.
    Off,
    /// 413.
    TooLarge,
    /// No answer: the body was incomplete.
    Incomplete,
    /// 503.
    Unavailable,
}

impl EventsApiStatus {
    /// All values.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// Value of the label.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WebhookLabels {
    source: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: &'static str,
    status: &'static str,
}

impl RequestLabels {
    fn of(kind: EventsApiKind, status: EventsApiStatus) -> Self {
        Self { kind: kind.as_str(), status: status.as_str() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
}

type TimestampGauge = Gauge<f64, AtomicU64>;

/// Metrics of the requests to the public listener.
pub struct IntakeMetrics {
    webhooks: Family<WebhookLabels, Counter>,
    last_accepted: Family<SourceLabels, TimestampGauge>,
    last_refused: Family<SourceLabels, TimestampGauge>,
    events_api: Family<RequestLabels, Counter>,
    last_deployment: TimestampGauge,
}

impl IntakeMetrics {
    /// Registers the metrics. [`Self::create_series_of_source`] adds the series of each source.
    pub fn new(registry: &mut Registry) -> Self {
        let intake = Self {
            webhooks: Family::default(),
            last_accepted: Family::default(),
            last_refused: Family::default(),
            events_api: Family::default(),
            last_deployment: Gauge::default(),
        };
        registry.register(
            "pagerduty_dora_webhooks",
            "Webhook requests, by source and status",
            intake.webhooks.clone(),
        );
        registry.register(
            "pagerduty_dora_last_accepted_timestamp_seconds",
            "Time of the last webhook that was answered 202; 0: none yet",
            intake.last_accepted.clone(),
        );
        registry.register(
            "pagerduty_dora_last_refused_timestamp_seconds",
            "Time of the last webhook that was refused since the program started; 0: none",
            intake.last_refused.clone(),
        );
        registry.register(
            "pagerduty_dora_events_api_requests",
            "Requests to the event API, by kind and status",
            intake.events_api.clone(),
        );
        registry.register(
            "pagerduty_dora_last_deployment_timestamp_seconds",
            "End of the last deployment; 0: none yet",
            intake.last_deployment.clone(),
        );
        intake.create_series_without_source();
        intake
    }

    /// Creates each series that belongs to no source, with the value 0.
    fn create_series_without_source(&self) {
        let unknown = WebhookLabels { source: UNKNOWN, status: "no_such_path" };
        self.webhooks.get_or_create(&unknown).inc_by(0);
        self.last_refused.get_or_create(&SourceLabels { source: UNKNOWN }).set(0.0);
        for (kind, status) in EventsApiKind::ALL
            .iter()
            .flat_map(|kind| EventsApiStatus::ALL.iter().map(|status| (*kind, *status)))
        {
            self.events_api.get_or_create(&RequestLabels::of(kind, status)).inc_by(0);
        }
    }

    /// Creates each series of a source, with the value 0.
    pub fn create_series_of_source(&self, source: &'static SourceName) {
        let source = source.as_str();
        for status in STATUSES {
            self.webhooks.get_or_create(&WebhookLabels { source, status }).inc_by(0);
        }
        self.last_accepted.get_or_create(&SourceLabels { source }).set(0.0);
        self.last_refused.get_or_create(&SourceLabels { source }).set(0.0);
    }

    /// Counts an answer to a webhook. `source` is `None` if the request does not look like a webhook of any source.
    pub fn webhook(&self, source: Option<&'static SourceName>, status: &'static str) {
        self.webhooks.get_or_create(&WebhookLabels { source: label(source), status }).inc();
    }

    /// Sets the time of the last accepted webhook.
    pub fn accepted_at(&self, source: &'static SourceName, at: Timestamp) {
        self.last_accepted.get_or_create(&SourceLabels { source: source.as_str() }).set(seconds(at));
    }

    /// Sets the time of the last refused webhook. `source` is `None` if the request does not look like a webhook of any
    /// source.
    pub fn refused_at(&self, source: Option<&'static SourceName>, at: Timestamp) {
        self.last_refused.get_or_create(&SourceLabels { source: label(source) }).set(seconds(at));
    }

    /// Counts an answer of the event API.
    pub fn events_api_request(&self, kind: EventsApiKind, status: EventsApiStatus) {
        self.events_api.get_or_create(&RequestLabels::of(kind, status)).inc();
    }

    /// Sets the end of the last deployment. `None` if there was no deployment yet.
    pub fn last_deployment_at(&self, at: Option<Timestamp>) {
        self.last_deployment.set(at.map_or(0.0, seconds));
    }
}

fn label(source: Option<&'static SourceName>) -> &'static str {
    source.map_or(UNKNOWN, SourceName::as_str)
}

fn seconds(at: Timestamp) -> f64 {
    crate::domain::failure::seconds(at.as_nanos())
}
