//! Limits on the labels of the figures: the busiest names have labels of their own, all others count as `other`.
//!
//! Services, teams, envs and severities come from outside. A pipeline that makes an env for each pull request would
//! otherwise fill Prometheus with series.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use foldhash::HashSet;

use crate::domain::figures::NamedSums;
use crate::domain::figures::list::{FIGURES, GaugeLabels};

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

/// Largest number of series of the figures, for this number of windows.
pub(super) const fn max_series(windows: usize) -> usize {
    let (mut of_each_combination, mut figure) = (0, 0);
    while figure < FIGURES.len() {
        let (gauges, mut index) = (FIGURES[figure].gauges, 0);
        while index < gauges.len() {
            of_each_combination += match gauges[index].1.labels {
                // `other`, and none.
                GaugeLabels::Severity => MOST_SEVERITIES + 2,
                GaugeLabels::Service | GaugeLabels::Team => 1,
            };
            index += 1;
        }
        figure += 1;
    }
    windows * ALL_COMBINATIONS * of_each_combination
}

/// The labels of a series besides the window and those of the gauge itself, such as `stat`. A label is empty if there is no name, and `None` if the gauge
/// does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    pub(super) service: String,
    pub(super) team: Option<String>,
    pub(super) env: String,
    pub(super) severity: Option<String>,
}

impl Labels {
    /// The gauges that have these labels.
    pub(super) const fn of_gauges(&self) -> GaugeLabels {
        match (&self.team, &self.severity) {
            (None, _) => GaugeLabels::Service,
            (Some(_), None) => GaugeLabels::Team,
            (Some(_), Some(_)) => GaugeLabels::Severity,
        }
    }
}

/// Labels of a service, a team and an env.
type Combination = (String, String, String);

/// The names that have labels of their own.
pub(super) struct LabelLimits {
    services: HashSet<String>,
    teams: HashSet<String>,
    envs: HashSet<String>,
    severities: HashSet<String>,
    combinations: HashSet<Combination>,
    /// The services and envs of `combinations`.
    pairs: HashSet<(String, String)>,
}

impl LabelLimits {
    /// The busiest names of the longest window. `default_env` always has a label of its own.
    pub(super) fn of(
        longest: &[NamedSums<'_>],
        severities: BTreeMap<&str, usize>,
        default_env: &str,
    ) -> Self {
        let busy = CountsByName::of(longest);
        let mut envs = busiest(busy.envs, MOST_ENVS);
        envs.insert(default_env.to_owned());
        let mut limits = Self {
            services: busiest(busy.services, MOST_SERVICES),
            teams: busiest(busy.teams, MOST_TEAMS),
            envs,
            severities: busiest(severities, MOST_SEVERITIES),
            combinations: HashSet::default(),
            pairs: HashSet::default(),
        };
        let mut combinations = BTreeMap::<Combination, usize>::new();
        for ((service, team, env), count) in busy.combinations {
            *combinations.entry(limits.own_labels(service, team, env)).or_default() += count;
        }
        let mut combinations: Vec<(Combination, usize)> = combinations.into_iter().collect();
        combinations.sort_by_key(|(_, count)| Reverse(*count));
        limits.combinations = combinations.into_iter().take(MOST_COMBINATIONS).map(|(own, _)| own).collect();
        let pairs = limits.combinations.iter().map(|(service, _, env)| (service.clone(), env.clone()));
        limits.pairs = pairs.collect();
        limits
    }

    /// The labels of these names in each kind of gauges. Without failures there are none with a severity.
    pub(super) fn labels(&self, names: &NamedSums<'_>) -> impl Iterator<Item = Labels> {
        let NamedSums { service, team, env, severity, sums } = names;
        let own = self.own_labels(service, team, env);
        let pair = (own.0.clone(), own.2.clone());
        let (service, env) =
            if self.pairs.contains(&pair) { pair } else { (OTHER.to_owned(), own.2.clone()) };
        let by_service = Labels { service, team: None, env, severity: None };
        let (service, team, env) =
            if self.combinations.contains(&own) { own } else { (OTHER.to_owned(), OTHER.to_owned(), own.2) };
        let by_team = Labels { service, team: Some(team), env, severity: None };
        let severity = (sums.failures() > 0).then(|| own_or_other(&self.severities, severity));
        let by_severity = severity.map(|severity| Labels { severity: Some(severity), ..by_team.clone() });
        [by_service, by_team].into_iter().chain(by_severity)
    }

    /// The labels of a service, team and env, each limited by itself: their combination may still be too rare.
    fn own_labels(&self, service: &str, team: &str, env: &str) -> Combination {
        (
            own_or_other(&self.services, service),
            own_or_other(&self.teams, team),
            own_or_other(&self.envs, env),
        )
    }
}

fn own_or_other(own: &HashSet<String>, name: &str) -> String {
    let is_own = name.is_empty() || own.contains(name);
    if is_own { name.to_owned() } else { OTHER.to_owned() }
}

fn busiest(counts: BTreeMap<&str, usize>, most: usize) -> HashSet<String> {
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
    combinations: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> CountsByName<'a> {
    fn of(parts: &[NamedSums<'a>]) -> Self {
        let mut busy = Self::default();
        for &NamedSums { service, team, env, ref sums, .. } in parts {
            let count = sums.failures() + sums.deployments();
            *busy.services.entry(service).or_default() += count;
            *busy.teams.entry(team).or_default() += count;
            *busy.envs.entry(env).or_default() += count;
            *busy.combinations.entry((service, team, env)).or_default() += count;
        }
        busy
    }
}
