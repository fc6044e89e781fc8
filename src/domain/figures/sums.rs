//! Counts that the figures of a row are computed from. A new figure that follows from a failure, or from the outcome of
//! a deployment, is counted here.

use super::change::{Comparable, RowChange};
use super::dataset::FailureKind;
use super::deployment_index::Outcome;
use super::durations::{Durations, RecoveryTimes, RestoreTimes};
use super::recovery::Recovery;
use super::restored::Restored;
use super::row::{LinkedIncidents, Row, RowHead};
use crate::domain::statistics::{Cohort, Estimate, EventRate, Proportion, RestoreCurve, SettledTally};

/// Counts of the failures of one kind in one period.
#[derive(Debug, Default)]
pub(super) struct FailureTally {
    /// Failures that began in the period.
    pub(super) begun: usize,
    /// Number of these that are matched with a deployment.
    pub(super) matched: usize,
    /// Number of these whose cause somebody named.
    pub(super) linked_by_name: usize,
    /// Number of these whose cause was found by time.
    pub(super) linked_by_time: usize,
    /// Open failures that began in the period or before it.
    pub(super) still_open: usize,
    /// The failures that began in the period, if their times are good enough.
    pub(super) cohort: Cohort,
    /// Times to restore of the failures that ended in the period, if they are in a statistic.
    pub(super) restored: Durations,
}

/// Counts of the deployments of one kind that ended in one period.
#[derive(Debug, Default)]
pub(super) struct DeploymentTally {
    settled: SettledTally,
    remediations: usize,
    recovered: Durations,
    open_recoveries: usize,
}

impl DeploymentTally {
    /// Counts a deployment.
    pub(super) fn count(&mut self, Outcome { is_remediation, recovery }: Outcome, is_pending: bool) {
        self.settled.count(is_pending, recovery.is_some());
        self.remediations += usize::from(is_remediation);
        match recovery {
            Some(Recovery::After(nanos)) => self.recovered.push(nanos),
            Some(Recovery::Open) => self.open_recoveries += 1,
            Some(Recovery::Unknown) | None => {}
        }
    }

    /// Number of deployments.
    pub(super) const fn made(&self) -> usize {
        self.settled.deployments()
    }
}

/// Sums that a row is made of. Rates cannot be added up, but these can. Durations are not copied: a failure is in many
/// rows, and there may be a million failures.
#[derive(Debug, Default)]
pub struct RowSums<'t> {
    incidents: usize,
    matched: usize,
    open: usize,
    pub(super) still_open: usize,
    ignored: usize,
    linked_by_name: usize,
    linked_by_time: usize,
    cohorts: Vec<&'t Cohort>,
    restore_times: Vec<&'t Durations>,
    settled: SettledTally,
    remediations: usize,
    recovery_times: Vec<&'t Durations>,
    open_recoveries: usize,
}

impl<'t> RowSums<'t> {
    /// Adds failures of one kind.
    pub(super) fn add_failures(&mut self, kind: &FailureKind, counted: &'t FailureTally) {
        if !kind.counts() {
            self.ignored += counted.begun;
            return;
        }
        self.incidents += counted.begun;
        self.matched += counted.matched;
        self.open += if kind.is_open() { counted.begun } else { 0 };
        self.still_open += counted.still_open;
        self.linked_by_name += counted.linked_by_name;
        self.linked_by_time += counted.linked_by_time;
        self.cohorts.push(&counted.cohort);
        self.restore_times.push(&counted.restored);
    }

    /// Adds deployments of one kind.
    pub(super) fn add_deployments(&mut self, counted: &'t DeploymentTally) {
        self.settled.add(counted.settled);
        self.remediations += counted.remediations;
        self.recovery_times.push(&counted.recovered);
        self.open_recoveries += counted.open_recoveries;
    }

    /// Adds the sums of another row.
    pub fn add(&mut self, other: &Self) {
        self.incidents += other.incidents;
        self.matched += other.matched;
        self.open += other.open;
        self.still_open += other.still_open;
        self.ignored += other.ignored;
        self.linked_by_name += other.linked_by_name;
        self.linked_by_time += other.linked_by_time;
        self.cohorts.extend_from_slice(&other.cohorts);
        self.restore_times.extend_from_slice(&other.restore_times);
        self.settled.add(other.settled);
        self.remediations += other.remediations;
        self.recovery_times.extend_from_slice(&other.recovery_times);
        self.open_recoveries += other.open_recoveries;
    }

    /// Number of failures that the row counts in any figure. It is 0 if the row has no failure that counts.
    pub fn failures(&self) -> usize {
        let ended: usize = self.restore_times.iter().map(|durations| durations.len()).sum();
        self.incidents + ended + self.still_open
    }

    /// Number of deployments.
    pub const fn deployments(&self) -> usize {
        self.settled.deployments()
    }

    /// Sums of so many failed deployments and matched incidents, of all deployments, and of remediations.
    #[cfg(test)]
    pub(super) fn of_counts(failed: usize, made: usize, remediations: usize) -> Self {
        let mut settled = SettledTally::default();
        for number in 0..made {
            settled.count(false, number < failed);
        }
        Self { incidents: failed, matched: failed, settled, remediations, ..Self::default() }
    }

    /// The row with these sums.
    pub fn row(&self, head: &RowHead<'_>) -> Row {
        self.row_and_comparable(head).0
    }

    /// The row with these sums, compared with the sums of the period before.
    pub(super) fn compared_row(&self, head: &RowHead<'_>, before: &Self) -> Row {
        let (row, now) = self.row_and_comparable(head);
        let (_, before) = before.row_and_comparable(head);
        Row { change: Some(RowChange::between(&now, &before)), ..row }
    }

    fn row_and_comparable(&self, head: &RowHead<'_>) -> (Row, Comparable) {
        let settled = self.settled;
        let made = settled.deployments();
        // 0 would say that nothing failed.
        let nothing_is_matched = self.incidents > 0 && self.matched == 0;
        let failure_rate = EventRate::new(self.matched, made).filter(|_| !nothing_is_matched);
        let failure_rate = failure_rate.map(EventRate::estimate);
        let fail_rate = settled.fail_rate().map(Proportion::estimate);
        let settled_rate = settled.settled_fail_rate().map(Proportion::estimate);
        let rework_rate = Proportion::new(self.remediations, made).map(Proportion::estimate);
        let curve = RestoreCurve::of(&self.cohorts);
        let of_deployments = |count: usize| head.has_deployments.then_some(count);
        let row = Row {
            key: head.key.map(str::to_owned),
            period: head.interval.map(|interval| interval.start),
            label: head.interval.map(|interval| interval.label.clone()),
            partial: head.interval.is_some_and(|interval| interval.is_partial),
            incidents: self.incidents,
            matched_incidents: self.matched,
            unmatched_incidents: self.incidents - self.matched,
            open: self.open,
            still_open: self.still_open,
            ignored: self.ignored,
            linked_incidents: LinkedIncidents {
                named: self.linked_by_name,
                automatic: self.linked_by_time,
                none: self.incidents - self.linked_by_name - self.linked_by_time,
            },
            deployments: of_deployments(made),
            deployments_per_day: of_deployments(made).and_then(|made| head.per_day(made)),
            pending_deployments: of_deployments(settled.pending()),
            failed_deployments: of_deployments(settled.failed()),
            change_failure_rate: failure_rate.map(Estimate::value),
            change_failure_rate_low: failure_rate.map(Estimate::low),
            change_failure_rate_high: failure_rate.map(Estimate::high),
            change_fail_rate: fail_rate.map(Estimate::value),
            change_fail_rate_low: fail_rate.map(Estimate::low),
            change_fail_rate_high: fail_rate.map(Estimate::high),
            change_fail_rate_settled: settled_rate.map(Estimate::value),
            change_fail_rate_settled_low: settled_rate.map(Estimate::low),
            change_fail_rate_settled_high: settled_rate.map(Estimate::high),
            deployment_rework_rate: rework_rate.map(Estimate::value),
            deployment_rework_rate_low: rework_rate.map(Estimate::low),
            deployment_rework_rate_high: rework_rate.map(Estimate::high),
            time_to_restore_seconds: RestoreTimes::of(&self.restore_times),
            restored: Restored::of(&curve),
            failed_deployment_recovery_time_seconds: RecoveryTimes::of(
                &self.recovery_times,
                self.open_recoveries,
            ),
            change: None,
        };
        (row, Comparable { failure_rate, fail_rate, rework_rate, restored: curve })
    }
}
