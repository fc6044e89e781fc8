//! The DORA figures as gauges over trailing windows: a failure that is merged or ignored later leaves the count again.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::tz::TimeZone;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::deployment::Deployments;
use crate::domain::failure::{Failure, State};
use crate::domain::figures::{By, Env, Question, Report, report};
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
struct OfDeployments {
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
    deployments: Family<OfDeployments, Value>,
    time_to_restore: Family<OfTimes, Value>,
    change_failure_rate: Family<OfRates, Value>,
    change_fail_rate: Family<OfRates, Value>,
}

/// The gauges as OpenMetrics text, from what [`crate::store::Reader::figures`] has of the longest window.
pub fn text(
    failures: &[Failure],
    deployments: &Deployments,
    now: Timestamp,
) -> Result<String, std::fmt::Error> {
    let known = Known::of(failures, deployments);
    let gauges = Gauges::default();
    for (window, days) in WINDOWS {
        let since = now.saturating_sub(Duration::from_hours(24 * days));
        gauges.count(failures, deployments, &known, window, since, now);
        for env in envs(failures, deployments) {
            let of_env = ask(By::Service, &env, failures, deployments, since, now);
            gauges.rates(&of_env, &known, &env, window);
        }
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
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn ask(
    by: By,
    env: &str,
    failures: &[Failure],
    deployments: &Deployments,
    since: Timestamp,
    until: Timestamp,
) -> Report {
    let env = Env::One(env.to_owned());
    report(
        &Question { since, until, by, env, interval: None, timezone: TimeZone::UTC },
        failures,
        deployments,
    )
}

fn envs(failures: &[Failure], deployments: &Deployments) -> Vec<String> {
    let of_failures = failures.iter().map(|failure| &failure.env);
    let of_deployments = deployments.as_slice().iter().map(|deployment| &deployment.env);
    let mut envs: Vec<String> = of_failures.chain(of_deployments).cloned().collect();
    envs.sort_unstable();
    envs.dedup();
    envs
}

/// The services that have a label of their own.
struct Known(BTreeMap<String, usize>);

impl Known {
    fn of(failures: &[Failure], deployments: &Deployments) -> Self {
        let mut seen = BTreeMap::<&String, usize>::new();
        let of_failures = failures.iter().flat_map(|failure| &failure.services);
        let of_deployments = deployments.as_slice().iter().map(|deployment| &deployment.service);
        for service in of_failures.chain(of_deployments) {
            *seen.entry(service).or_default() += 1;
        }
        let mut most: Vec<(&String, usize)> = seen.into_iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self(most.into_iter().take(MOST_SERVICES).map(|(name, count)| (name.clone(), count)).collect())
    }

    fn label(&self, service: &str) -> String {
        if self.0.contains_key(service) { service.to_owned() } else { OTHER.to_owned() }
    }

    /// The labels of a failure: of each service, or none.
    fn labels(&self, failure: &Failure) -> Vec<String> {
        if failure.services.is_empty() {
            return vec![String::new()];
        }
        failure.services.iter().map(|service| self.label(service)).collect()
    }
}

impl Gauges {
    fn count(
        &self,
        failures: &[Failure],
        deployments: &Deployments,
        known: &Known,
        window: &'static str,
        since: Timestamp,
        until: Timestamp,
    ) {
        let is_within = |at: Timestamp| at >= since && at < until;
        let mut groups = BTreeMap::<(String, String, String), Vec<Failure>>::new();
        let counting =
            failures.iter().filter(|failure| matches!(failure.state, State::Open | State::Completed));
        for failure in counting {
            for service in known.labels(failure) {
                let (team, env) = (failure.team.clone().unwrap_or_default(), failure.env.clone());
                if is_within(failure.started_at) {
                    let severity = failure.severity.clone().unwrap_or_default();
                    let labels = OfIncidents {
                        service: service.clone(),
                        team: team.clone(),
                        env: env.clone(),
                        severity,
                        window,
                    };
                    self.incidents.get_or_create(&labels).inc();
                }
                groups.entry((service, team, env)).or_default().push(failure.clone());
            }
        }
        for deployment in deployments.as_slice().iter().filter(|deployment| is_within(deployment.finished_at))
        {
            let labels = OfDeployments {
                service: known.label(&deployment.service),
                team: deployment.team.clone().unwrap_or_default(),
                env: deployment.env.clone(),
                window,
            };
            self.deployments.get_or_create(&labels).inc();
        }
        let no_deployments = Deployments::default();
        for ((service, team, env), failures) in groups {
            let all = ask(By::None, &env, &failures, &no_deployments, since, until);
            let Some(times) = all.rows.first().map(|row| &row.time_to_restore_seconds) else { continue };
            for (stat, value) in [("mean", times.mean), ("median", times.median), ("p90", times.p90)] {
                if let Some(value) = value {
                    let (service, team, env) = (service.clone(), team.clone(), env.clone());
                    self.time_to_restore
                        .get_or_create(&OfTimes { service, team, env, window, stat })
                        .set(value);
                }
            }
        }
    }

    /// Services that have no label of their own have no rate: rates do not add up.
    fn rates(&self, report: &Report, known: &Known, env: &str, window: &'static str) {
        for row in &report.rows {
            let Some(service) = row.key.clone().filter(|service| known.0.contains_key(service)) else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::deployment;
    use crate::domain::failure::tests::completed;

    #[test]
    fn the_figures_as_gauges() {
        let failure = completed().failure;
        let deployed = vec![
            deployment("1", "checkout", "09:00", "09:10"),
            deployment("2", "checkout", "12:00", "12:10"),
        ];
        let linked = Failure { deployment: Some(deployed[0].id.to_string()), ..failure };
        let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
        let text = text(&[linked], &Deployments::new(deployed), now).unwrap();
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
        let text = text(&failures, &Deployments::default(), now).unwrap();
        let seven = |line: &&str| line.starts_with("dora_incidents{") && line.contains("window=\"7d\"");
        assert_eq!(text.lines().filter(seven).count(), MOST_SERVICES + 1);
        let other = text.lines().filter(seven).find(|line| line.contains("service=\"other\"")).unwrap();
        assert!(other.ends_with(" 50.0"), "{other}");
    }
}
