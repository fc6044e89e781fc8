//! Counting: first by kind of failures and deployments, then by the rows of the report.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt, HashSet};

use super::calendar::Periods;
use super::dataset::{Dataset, FailureKind};
use super::dataset_failure::{CauseFound, DatasetFailure};
use super::deployment_index::{DeploymentKind, Timeline};
use super::names::{NameId, to_u32};
use super::sums::{DeploymentTally, FailureTally, RowSums};
use super::{Env, Grouping, ReportQuery};
use crate::domain::statistics::is_pending;
use crate::domain::timestamp::Timestamp;

/// Failures and deployments that count, and the moments that decide how.
#[derive(Debug, Clone)]
pub(super) struct Scope<'q> {
    /// Envs that count.
    pub(super) env: &'q Env,
    /// The only service that counts.
    pub(super) service: Option<&'q str>,
    /// The only team that counts.
    pub(super) team: Option<&'q str>,
    /// Start of the period in which incidents are matched with deployments.
    pub(super) matched_since: Timestamp,
    /// End of that period.
    pub(super) matched_until: Timestamp,
    /// Moment up to which everything known is used.
    pub(super) as_of: Timestamp,
    /// Time after its end for which a deployment is pending.
    pub(super) link_window: Duration,
}

impl<'q> Scope<'q> {
    /// The scope of a report.
    pub(super) fn of(query: &'q ReportQuery) -> Self {
        Self {
            env: &query.env,
            service: query.service.as_deref(),
            team: query.team.as_deref(),
            matched_since: query.since,
            matched_until: query.until,
            as_of: query.as_of,
            link_window: query.link_window,
        }
    }
}

/// Counts of each kind in each period.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    dataset: &'a Dataset,
    /// The only service whose rows are shown.
    service: Option<NameId>,
    /// Failures that are open and began before the end of the last period.
    still_open: usize,
    /// Counts of failures, by the numbers of period and kind.
    pub(super) failures: HashMap<(usize, u32), FailureTally>,
    /// Counts of deployments, by the numbers of period and kind.
    pub(super) deployments: HashMap<(usize, u32), DeploymentTally>,
    /// Numbers of the kinds of deployments that ended in the period in which incidents are matched.
    pub(super) deployed: HashSet<u32>,
}

/// Counts of the failures of one kind, by the number of the period. Of one kind there are many failures in few periods,
/// so an index is faster than a hash for each failure.
struct TalliesOfKind {
    tallies: Vec<FailureTally>,
    /// Numbers of the periods that have a failure.
    used: Vec<usize>,
}

impl TalliesOfKind {
    fn new(periods: usize) -> Self {
        let mut tallies = Vec::new();
        tallies.resize_with(periods, FailureTally::default);
        Self { tallies, used: Vec::new() }
    }

    /// Counts of a period, to which the caller adds a failure.
    fn in_period(&mut self, period: usize) -> &mut FailureTally {
        let tally = &mut self.tallies[period];
        if tally.begun == 0 && tally.restored.len() == 0 {
            self.used.push(period);
        }
        tally
    }

    /// The counts of the periods that have a failure. Afterwards there are none.
    fn drain(&mut self) -> impl Iterator<Item = (usize, FailureTally)> {
        self.used.drain(..).map(|period| (period, std::mem::take(&mut self.tallies[period])))
    }
}

impl<'a> Tally<'a> {
    /// Counts the failures and deployments of a scope.
    pub(super) fn of(dataset: &'a Dataset, periods: &Periods, scope: &Scope<'_>) -> Self {
        let names = dataset.names();
        let has_env = |name: NameId| scope.env.has(names.text(name));
        // `None`: every name. `Some(None)`: a name that nothing has.
        let [service, team] = [scope.service, scope.team].map(|name| name.map(|name| names.find(name)));
        let has_service = |name: NameId| service.is_none_or(|service| service == Some(name));
        let has_team = |name: Option<NameId>| team.is_none_or(|team| team.is_some() && team == name);

        let kinds = &dataset.deployment_index.kinds;
        let mut tally = Self {
            dataset,
            service: service.flatten(),
            still_open: 0,
            failures: HashMap::new(),
            deployments: HashMap::new(),
            deployed: deployed(dataset, scope),
        };
        for (number, kind) in kinds.iter().enumerate() {
            if has_env(kind.env) && has_service(kind.service) && has_team(kind.team) {
                let line = &dataset.deployment_index.timelines[number];
                tally.add_deployments(to_u32(number), line, periods, scope);
            }
        }
        let mut of_kind = TalliesOfKind::new(periods.len());
        for (number, kind) in dataset.kinds.iter().enumerate() {
            let is_of_service = service.is_none() || kind.services.iter().copied().any(has_service);
            if has_env(kind.env) && is_of_service && has_team(kind.team) {
                let failures = &dataset.failures[number];
                if kind.counts() {
                    tally.add_failures(to_u32(number), kind, failures, &mut of_kind, (periods, scope));
                } else {
                    tally.add_ignored(to_u32(number), failures, periods);
                }
            }
        }
        tally
    }

    fn add_deployments(&mut self, kind: u32, line: &Timeline, periods: &Periods, scope: &Scope<'_>) {
        let link_window = i64::try_from(scope.link_window.as_nanos()).unwrap_or(i64::MAX);
        for (finished_at, outcome) in line.ends() {
            let Some(period) = periods.index(finished_at) else { continue };
            let is_pending = is_pending(finished_at.as_nanos(), link_window, scope.as_of.as_nanos());
            self.deployments.entry((period, kind)).or_default().count(outcome, is_pending);
        }
    }

    fn add_ignored(&mut self, kind: u32, failures: &[DatasetFailure], periods: &Periods) {
        for period in failures.iter().filter_map(|failure| periods.index(failure.started_at)) {
            self.failures.entry((period, kind)).or_default().begun += 1;
        }
    }

    fn add_failures(
        &mut self,
        number: u32,
        kind: &FailureKind,
        failures: &[DatasetFailure],
        of_kind: &mut TalliesOfKind,
        (periods, scope): (&Periods, &Scope<'_>),
    ) {
        let are_matched = self.are_matched(kind);
        let mut open_from = vec![0; if kind.is_open() { periods.len() } else { 0 }];
        let begun_by_now = periods.begun_by(scope.as_of).max(1);
        for failure in failures {
            let finished_at = failure.finished_at();
            if let Some(period) = periods.index(failure.started_at) {
                let tally = of_kind.in_period(period);
                tally.begun += 1;
                tally.matched += usize::from(are_matched || self.dataset.is_linked_within(failure, scope));
                match failure.cause_found {
                    CauseFound::ByName => tally.linked_by_name += 1,
                    CauseFound::ByTime => tally.linked_by_time += 1,
                    CauseFound::Not => {}
                }
                if kind.has_good_times {
                    match finished_at {
                        Some(_) => tally.cohort.push_ended(failure.restored_ns),
                        None => tally.cohort.push_open(scope.as_of.nanos_since(failure.started_at)),
                    }
                }
            }
            if kind.has_good_times
                && let Some(period) = finished_at.and_then(|end| periods.index(end))
            {
                of_kind.in_period(period).restored.push(failure.restored_ns);
            }
            if kind.is_open()
                && let Some(period) = periods.first_ending_after(failure.started_at)
            {
                open_from[period] += 1;
            }
        }
        self.failures.extend(of_kind.drain().map(|(period, tally)| ((period, number), tally)));
        self.add_still_open(number, open_from, begun_by_now);
    }

    /// Counts open failures in the period in which they began, and in all later ones that have begun by now. Nobody
    /// knows what will be open in the future, and a report up to the year 2200 would have a row for each day.
    fn add_still_open(&mut self, kind: u32, open_from: Vec<usize>, begun_by_now: usize) {
        let mut still_open = 0;
        for (period, begun) in open_from.into_iter().enumerate() {
            still_open += begun;
            self.still_open += begun;
            let counted = if period < begun_by_now { still_open } else { begun };
            if counted > 0 {
                self.failures.entry((period, kind)).or_default().still_open = counted;
            }
        }
    }

    /// The sums of each row, by period and key.
    pub(super) fn rows(&self, by: Grouping) -> BTreeMap<(usize, Option<&'a str>), RowSums<'_>> {
        let dataset = self.dataset;
        let text = |key: Option<NameId>| key.map(|name| dataset.names().text(name));
        let mut rows: BTreeMap<(usize, Option<&str>), RowSums<'_>> = BTreeMap::new();
        for ((period, kind), counted) in &self.deployments {
            for key in dataset.deployment_index.kinds[*kind as usize].keys(by) {
                rows.entry((*period, text(key))).or_default().add_deployments(counted);
            }
        }
        for ((period, kind), counted) in &self.failures {
            let kind = &dataset.kinds[*kind as usize];
            for key in kind.keys(by).into_iter().filter(|key| self.shows(by, *key)) {
                rows.entry((*period, text(key))).or_default().add_failures(kind, counted);
            }
        }
        rows
    }

    /// The sums of everything that was counted, over all periods.
    pub(super) fn total(&self) -> RowSums<'_> {
        let mut total = RowSums::default();
        for counted in self.deployments.values() {
            total.add_deployments(counted);
        }
        for ((_, kind), counted) in &self.failures {
            total.add_failures(&self.dataset.kinds[*kind as usize], counted);
        }
        // In the sums of several periods it is counted several times.
        total.still_open = self.still_open;
        total
    }

    /// `true` if a row is shown. If only one service counts, a failure of several services has no row for the others.
    fn shows(&self, by: Grouping, key: Option<NameId>) -> bool {
        by != Grouping::Service || self.service.is_none() || self.service == key
    }

    /// `true` if all incidents of a kind are matched, by a deployment of one of their services (or of their team, if
    /// they have no service).
    fn are_matched(&self, kind: &FailureKind) -> bool {
        kind.own.iter().any(|made| self.deployed.contains(made))
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
                counted.made();
        }
        for ((_, kind), counted) in &self.failures {
            *counts.entry(self.dataset.kinds[*kind as usize].env).or_default() += counted.begun;
        }
        let mut envs: Vec<(&str, usize)> =
            counts.into_iter().map(|(env, count)| (self.dataset.names().text(env), count)).collect();
        envs.sort_unstable_by_key(|(env, count)| (std::cmp::Reverse(*count), *env));
        envs.into_iter().map(|(env, _)| env).collect()
    }
}

/// The kinds of deployments that ended in the period in which incidents are matched. Decided in each interval, a failure
/// of Monday would have no deployment to count against if its service is deployed on Fridays.
fn deployed(dataset: &Dataset, scope: &Scope<'_>) -> HashSet<u32> {
    let is_in = |at: Timestamp| scope.matched_since <= at && at < scope.matched_until;
    let lines = dataset.deployment_index.timelines.iter().enumerate();
    let deployed = lines.filter(|(_, line)| line.ends().any(|(finished_at, _)| is_in(finished_at)));
    deployed.map(|(kind, _)| to_u32(kind)).collect()
}

impl Dataset {
    /// `true` if the cause of a failure ended in the period in which incidents are matched.
    fn is_linked_within(&self, failure: &DatasetFailure, scope: &Scope<'_>) -> bool {
        failure.cause().is_some_and(|cause| {
            let finished_at = self.deployment_index.finished_at(cause);
            scope.matched_since <= finished_at && finished_at < scope.matched_until
        })
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
