//! A row of a report, and the counts that its figures are computed from. A new figure that follows from a failure's
//! kind, or from the outcome of a deployment, is counted here.

use serde::{Deserialize, Serialize};

use super::dataset::FailureKind;
use super::deployment_index::Outcome;
use super::durations::{Durations, RecoveryTimes, RestoreTimes};
use super::recovery::Recovery;
use crate::domain::statistics::{Estimate, EventRate, Proportion};
use crate::domain::timestamp::Timestamp;

/// The figures of one service, team, env or severity (or of all), in one interval (or the whole period).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Service, team, env or severity; null if rows have no grouping, or if there is no severity.
    pub key: Option<String>,
    /// Start of the row's interval: the first interval begins with the period. Null without intervals.
    pub period: Option<Timestamp>,
    /// Failures, completed or open, that began in the period.
    pub incidents: usize,
    /// Number of these incidents that have not ended.
    pub open: usize,
    /// Failures that began in the period and are ignored. They are in no other figure.
    pub ignored: usize,
    /// Incidents of services and teams with a deployment in the whole period of the report.
    pub matched_incidents: usize,
    /// Incidents of services and teams without one.
    pub unmatched_incidents: usize,
    /// Deployments that ended in the period.
    pub deployments: usize,
    /// Number of these deployments that caused an incident at any time.
    pub failed_deployments: usize,
    /// Matched incidents per deployment. May exceed 1 (Datadog until 2025). Null if there are incidents and none is
    /// matched: 0 would say that nothing failed.
    pub change_failure_rate: Option<f64>,
    /// Lower bound of its 95 % interval (Garwood's exact interval of a Poisson mean).
    pub change_failure_rate_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub change_failure_rate_high: Option<f64>,
    /// Failed deployments per deployment: at most 1 (dora.dev, Datadog since 2026).
    pub change_fail_rate: Option<f64>,
    /// Lower bound of its 95 % interval (Wilson).
    pub change_fail_rate_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub change_fail_rate_high: Option<f64>,
    /// Deployments that fixed an incident, per deployment (dora.dev).
    pub deployment_rework_rate: Option<f64>,
    /// Lower bound of its 95 % interval (Wilson).
    pub deployment_rework_rate_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub deployment_rework_rate_high: Option<f64>,
    /// Times to restore of the incidents that ended in the period. The mean is MTTR.
    pub time_to_restore_seconds: RestoreTimes,
    /// Time from the end of a failed deployment to the end of its failures: the first one, and each that began before
    /// the earlier ones had ended (dora.dev).
    pub failed_deployment_recovery_time_seconds: RecoveryTimes,
}

/// Counts of the failures of one kind in one period.
#[derive(Debug, Default)]
pub(super) struct FailureTally {
    /// Failures that began in the period.
    pub(super) begun: usize,
    /// Times to restore of the failures that ended in the period, if they are in a statistic.
    pub(super) restored: Durations,
}

/// Counts of the deployments of one kind that ended in one period.
#[derive(Debug, Default)]
pub(super) struct DeploymentTally {
    /// All of them.
    pub(super) made: usize,
    failed: usize,
    remediations: usize,
    recovered: Durations,
    open_recoveries: usize,
}

impl DeploymentTally {
    /// Counts a deployment.
    pub(super) fn count(&mut self, Outcome { is_remediation, recovery }: Outcome) {
        self.made += 1;
        self.remediations += usize::from(is_remediation);
        self.failed += usize::from(recovery.is_some());
        match recovery {
            Some(Recovery::After(nanos)) => self.recovered.push(nanos),
            Some(Recovery::Open) => self.open_recoveries += 1,
            Some(Recovery::Unknown) | None => {}
        }
    }
}

/// Sums that a row is made of. Rates cannot be added up, but these can.
#[derive(Debug, Default)]
pub struct RowSums {
    incidents: usize,
    open: usize,
    ignored: usize,
    unmatched_incidents: usize,
    restore_times: Durations,
    deployments: DeploymentTally,
}

impl RowSums {
    /// Adds failures of one kind. `is_matched`: `true` if their service or team has a deployment in the
    /// whole period.
    pub(super) fn add_failures(&mut self, kind: &FailureKind, counted: &FailureTally, is_matched: bool) {
        if !kind.counts() {
            self.ignored += counted.begun;
            return;
        }
        self.incidents += counted.begun;
        self.open += if kind.is_open() { counted.begun } else { 0 };
        self.unmatched_incidents += if is_matched { 0 } else { counted.begun };
        self.restore_times.extend(&counted.restored);
    }

    /// Adds deployments of one kind.
    pub(super) fn add_deployments(&mut self, counted: &DeploymentTally) {
        let sum = &mut self.deployments;
        sum.made += counted.made;
        sum.failed += counted.failed;
        sum.remediations += counted.remediations;
        sum.open_recoveries += counted.open_recoveries;
        sum.recovered.extend(&counted.recovered);
    }

    /// Adds the sums of another row.
    pub fn add(&mut self, other: &Self) {
        self.incidents += other.incidents;
        self.open += other.open;
        self.ignored += other.ignored;
        self.unmatched_incidents += other.unmatched_incidents;
        self.restore_times.extend(&other.restore_times);
        self.add_deployments(&other.deployments);
    }

    /// Number of incidents that began, and of times to restore. It is 0 if the row has no failure that counts.
    pub fn failures(&self) -> usize {
        self.incidents + self.restore_times.len()
    }

    /// Number of deployments.
    pub const fn deployments(&self) -> usize {
        self.deployments.made
    }

    /// Sums of so many failed deployments and matched incidents, of all deployments, and of remediations.
    #[cfg(test)]
    pub(super) fn of_counts(failed: usize, made: usize, remediations: usize) -> Self {
        let deployments = DeploymentTally { made, failed, remediations, ..DeploymentTally::default() };
        Self { incidents: failed, deployments, ..Self::default() }
    }

    /// The row with these sums.
    pub fn row(self, key: Option<&str>, period: Option<Timestamp>) -> Row {
        let DeploymentTally { made, failed, remediations, recovered, open_recoveries } = self.deployments;
        let matched = self.incidents - self.unmatched_incidents;
        let nothing_is_matched = self.incidents > 0 && matched == 0;
        let failure_rate = EventRate::new(matched, made).filter(|_| !nothing_is_matched);
        let failure_rate = failure_rate.map(EventRate::estimate);
        let share = |part| Proportion::new(part, made).map(Proportion::estimate);
        let (fail_rate, rework_rate) = (share(failed), share(remediations));
        Row {
            key: key.map(str::to_owned),
            period,
            incidents: self.incidents,
            open: self.open,
            ignored: self.ignored,
            matched_incidents: matched,
            unmatched_incidents: self.unmatched_incidents,
            deployments: made,
            failed_deployments: failed,
            change_failure_rate: failure_rate.map(Estimate::value),
            change_failure_rate_low: failure_rate.map(Estimate::low),
            change_failure_rate_high: failure_rate.map(Estimate::high),
            change_fail_rate: fail_rate.map(Estimate::value),
            change_fail_rate_low: fail_rate.map(Estimate::low),
            change_fail_rate_high: fail_rate.map(Estimate::high),
            deployment_rework_rate: rework_rate.map(Estimate::value),
            deployment_rework_rate_low: rework_rate.map(Estimate::low),
            deployment_rework_rate_high: rework_rate.map(Estimate::high),
            time_to_restore_seconds: self.restore_times.into(),
            failed_deployment_recovery_time_seconds: RecoveryTimes::new(recovered, open_recoveries),
        }
    }
}
