//! A row of the reference model, made of what was counted.

use super::super::change::{Comparable, RowChange};
use super::super::{CalendarInterval, LinkedIncidents, RecoveryTimes, RestoreTimes, Restored, Row};
use crate::domain::statistics::{Cohort, Estimate, EventRate, MedianRanks, Proportion, RestoreCurve};
use crate::domain::timestamp::Timestamp;

/// Start and end of a period.
pub(super) type Span = (Timestamp, Timestamp);

/// Everything that is counted for a row.
pub(super) struct RowParts {
    pub(super) key: Option<String>,
    pub(super) has_deployments: bool,
    pub(super) span: Span,
    pub(super) incidents: usize,
    pub(super) open: usize,
    pub(super) still_open: usize,
    pub(super) ignored: usize,
    pub(super) matched: usize,
    pub(super) named: usize,
    pub(super) automatic: usize,
    pub(super) deployments: usize,
    pub(super) failed: usize,
    pub(super) settled: usize,
    pub(super) settled_failed: usize,
    pub(super) remediations: usize,
    pub(super) restored: Vec<f64>,
    pub(super) recovered: Vec<f64>,
    pub(super) unrecovered: usize,
    pub(super) cohort: Cohort,
}

impl RowParts {
    // The tests of `statistics` hold the intervals and the curve against values that were computed elsewhere.
    pub(super) fn comparable(&self) -> Comparable {
        let share = |part| Proportion::new(part, self.deployments).map(Proportion::estimate);
        let is_known = self.matched > 0 || self.incidents == 0;
        let per_deployment = EventRate::new(self.matched, self.deployments).filter(|_| is_known);
        Comparable {
            failure_rate: per_deployment.map(EventRate::estimate),
            fail_rate: share(self.failed),
            rework_rate: share(self.remediations),
            restored: RestoreCurve::of(&[&self.cohort]),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    pub(super) fn row(self, interval: Option<&CalendarInterval>, before: Option<&Self>) -> Row {
        let comparable = self.comparable();
        let Comparable { failure_rate: per_deployment, fail_rate: failed, rework_rate: rework, .. } =
            comparable;
        let settled = Proportion::new(self.settled_failed, self.settled).map(Proportion::estimate);
        let (restored, recovered) = (statistic(self.restored), statistic(self.recovered));
        let has = |count: usize| self.has_deployments.then_some(count);
        let days = self.span.1.nanos_since(self.span.0) as f64 / 86_400e9;
        let per_day = (days > 0.0).then(|| self.deployments as f64 / days);
        Row {
            key: self.key,
            period: interval.map(|interval| interval.start),
            label: interval.map(|interval| interval.label.clone()),
            partial: interval.is_some_and(|interval| interval.is_partial),
            incidents: self.incidents,
            open: self.open,
            still_open: self.still_open,
            ignored: self.ignored,
            matched_incidents: self.matched,
            unmatched_incidents: self.incidents - self.matched,
            linked_incidents: LinkedIncidents {
                named: self.named,
                automatic: self.automatic,
                none: self.incidents - self.named - self.automatic,
            },
            deployments: has(self.deployments),
            deployments_per_day: per_day.filter(|_| self.has_deployments),
            pending_deployments: has(self.deployments - self.settled),
            failed_deployments: has(self.failed),
            change_failure_rate: per_deployment.map(Estimate::value),
            change_failure_rate_low: per_deployment.map(Estimate::low),
            change_failure_rate_high: per_deployment.map(Estimate::high),
            change_fail_rate: failed.map(Estimate::value),
            change_fail_rate_low: failed.map(Estimate::low),
            change_fail_rate_high: failed.map(Estimate::high),
            change_fail_rate_settled: settled.map(Estimate::value),
            change_fail_rate_settled_low: settled.map(Estimate::low),
            change_fail_rate_settled_high: settled.map(Estimate::high),
            deployment_rework_rate: rework.map(Estimate::value),
            deployment_rework_rate_low: rework.map(Estimate::low),
            deployment_rework_rate_high: rework.map(Estimate::high),
            failed_deployment_recovery_time_seconds: RecoveryTimes {
                n: recovered.n,
                open: self.unrecovered,
                mean: recovered.mean,
                median: recovered.median,
                median_low: recovered.median_low,
                median_high: recovered.median_high,
                p90: recovered.p90,
                max: recovered.max,
            },
            time_to_restore_seconds: restored,
            restored: Restored::of(&comparable.restored),
            change: before.map(|before| RowChange::between(&comparable, &before.comparable())),
        }
    }
}

/// Statistics in floating point, and without computed indexes.
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn statistic(mut values: Vec<f64>) -> RestoreTimes {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    // To the microsecond, as seconds are shown.
    let rounded = |seconds: f64| (seconds * 1e6 + 1e-3).floor() / 1e6;
    let mean = (n > 0).then(|| rounded(values.iter().sum::<f64>() / n as f64));
    let p90 = values.iter().enumerate().find(|(index, _)| (index + 1) * 10 >= n * 9).map(|(_, value)| *value);
    let p90 = p90.filter(|_| n >= 10);
    let ranks = MedianRanks::of(n);
    let (median_low, median_high) =
        (ranks.map(|ranks| values[ranks.low() - 1]), ranks.map(|ranks| values[ranks.high() - 1]));
    let max = values.last().copied();
    while values.len() > 2 {
        values.pop();
        values.remove(0);
    }
    let median = (n > 0).then(|| rounded(values.iter().sum::<f64>() / values.len() as f64));
    RestoreTimes { n, mean, median, median_low, median_high, p90, max }
}
