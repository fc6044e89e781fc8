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

use self::labels::{Bounds, Labels, max_series, services};
use crate::domain::figures::{
    Dataset, DeploymentGroup, Durations, RestoreTimes, ServiceFigures, Trailing, trailing,
};
use crate::domain::timestamp::Timestamp;

/// The trailing windows, the longest first: value of the label, and length in days.
const WINDOWS: [(&str, u64); 4] = [("90d", 90), ("30d", 30), ("7d", 7), ("1d", 1)];
/// Length of the longest window.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
/// Largest number of series of the figures, for any names.
pub const MAX_SERIES: usize = max_series(WINDOWS.len());

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RecoveryLabels {
    service: String,
    env: String,
    window: &'static str,
    stat: &'static str,
}

/// Labels that have data in the longest window. Every window has their counts, which are 0 if nothing happened.
#[derive(Default)]
struct LabelsWithData {
    places: BTreeSet<Labels>,
    severities: BTreeSet<(Labels, String)>,
    services: BTreeSet<(String, String)>,
}

#[derive(Default)]
struct FigureGauges {
    incidents: Family<IncidentLabels, FloatGauge>,
    deployments: Family<DeploymentLabels, FloatGauge>,
    time_to_restore: Family<DurationLabels, FloatGauge>,
    failed_deployments: Family<ServiceLabels, FloatGauge>,
    matched_incidents: Family<ServiceLabels, FloatGauge>,
    unmatched_incidents: Family<ServiceLabels, FloatGauge>,
    change_failure_rate: Family<ServiceLabels, FloatGauge>,
    change_fail_rate: Family<ServiceLabels, FloatGauge>,
    rework_rate: Family<ServiceLabels, FloatGauge>,
    recovery: Family<RecoveryLabels, FloatGauge>,
}

/// The gauges as OpenMetrics text. `dataset` goes back at least [`LONGEST_WINDOW`]. The busiest services, teams, envs
/// and severities of that window have labels of their own, and so has `default_env`.
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
    let bounds = Bounds::of(longest, default_env);
    let seen = LabelsWithData::of(longest, &bounds);
    let gauges = FigureGauges::default();
    for (window, has_rates, figures) in windows {
        gauges.add_zeros(&seen, window);
        gauges.add(&figures, &bounds, window);
        gauges.add_services(figures.by_service, &bounds, window, has_rates);
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
    fn of(longest: &Trailing<'_>, bounds: &Bounds) -> Self {
        let mut seen = Self::default();
        for deployments in &longest.deployments {
            let team = deployments.team.unwrap_or_default();
            seen.places.insert(bounds.labels(deployments.service, team, deployments.env));
        }
        for failures in &longest.failures {
            for service in services(&failures.services) {
                let labels = bounds.labels(service, failures.team.unwrap_or_default(), failures.env);
                let severity = bounds.severity(failures.severity.unwrap_or_default());
                seen.places.insert(labels.clone());
                seen.severities.insert((labels, severity));
            }
        }
        let services = longest.by_service.iter();
        seen.services = services.map(|key| bounds.pair(key.service.unwrap_or_default(), key.env)).collect();
        // A place without failures has 0 incidents, with an empty severity.
        let with_failures: BTreeSet<&Labels> = seen.severities.iter().map(|(labels, _)| labels).collect();
        let without = seen.places.iter().filter(|labels| !with_failures.contains(labels));
        let without: Vec<_> = without.map(|labels| (labels.clone(), String::new())).collect();
        seen.severities.extend(without);
        seen
    }
}

impl FigureGauges {
    fn register(self, registry: &mut Registry) {
        let by_service = [
            (
                "dora_failed_deployments",
                "Deployments that ended in the window and caused a failure",
                self.failed_deployments,
            ),
            (
                "dora_matched_incidents",
                "Incidents that started in the window, if a deployment of their service or team ended in it",
                self.matched_incidents,
            ),
            (
                "dora_unmatched_incidents",
                "Incidents that started in the window, if no deployment of their service or team ended in it",
                self.unmatched_incidents,
            ),
            ("dora_change_failure_rate", "Matched incidents per deployment", self.change_failure_rate),
            ("dora_change_fail_rate", "Failed deployments per deployment", self.change_fail_rate),
            ("dora_rework_rate", "Deployments that fixed a failure, per deployment", self.rework_rate),
        ];
        registry.register("dora_incidents", "Incidents that started in the window", self.incidents);
        registry.register("dora_deployments", "Deployments that ended in the window", self.deployments);
        registry.register(
            "dora_time_to_restore_seconds",
            "Time to restore of failures that ended in the window: from start to end, or the sum of the open \
             periods, as failure.reopened chooses",
            self.time_to_restore,
        );
        for (name, help, family) in by_service {
            registry.register(name, help, family);
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
        for labels in &seen.places {
            self.deployments.get_or_create(&deployment_labels(labels.clone(), window)).set(0.0);
        }
        for (service, env) in &seen.services {
            let labels = ServiceLabels { service: service.clone(), env: env.clone(), window };
            for family in [&self.failed_deployments, &self.matched_incidents, &self.unmatched_incidents] {
                family.get_or_create(&labels).set(0.0);
            }
        }
    }

    fn add(&self, figures: &Trailing<'_>, bounds: &Bounds, window: &'static str) {
        let mut times = BTreeMap::<Labels, Durations>::new();
        for failures in &figures.failures {
            for service in services(&failures.services) {
                let labels = bounds.labels(service, failures.team.unwrap_or_default(), failures.env);
                let severity = bounds.severity(failures.severity.unwrap_or_default());
                let series = incident_labels(labels.clone(), severity, window);
                self.incidents.get_or_create(&series).inc_by(float(failures.incidents));
                times.entry(labels).or_default().extend(&failures.restored);
            }
        }
        for DeploymentGroup { service, team, env, deployments } in &figures.deployments {
            let labels = bounds.labels(service, team.unwrap_or_default(), env);
            let series = deployment_labels(labels, window);
            self.deployments.get_or_create(&series).inc_by(float(*deployments));
        }
        for (Labels { service, team, env }, durations) in times {
            for (stat, value) in statistics(durations) {
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
        bounds: &Bounds,
        window: &'static str,
        has_rates: bool,
    ) {
        let mut sums = BTreeMap::<(String, String), Sum>::new();
        for key in figures {
            let pair = bounds.pair(key.service.unwrap_or_default(), key.env);
            sums.entry(pair).or_default().add(&key);
        }
        for ((service, env), sum) in sums {
            let labels = ServiceLabels { service, env, window };
            for (family, count) in [
                (&self.failed_deployments, sum.failed),
                (&self.matched_incidents, sum.matched),
                (&self.unmatched_incidents, sum.unmatched),
            ] {
                family.get_or_create(&labels).set(float(count));
            }
            let rates = [
                (&self.change_failure_rate, sum.change_failure_rate()),
                (&self.change_fail_rate, sum.per_deployment(sum.failed)),
                (&self.rework_rate, sum.per_deployment(sum.remediations)),
            ];
            for (family, rate) in rates.into_iter().filter(|_| has_rates) {
                if let Some(rate) = rate {
                    family.get_or_create(&labels).set(rate);
                }
            }
            for (stat, value) in statistics(sum.recovered) {
                let (service, env) = (labels.service.clone(), labels.env.clone());
                self.recovery.get_or_create(&RecoveryLabels { service, env, window, stat }).set(value);
            }
        }
    }
}

/// Sum of the counts of all services that have the same labels.
#[derive(Default)]
struct Sum {
    matched: usize,
    unmatched: usize,
    deployments: usize,
    failed: usize,
    remediations: usize,
    recovered: Durations,
}

impl Sum {
    fn add(&mut self, key: &ServiceFigures<'_>) {
        self.matched += key.matched_incidents;
        self.unmatched += key.unmatched_incidents;
        self.deployments += key.deployments;
        self.failed += key.failed_deployments;
        self.remediations += key.remediations;
        self.recovered.extend(&key.recovered);
    }

    fn per_deployment(&self, count: usize) -> Option<f64> {
        (self.deployments > 0).then(|| float(count) / float(self.deployments))
    }

    /// `None` if there are incidents and all of them are unmatched. A rate of 0 would look as if nothing had failed.
    fn change_failure_rate(&self) -> Option<f64> {
        self.per_deployment(self.matched).filter(|_| self.matched > 0 || self.unmatched == 0)
    }
}

fn statistics(durations: Durations) -> impl Iterator<Item = (&'static str, f64)> {
    let RestoreTimes { mean, median, p90, .. } = durations.into();
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
