//! Limits on the labels of the figures: the busiest names have labels of their own, all others count as `other`.
//!
//! Services, teams, envs and severities come from outside. A pipeline that makes an env for each pull request would
//! otherwise fill Prometheus with series.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::figures::{DeploymentGroup, Trailing};

/// Label of all names that have no label of their own.
pub(super) const OTHER: &str = "other";
/// Largest number of services with a label of their own.
pub(super) const MOST_SERVICES: usize = 500;
const MOST_TEAMS: usize = 200;
/// Largest number of envs with a label of their own, besides the default env.
pub(super) const MOST_ENVS: usize = 50;
const MOST_SEVERITIES: usize = 10;
/// Largest number of combinations of service, team and env with labels of their own.
const MOST_COMBINATIONS: usize = 1_000;
/// Maximum number of all combinations: those above, and one with [`OTHER`] for each env with a label of its own, for
/// the default env, and for the env `other`.
const ALL_COMBINATIONS: usize = MOST_COMBINATIONS + MOST_ENVS + 2;
/// Largest number of series of the figures, for this number of windows, and of gauges of each service and env.
pub(super) const fn max_series(windows: usize, service_gauges: usize) -> usize {
    // Incidents by severity (with `other` and none), deployments, three statistics of the time to restore, the gauges
    // of each service and env, and three statistics of the recovery time.
    windows * ALL_COMBINATIONS * (MOST_SEVERITIES + 2 + 1 + 3 + service_gauges + 3)
}

/// A service, team and env as labels. A label is empty if there is no name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels {
    pub(super) service: String,
    pub(super) team: String,
    pub(super) env: String,
}

/// The names that have labels of their own.
pub(super) struct LabelLimits {
    services: BTreeSet<String>,
    teams: BTreeSet<String>,
    envs: BTreeSet<String>,
    severities: BTreeSet<String>,
    combinations: BTreeSet<Labels>,
    /// The services and envs of `combinations`.
    pairs: BTreeSet<(String, String)>,
}

impl LabelLimits {
    /// The busiest names of the longest window. `default_env` always has a label of its own.
    pub(super) fn of(longest: &Trailing<'_>, default_env: &str) -> Self {
        let mut busy = CountsByName::default();
        busy.add(longest);
        let mut envs = busiest(busy.envs, MOST_ENVS);
        envs.insert(default_env.to_owned());
        let mut limits = Self {
            services: busiest(busy.services, MOST_SERVICES),
            teams: busiest(busy.teams, MOST_TEAMS),
            envs,
            severities: busiest(busy.severities, MOST_SEVERITIES),
            combinations: BTreeSet::new(),
            pairs: BTreeSet::new(),
        };
        let mut combinations = BTreeMap::<Labels, usize>::new();
        for ((service, team, env), count) in busy.combinations {
            *combinations.entry(limits.own_labels(service, team, env)).or_default() += count;
        }
        let mut combinations: Vec<(Labels, usize)> = combinations.into_iter().collect();
        combinations.sort_by_key(|(_, count)| Reverse(*count));
        limits.combinations =
            combinations.into_iter().take(MOST_COMBINATIONS).map(|(labels, _)| labels).collect();
        let pairs =
            limits.combinations.iter().map(|Labels { service, env, .. }| (service.clone(), env.clone()));
        limits.pairs = pairs.collect();
        limits
    }

    /// The labels of a service, team and env.
    pub(super) fn labels(&self, service: &str, team: &str, env: &str) -> Labels {
        let labels = self.own_labels(service, team, env);
        if self.combinations.contains(&labels) {
            return labels;
        }
        Labels { service: OTHER.to_owned(), team: OTHER.to_owned(), env: labels.env }
    }

    /// The labels of a service and env.
    pub(super) fn pair(&self, service: &str, env: &str) -> (String, String) {
        let pair = (own_or_other(&self.services, service), own_or_other(&self.envs, env));
        if self.pairs.contains(&pair) { pair } else { (OTHER.to_owned(), pair.1) }
    }

    /// The label of a severity.
    pub(super) fn severity(&self, severity: &str) -> String {
        own_or_other(&self.severities, severity)
    }

    /// The labels of a service, team and env, each limited by itself: their combination may still be too rare.
    fn own_labels(&self, service: &str, team: &str, env: &str) -> Labels {
        Labels {
            service: own_or_other(&self.services, service),
            team: own_or_other(&self.teams, team),
            env: own_or_other(&self.envs, env),
        }
    }
}

fn own_or_other(own: &BTreeSet<String>, name: &str) -> String {
    let is_own = name.is_empty() || own.contains(name);
    if is_own { name.to_owned() } else { OTHER.to_owned() }
}

fn busiest(counts: BTreeMap<&str, usize>, most: usize) -> BTreeSet<String> {
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(_, count)| Reverse(*count));
    names.into_iter().take(most).map(|(name, _)| name.to_owned()).collect()
}

/// Number of failures and deployments of each name.
#[derive(Default)]
struct CountsByName<'a> {
    services: BTreeMap<&'a str, usize>,
    teams: BTreeMap<&'a str, usize>,
    envs: BTreeMap<&'a str, usize>,
    severities: BTreeMap<&'a str, usize>,
    combinations: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> CountsByName<'a> {
    fn add(&mut self, figures: &Trailing<'a>) {
        for failures in &figures.failures {
            let count = failures.incidents + failures.restored.len();
            *self.severities.entry(failures.severity.unwrap_or_default()).or_default() += count;
            for service in services(&failures.services) {
                self.add_combination(service, failures.team.unwrap_or_default(), failures.env, count);
            }
        }
        for &DeploymentGroup { service, team, env, deployments } in &figures.deployments {
            self.add_combination(service, team.unwrap_or_default(), env, deployments);
        }
    }

    fn add_combination(&mut self, service: &'a str, team: &'a str, env: &'a str, count: usize) {
        *self.services.entry(service).or_default() += count;
        *self.teams.entry(team).or_default() += count;
        *self.envs.entry(env).or_default() += count;
        *self.combinations.entry((service, team, env)).or_default() += count;
    }
}

/// The services of failures, or the empty label if they have none.
pub(super) fn services<'a>(services: &[&'a str]) -> Vec<&'a str> {
    if services.is_empty() { vec![""] } else { services.to_vec() }
}
