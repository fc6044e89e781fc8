//! Counting: first by kind of failures and deployments, then by the rows of the report.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use super::calendar::Periods;
use super::dataset::{Dataset, FailureKind};
use super::deployment_index::{DeploymentKind, Timeline};
use super::names::{NameId, to_u32};
use super::recovery::DatasetFailure;
use super::row::{DeploymentTally, FailureTally, RowSums};
use super::{Env, Grouping, Row};
use crate::domain::timestamp::Timestamp;

/// Counts of each kind in each period.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    dataset: &'a Dataset,
    /// Counts of failures, by the numbers of period and kind.
    pub(super) failures: HashMap<(usize, u32), FailureTally>,
    /// Counts of deployments, by the numbers of period and kind.
    pub(super) deployments: HashMap<(usize, u32), DeploymentTally>,
    /// Numbers of the kinds of deployments that ended in the whole period.
    pub(super) deployed: HashSet<u32>,
}

impl<'a> Tally<'a> {
    /// Counts the failures and deployments of one env, or of all.
    pub(super) fn of(dataset: &'a Dataset, periods: &Periods, env: &Env) -> Self {
        let is_included = |name: NameId| env.has(dataset.names().text(name));
        let mut tally =
            Self { dataset, failures: HashMap::new(), deployments: HashMap::new(), deployed: HashSet::new() };
        let timelines =
            dataset.deployment_index.kinds.iter().zip(&dataset.deployment_index.timelines).enumerate();
        for (kind, (_, line)) in timelines.filter(|(_, (kind, _))| is_included(kind.env)) {
            tally.add_deployments(to_u32(kind), line, periods);
        }
        let kinds = dataset.kinds.iter().zip(&dataset.failures).enumerate();
        for (number_of_kind, (kind, failures)) in kinds.filter(|(_, (kind, _))| is_included(kind.env)) {
            tally.add_failures(to_u32(number_of_kind), kind.has_duration(), failures, periods);
        }
        tally
    }

    fn add_deployments(&mut self, kind: u32, line: &Timeline, periods: &Periods) {
        for (finished_at, outcome) in line.ends() {
            let Some(period) = periods.index(finished_at) else { continue };
            self.deployments.entry((period, kind)).or_default().count(outcome);
            self.deployed.insert(kind);
        }
    }

    fn add_failures(
        &mut self,
        kind: u32,
        have_duration: bool,
        failures: &[DatasetFailure],
        periods: &Periods,
    ) {
        for failure in failures {
            if let Some(period) = periods.index(failure.started_at) {
                self.failures.entry((period, kind)).or_default().begun += 1;
            }
            if have_duration && let Some(period) = failure.finished_at.and_then(|end| periods.index(end)) {
                self.failures.entry((period, kind)).or_default().restored.push(failure.restored_ns);
            }
        }
    }

    /// The rows of the report. `start` returns the start of the period with this number.
    pub(super) fn rows(&self, by: Grouping, start: impl Fn(usize) -> Option<Timestamp>) -> Vec<Row> {
        let dataset = self.dataset;
        let text = |key: Option<NameId>| key.map(|name| dataset.names().text(name));
        let mut rows: BTreeMap<(usize, Option<&str>), RowSums> = BTreeMap::new();
        for ((period, kind), counted) in &self.deployments {
            for key in dataset.deployment_index.kinds[*kind as usize].keys(by) {
                rows.entry((*period, text(key))).or_default().add_deployments(counted);
            }
        }
        for ((period, kind), counted) in &self.failures {
            let kind = &dataset.kinds[*kind as usize];
            for key in kind.keys(by) {
                let is_matched = self.is_matched(kind, by, key);
                rows.entry((*period, text(key))).or_default().add_failures(kind, counted, is_matched);
            }
        }
        rows.into_iter().map(|((period, key), sums)| sums.row(key, start(period))).collect()
    }

    /// `true` if the incidents of a kind are matched in a row: a deployment that they are compared with ended in the
    /// whole period. Decided in each interval, a failure of Monday would have no deployment to count against if its
    /// service is deployed on Fridays.
    pub(super) fn is_matched(&self, kind: &FailureKind, by: Grouping, key: Option<NameId>) -> bool {
        let mut deployments = self.matching_deployment_kinds(kind, by, key).iter();
        deployments.any(|made| self.deployed.contains(made))
    }

    /// `true` if nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.deployments.is_empty()
    }

    /// The envs of everything that was counted, the busiest first.
    pub(super) fn envs(&self) -> Vec<&'a str> {
        let mut counts: HashMap<NameId, usize> = HashMap::new();
        for ((_, kind), counted) in &self.deployments {
            *counts.entry(self.dataset.deployment_index.kinds[*kind as usize].env).or_default() +=
                counted.made;
        }
        for ((_, kind), counted) in &self.failures {
            *counts.entry(self.dataset.kinds[*kind as usize].env).or_default() += counted.begun;
        }
        let mut envs: Vec<(&str, usize)> =
            counts.into_iter().map(|(env, count)| (self.dataset.names().text(env), count)).collect();
        envs.sort_unstable_by_key(|(env, count)| (std::cmp::Reverse(*count), *env));
        envs.into_iter().map(|(env, _)| env).collect()
    }

    /// Kinds of deployments that an incident of a row is matched with. In a row of a service or team: the deployments
    /// of that service or team. In all other rows: those of the incident's own services, or of its team if it has no
    /// service. Links use the same deployments.
    fn matching_deployment_kinds<'k>(
        &'k self,
        kind: &'k FailureKind,
        by: Grouping,
        key: Option<NameId>,
    ) -> &'k [u32] {
        match (by, key) {
            (Grouping::Service, Some(service)) => self.dataset.deployment_index.of_service(kind.env, service),
            (Grouping::Team, Some(team)) => self.dataset.deployment_index.of_team(kind.env, team),
            _ => &kind.own,
        }
    }
}

impl DeploymentKind {
    fn keys(self, by: Grouping) -> impl Iterator<Item = Option<NameId>> {
        let key = match by {
            Grouping::Service => Some(Some(self.service)),
            Grouping::Team => self.team.map(Some),
            Grouping::Env => Some(Some(self.env)),
            Grouping::Severity => None,
            Grouping::None => Some(None),
        };
        key.into_iter()
    }
}
