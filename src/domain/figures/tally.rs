//! Counting: first by what failures and deployments have in common, then by the rows that are asked for.

use std::collections::{BTreeMap, HashSet};

use foldhash::{HashMap, HashMapExt};

use super::basis::{Basis, FailureFacts, FailureKind};
use super::calendar::Periods;
use super::consequence::Recovery;
use super::deployed::{Became, DeploymentKind, Line};
use super::durations::{Durations, RecoveryTimes};
use super::names::{Name, number};
use super::{By, Env, Row};
use crate::domain::timestamp::Timestamp;

/// What there is of each kind in each period.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    basis: &'a Basis,
    /// By the numbers of period and kind.
    pub(super) failures: HashMap<(usize, u32), FailureTally>,
    pub(super) deployments: HashMap<(usize, u32), DeploymentTally>,
}

#[derive(Debug, Default)]
pub(super) struct FailureTally {
    /// Those that began in the period.
    pub(super) begun: usize,
    /// How long those took that ended in it, where that is in a statistic.
    pub(super) restored: Durations,
}

#[derive(Debug, Default)]
pub(super) struct DeploymentTally {
    /// Those that ended in the period.
    pub(super) made: usize,
    failed: usize,
    remediations: usize,
    recovered: Durations,
    open_recoveries: usize,
}

impl<'a> Tally<'a> {
    /// Of one env, or all.
    pub(super) fn of(basis: &'a Basis, periods: &Periods, env: &Env) -> Self {
        let is_asked_for = |name: Name| env.has(basis.names().text(name));
        let mut tally = Self { basis, failures: HashMap::new(), deployments: HashMap::new() };
        let lines = basis.deployed.kinds.iter().zip(&basis.deployed.lines).enumerate();
        for (kind, (_, line)) in lines.filter(|(_, (kind, _))| is_asked_for(kind.env)) {
            tally.add_deployments(number(kind), line, periods);
        }
        let kinds = basis.kinds.iter().zip(&basis.failures).enumerate();
        for (number_of_kind, (kind, failures)) in kinds.filter(|(_, (kind, _))| is_asked_for(kind.env)) {
            tally.add_failures(number(number_of_kind), kind.has_duration(), failures, periods);
        }
        tally
    }

    fn add_deployments(&mut self, kind: u32, line: &Line, periods: &Periods) {
        for (finished_at, Became { is_remediation, recovery }) in line.ends() {
            let Some(period) = periods.index(finished_at) else { continue };
            let counted = self.deployments.entry((period, kind)).or_default();
            counted.made += 1;
            counted.remediations += usize::from(is_remediation);
            counted.failed += usize::from(recovery.is_some());
            match recovery {
                Some(Recovery::After(nanos)) => counted.recovered.push(nanos),
                Some(Recovery::Open) => counted.open_recoveries += 1,
                Some(Recovery::Unknown) | None => {}
            }
        }
    }

    fn add_failures(&mut self, kind: u32, have_duration: bool, failures: &[FailureFacts], periods: &Periods) {
        for failure in failures {
            if let Some(period) = periods.index(failure.started_at) {
                self.failures.entry((period, kind)).or_default().begun += 1;
            }
            if have_duration && let Some(period) = failure.finished_at.and_then(|end| periods.index(end)) {
                self.failures.entry((period, kind)).or_default().restored.push(failure.restored_ns);
            }
        }
    }

    /// The rows of one env, or all that was counted. `start`: where the period of this number begins.
    pub(super) fn rows(
        &self,
        by: By,
        env: Option<Name>,
        start: impl Fn(usize) -> Option<Timestamp>,
    ) -> Vec<Row> {
        let basis = self.basis;
        let is_asked_for = |name: Name| env.is_none_or(|env| env == name);
        let text = |key: Option<Name>| key.map(|name| basis.names().text(name));
        let mut cells: BTreeMap<(usize, Option<&str>), Cell> = BTreeMap::new();
        for ((period, kind), counted) in &self.deployments {
            let kind = &basis.deployed.kinds[*kind as usize];
            for key in kind.keys(by).filter(|_| is_asked_for(kind.env)) {
                cells.entry((*period, text(key))).or_default().add_deployments(counted);
            }
        }
        let rows = self.rows_of_kinds(by);
        for ((period, number), counted) in &self.failures {
            let kind = &basis.kinds[*number as usize];
            for (key, deployers) in rows[*number as usize].iter().filter(|_| is_asked_for(kind.env)) {
                let is_matched =
                    deployers.iter().any(|made| self.deployments.contains_key(&(*period, *made)));
                cells.entry((*period, text(*key))).or_default().add_failures(kind, counted, is_matched);
            }
        }
        cells.into_iter().map(|((period, key), cell)| cell.row(key, start(period))).collect()
    }

    /// The rows that each kind of failures is in, with the kinds of deployment that it is compared with there.
    fn rows_of_kinds(&self, by: By) -> Vec<Vec<(Option<Name>, Vec<u32>)>> {
        let present: HashSet<u32> = self.failures.keys().map(|(_, kind)| *kind).collect();
        let kinds = self.basis.kinds.iter().enumerate();
        let rows = kinds.map(|(place, kind)| {
            let keys = if present.contains(&number(place)) { kind.keys(by) } else { Vec::new() };
            keys.into_iter().map(|key| (key, self.deployers(kind, by, key))).collect()
        });
        rows.collect()
    }

    /// Whose deployments an incident is compared with in a row: those of the row's service or team. Other rows hold
    /// several of these, so there its own services decide, or its team where it has none, just as when it is linked.
    fn deployers(&self, kind: &FailureKind, by: By, key: Option<Name>) -> Vec<u32> {
        let in_env = |is_deployer: &dyn Fn(&DeploymentKind) -> bool| {
            let all = self.basis.deployed.kinds.iter().enumerate();
            let found = all.filter(|(_, made)| made.env == kind.env && is_deployer(made));
            found.map(|(place, _)| number(place)).collect()
        };
        match (by, key) {
            (By::Service, Some(service)) => in_env(&|made| made.service == service),
            (By::Team, Some(_)) => in_env(&|made| made.team == key),
            _ => kind.own.clone(),
        }
    }
}

impl DeploymentKind {
    fn keys(self, by: By) -> impl Iterator<Item = Option<Name>> {
        let key = match by {
            By::Service => Some(Some(self.service)),
            By::Team => self.team.map(Some),
            By::Env => Some(Some(self.env)),
            By::Severity => None,
            By::None => Some(None),
        };
        key.into_iter()
    }
}

/// What a row is made of.
#[derive(Debug, Default)]
struct Cell {
    incidents: usize,
    open: usize,
    ignored: usize,
    unmatched_incidents: usize,
    restore_times: Durations,
    deployments: DeploymentTally,
}

impl Cell {
    fn add_failures(&mut self, kind: &FailureKind, counted: &FailureTally, is_matched: bool) {
        if !kind.counts() {
            self.ignored += counted.begun;
            return;
        }
        self.incidents += counted.begun;
        self.open += if kind.is_open() { counted.begun } else { 0 };
        self.unmatched_incidents += if is_matched { 0 } else { counted.begun };
        self.restore_times.extend(&counted.restored);
    }

    fn add_deployments(&mut self, counted: &DeploymentTally) {
        let sum = &mut self.deployments;
        sum.made += counted.made;
        sum.failed += counted.failed;
        sum.remediations += counted.remediations;
        sum.open_recoveries += counted.open_recoveries;
        sum.recovered.extend(&counted.recovered);
    }

    fn row(self, key: Option<&str>, period: Option<Timestamp>) -> Row {
        let DeploymentTally { made, failed, remediations, recovered, open_recoveries } = self.deployments;
        Row {
            key: key.map(str::to_owned),
            period,
            incidents: self.incidents,
            open: self.open,
            ignored: self.ignored,
            unmatched_incidents: self.unmatched_incidents,
            deployments: made,
            failed_deployments: failed,
            change_failure_rate: ratio(self.incidents - self.unmatched_incidents, made),
            change_fail_rate: ratio(failed, made),
            deployment_rework_rate: ratio(remediations, made),
            time_to_restore_seconds: self.restore_times.into(),
            failed_deployment_recovery_time_seconds: RecoveryTimes::new(recovered, open_recoveries),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 deployments")]
fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
