//! The DORA figures as gauges over trailing windows: a failure that is merged or ignored later leaves the count again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::figures::{Basis, Durations, OfDeployments, RestoreTimes, Row, Trailing, trailing};
use crate::domain::timestamp::Timestamp;

/// The trailing windows, by the words of the label.
const WINDOWS: [(&str, u64); 4] = [("1d", 1), ("7d", 7), ("30d", 30), ("90d", 90)];
/// The longest of them.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
/// Every service is four windows of a dozen series. Those beyond count as one, so that Prometheus stays well.
const MOST_SERVICES: usize = 500;
/// What those are called together.
const OTHER: &str = "other";

type Value = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIncidents {
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
struct OfTimes {
    service: String,
    team: String,
    env: String,
    window: &'static str,
    stat: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRates {
    service: String,
    env: String,
    window: &'static str,
}

#[derive(Default)]
struct Gauges {
    incidents: Family<OfIncidents, Value>,
    deployments: Family<DeploymentLabels, Value>,
    time_to_restore: Family<OfTimes, Value>,
    change_failure_rate: Family<OfRates, Value>,
    change_fail_rate: Family<OfRates, Value>,
}

/// The gauges as OpenMetrics text. `basis` goes back at least [`LONGEST_WINDOW`]; which services have a label of their
/// own is decided by all that is in it.
pub fn text(basis: &Basis, now: Timestamp) -> Result<String, std::fmt::Error> {
    let known = Known::of(basis);
    let gauges = Gauges::default();
    for (window, days) in WINDOWS {
        let since = now.saturating_sub(Duration::from_hours(24 * days));
        gauges.add(trailing(basis, since, now), &known, window);
    }
    let mut registry = Registry::default();
    let Gauges { incidents, deployments, time_to_restore, change_failure_rate, change_fail_rate } = gauges;
    registry.register("dora_incidents", "Failures that began in the window", incidents);
    registry.register("dora_deployments", "Deployments that ended in the window", deployments);
    registry.register(
        "dora_time_to_restore_seconds",
        "Of failures that ended in the window",
        time_to_restore,
    );
    registry.register("dora_change_failure_rate", "Incidents per deployment", change_failure_rate);
    registry.register("dora_change_fail_rate", "Failed deployments per deployment", change_fail_rate);
    let computed_at = Value::default();
    computed_at.set(crate::domain::failure::seconds(now.as_nanos()));
    registry.register(
        "pagerduty_dora_figures_timestamp_seconds",
        "When the dora_ gauges were computed",
        computed_at,
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// The services that have a label of their own.
struct Known(BTreeSet<String>);

impl Known {
    fn of(basis: &Basis) -> Self {
        let mut most: Vec<(&str, usize)> = basis.services().into_iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self(most.into_iter().take(MOST_SERVICES).map(|(name, _)| name.to_owned()).collect())
    }

    fn label(&self, service: &str) -> String {
        if self.0.contains(service) { service.to_owned() } else { OTHER.to_owned() }
    }

    /// The labels of a failure: of each service, or none.
    fn labels(&self, services: &[&str]) -> Vec<String> {
        if services.is_empty() {
            return vec![String::new()];
        }
        services.iter().map(|service| self.label(service)).collect()
    }
}

impl Gauges {
    fn add(&self, figures: Trailing<'_>, known: &Known, window: &'static str) {
        let owned = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let mut times = BTreeMap::<(String, String, String), Durations>::new();
        for failures in figures.failures {
            let (team, env, severity) =
                (owned(failures.team), failures.env.to_owned(), owned(failures.severity));
            for service in known.labels(&failures.services) {
                if failures.incidents > 0 {
                    let (service, team, env, severity) =
                        (service.clone(), team.clone(), env.clone(), severity.clone());
                    let labels = OfIncidents { service, team, env, severity, window };
                    self.incidents.get_or_create(&labels).inc_by(float(failures.incidents));
                }
                times.entry((service, team.clone(), env.clone())).or_default().extend(&failures.restored);
            }
        }
        for OfDeployments { service, team, env, deployments } in figures.deployments {
            let (service, team, env) = (known.label(service), owned(team), env.to_owned());
            let labels = DeploymentLabels { service, team, env, window };
            self.deployments.get_or_create(&labels).inc_by(float(deployments));
        }
        for ((service, team, env), durations) in times {
            let times = RestoreTimes::from(durations);
            for (stat, value) in [("mean", times.mean), ("median", times.median), ("p90", times.p90)] {
                if let Some(value) = value {
                    let (service, team, env) = (service.clone(), team.clone(), env.clone());
                    let labels = OfTimes { service, team, env, window, stat };
                    self.time_to_restore.get_or_create(&labels).set(value);
                }
            }
        }
        for (env, rows) in figures.by_service {
            self.rates(&rows, known, env, window);
        }
    }

    /// Services that have no label of their own have no rate: rates do not add up.
    fn rates(&self, rows: &[Row], known: &Known, env: &str, window: &'static str) {
        for row in rows {
            let Some(service) = row.key.clone().filter(|service| known.0.contains(service)) else {
                continue;
            };
            let labels = OfRates { service, env: env.to_owned(), window };
            for (family, rate) in [
                (&self.change_failure_rate, row.change_failure_rate),
                (&self.change_fail_rate, row.change_fail_rate),
            ] {
                if let Some(rate) = rate {
                    family.get_or_create(&labels).set(rate);
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 deployments")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::Deployments;
    use crate::domain::deployment::tests::deployment;
    use crate::domain::failure::Failure;
    use crate::domain::failure::tests::completed;
    use crate::domain::figures::tests::basis;

    #[test]
    fn the_figures_as_gauges() {
        let failure = completed().failure;
        let deployed = vec![
            deployment("1", "checkout", "09:00", "09:10"),
            deployment("2", "checkout", "12:00", "12:10"),
        ];
        let linked = Failure { deployment: Some(deployed[0].id.to_string()), ..failure };
        let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
        let text = text(&basis(&[linked], &Deployments::new(deployed)), now).unwrap();
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        lines.sort_unstable();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn services_beyond_the_most_count_as_one() {
        let failures: Vec<Failure> = (0..MOST_SERVICES + 50)
            .map(|n| Failure { services: vec![format!("service-{n}")], ..completed().failure })
            .collect();
        let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
        let text = text(&basis(&failures, &Deployments::default()), now).unwrap();
        let seven = |line: &&str| line.starts_with("dora_incidents{") && line.contains("window=\"7d\"");
        assert_eq!(text.lines().filter(seven).count(), MOST_SERVICES + 1);
        let other = text.lines().filter(seven).find(|line| line.contains("service=\"other\"")).unwrap();
        assert!(other.ends_with(" 50.0"), "{other}");
    }
}
