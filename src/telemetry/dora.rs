//! The DORA figures as gauges over trailing windows. Counters would be wrong: a failure that is merged or ignored later
//! leaves the count again.

mod labels;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::labels::{LabelLimits, Labels, max_series, services};
use crate::domain::figures::list::{self, Value};
use crate::domain::figures::{
    Dataset, DeploymentGroup, Durations, RecoveryTimes, RestoreTimes, Row, RowSums, ServiceFigures, Trailing,
    trailing,
};
use crate::domain::timestamp::Timestamp;

/// The trailing windows, the longest first: value of the label, and length in days.
const WINDOWS: [(&str, u64); 4] = [("90d", 90), ("30d", 30), ("7d", 7), ("1d", 1)];
/// Length of the longest window.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
/// Largest number of series of the figures, for any names.
pub const MAX_SERIES: usize = max_series(WINDOWS.len(), SERVICE_GAUGES.len());

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IncidentLabels {
    service: String,
    team: String,
    env: String,
    severity: String,
    window: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeploymentLabels {
    service: String,
    team: String,
    env: String,
    window: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    service: String,
    team: String,
    env: String,
    window: &'static str,
    stat: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: String,
    env: String,
    window: &'static str,
}

/// A gauge of each service and env.
struct ServiceGauge {
    name: &'static str,
    help: &'static str,
    value: Value,
}

/// Gauges of each service and env, besides the recovery times.
const SERVICE_GAUGES: [ServiceGauge; 6] = [
    ServiceGauge {
        name: "dora_failed_deployments",
        help: "Deployments that ended in the window and caused a failure",
        value: list::FAILED_DEPLOYMENTS.value,
    },
    ServiceGauge {
        name: "dora_matched_incidents",
        help: "Incidents that started in the window, if a deployment of their service or team ended in it",
        value: Value::Count(Row::matched_incidents),
    },
    ServiceGauge {
        name: "dora_unmatched_incidents",
        help: "Incidents that started in the window, if no deployment of their service or team ended in it",
        value: list::UNMATCHED_INCIDENTS.value,
    },
    ServiceGauge {
        name: "dora_change_failure_rate",
        help: "Matched incidents per deployment",
        // If all incidents are unmatched, there is no series: 0 would look as if nothing had failed.
        value: Value::Ratio(|row| {
            row.change_failure_rate.filter(|_| row.matched_incidents() > 0 || row.incidents == 0)
        }),
    },
    ServiceGauge {
        name: "dora_change_fail_rate",
        help: "Failed deployments per deployment",
        value: list::CHANGE_FAIL_RATE.value,
    },
    ServiceGauge {
        name: "dora_rework_rate",
        help: "Deployments that fixed a failure, per deployment",
        value: list::REWORK_RATE.value,
    },
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecoveryLabels {
    service: String,
    env: String,
    window: &'static str,
    stat: &'static str,
}

/// Labels that have data in the longest window. Each of them has counts in every window: 0 if nothing happened there.
#[derive(Default)]
struct LabelsWithData {
    combinations: BTreeSet<Labels>,
    severities: BTreeSet<(Labels, String)>,
    services: BTreeSet<(String, String)>,
}

#[derive(Default)]
struct FigureGauges {
    incidents: Family<IncidentLabels, FloatGauge>,
    deployments: Family<DeploymentLabels, FloatGauge>,
    time_to_restore: Family<DurationLabels, FloatGauge>,
    /// In the order of [`SERVICE_GAUGES`].
    by_service: [Family<ServiceLabels, FloatGauge>; SERVICE_GAUGES.len()],
    recovery: Family<RecoveryLabels, FloatGauge>,
}

/// The gauges as OpenMetrics text. `dataset` goes back at least [`LONGEST_WINDOW`]. The busiest services, teams, envs
/// and severities of that window, and `default_env`, have labels of their own.
pub fn text(
    dataset: &Dataset,
    now: Timestamp,
    (default_env, link_window): (&str, Duration),
) -> Result<String, std::fmt::Error> {
    let windows = WINDOWS.map(|(window, days)| {
        let length = Duration::from_hours(24 * days);
        // If the window is not longer than the link window, all of its deployments may still cause failures.
        let has_rates = length > link_window;
        (window, has_rates, trailing(dataset, now.saturating_sub(length), now))
    });
    let [(.., longest), ..] = &windows;
    let limits = LabelLimits::of(longest, default_env);
    let seen = LabelsWithData::of(longest, &limits);
    let gauges = FigureGauges::default();
    for (window, has_rates, figures) in windows {
        gauges.add_zeros(&seen, window);
        gauges.add(&figures, &limits, window);
        gauges.add_services(figures.by_service, &limits, window, has_rates);
    }
    let mut registry = Registry::default();
    gauges.register(&mut registry);
    let computed_at = FloatGauge::default();
    computed_at.set(crate::domain::failure::seconds(now.as_nanos()));
    registry.register(
        "pagerduty_dora_figures_timestamp_seconds",
        "Time at which the dora_ gauges were computed",
        computed_at,
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl LabelsWithData {
    fn of(longest: &Trailing<'_>, limits: &LabelLimits) -> Self {
        let mut seen = Self::default();
        for deployments in &longest.deployments {
            let team = deployments.team.unwrap_or_default();
            seen.combinations.insert(limits.labels(deployments.service, team, deployments.env));
        }
        for failures in &longest.failures {
            for service in services(&failures.services) {
                let labels = limits.labels(service, failures.team.unwrap_or_default(), failures.env);
                let severity = limits.severity(failures.severity.unwrap_or_default());
                seen.combinations.insert(labels.clone());
                seen.severities.insert((labels, severity));
            }
        }
        let services = longest.by_service.iter();
        seen.services = services.map(|key| limits.pair(key.service.unwrap_or_default(), key.env)).collect();
        // A combination without failures has 0 incidents, with an empty severity.
        let with_failures: BTreeSet<&Labels> = seen.severities.iter().map(|(labels, _)| labels).collect();
        let without = seen.combinations.iter().filter(|labels| !with_failures.contains(labels));
        let without: Vec<_> = without.map(|labels| (labels.clone(), String::new())).collect();
        seen.severities.extend(without);
        seen
    }
}

impl FigureGauges {
    fn register(self, registry: &mut Registry) {
        registry.register("dora_incidents", "Incidents that started in the window", self.incidents);
        registry.register("dora_deployments", "Deployments that ended in the window", self.deployments);
        registry.register(
            "dora_time_to_restore_seconds",
            "Time to restore of failures that ended in the window: from start to end, or the sum of the open \
             periods, as failure.reopened chooses",
            self.time_to_restore,
        );
        for (ServiceGauge { name, help, .. }, family) in SERVICE_GAUGES.iter().zip(self.by_service) {
            registry.register(*name, *help, family);
        }
        registry.register(
            "dora_failed_deployment_recovery_seconds",
            "Time from the end of a failed deployment to the end of the first unbroken run of its failures",
            self.recovery,
        );
    }

    fn add_zeros(&self, seen: &LabelsWithData, window: &'static str) {
        for (labels, severity) in &seen.severities {
            self.incidents.get_or_create(&incident_labels(labels.clone(), severity.clone(), window)).set(0.0);
        }
        for labels in &seen.combinations {
            self.deployments.get_or_create(&deployment_labels(labels.clone(), window)).set(0.0);
        }
        for (service, env) in &seen.services {
            let labels = ServiceLabels { service: service.clone(), env: env.clone(), window };
            for (gauge, family) in SERVICE_GAUGES.iter().zip(&self.by_service) {
                if matches!(gauge.value, Value::Count(_)) {
                    family.get_or_create(&labels).set(0.0);
                }
            }
        }
    }

    fn add(&self, figures: &Trailing<'_>, limits: &LabelLimits, window: &'static str) {
        let mut times = BTreeMap::<Labels, Durations>::new();
        for failures in &figures.failures {
            for service in services(&failures.services) {
                let labels = limits.labels(service, failures.team.unwrap_or_default(), failures.env);
                let severity = limits.severity(failures.severity.unwrap_or_default());
                let series = incident_labels(labels.clone(), severity, window);
                self.incidents.get_or_create(&series).inc_by(float(failures.incidents));
                times.entry(labels).or_default().extend(&failures.restored);
            }
        }
        for DeploymentGroup { service, team, env, deployments } in &figures.deployments {
            let labels = limits.labels(service, team.unwrap_or_default(), env);
            let series = deployment_labels(labels, window);
            self.deployments.get_or_create(&series).inc_by(float(*deployments));
        }
        for (Labels { service, team, env }, durations) in times {
            let RestoreTimes { mean, median, p90, .. } = durations.into();
            for (stat, value) in statistics([mean, median, p90]) {
                let (service, team, env) = (service.clone(), team.clone(), env.clone());
                let labels = DurationLabels { service, team, env, window, stat };
                self.time_to_restore.get_or_create(&labels).set(value);
            }
        }
    }

    /// Adds up the counts with the same labels, then divides, because rates cannot be added up.
    fn add_services(
        &self,
        figures: Vec<ServiceFigures<'_>>,
        limits: &LabelLimits,
        window: &'static str,
        has_rates: bool,
    ) {
        let mut sums = BTreeMap::<(String, String), RowSums>::new();
        for ServiceFigures { service, env, sums: of_service } in figures {
            let pair = limits.pair(service.unwrap_or_default(), env);
            sums.entry(pair).or_default().add(&of_service);
        }
        for ((service, env), sums) in sums {
            let row = sums.row(None, None);
            let labels = ServiceLabels { service, env, window };
            for (gauge, family) in SERVICE_GAUGES.iter().zip(&self.by_service) {
                if let Some(value) = gauge.value.number(&row).filter(|_| has_rates || !gauge.value.is_ratio())
                {
                    family.get_or_create(&labels).set(value);
                }
            }
            let RecoveryTimes { mean, median, p90, .. } = row.failed_deployment_recovery_time_seconds;
            for (stat, value) in statistics([mean, median, p90]) {
                let (service, env) = (labels.service.clone(), labels.env.clone());
                self.recovery.get_or_create(&RecoveryLabels { service, env, window, stat }).set(value);
            }
        }
    }
}

/// The statistics that have a value, with their labels.
fn statistics([mean, median, p90]: [Option<f64>; 3]) -> impl Iterator<Item = (&'static str, f64)> {
    let all = [("mean", mean), ("median", median), ("p90", p90)];
    all.into_iter().filter_map(|(stat, value)| Some((stat, value?)))
}

fn incident_labels(labels: Labels, severity: String, window: &'static str) -> IncidentLabels {
    let Labels { service, team, env } = labels;
    IncidentLabels { service, team, env, severity, window }
}

fn deployment_labels(labels: Labels, window: &'static str) -> DeploymentLabels {
    let Labels { service, team, env } = labels;
    DeploymentLabels { service, team, env, window }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 deployments")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
