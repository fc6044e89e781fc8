//! A row of a report, as the API and `--format json` show it.

use serde::{Deserialize, Serialize};

use super::calendar::CalendarInterval;
use super::change::RowChange;
use super::durations::{RecoveryTimes, RestoreTimes};
use super::restored::Restored;
use crate::domain::timestamp::Timestamp;
use crate::domain::zoned_time::ZonedTime;

const NANOS_PER_DAY: f64 = 86_400e9;

/// The figures of one service, team, env or severity (or of all), in one interval (or the whole period).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Service, team, env or severity; null if rows have no grouping, or if there is no severity.
    pub key: Option<String>,
    /// Start of the row's interval, with the zone's offset: the first interval begins with the period. Null without
    /// intervals.
    pub period: Option<ZonedTime>,
    /// Name of the interval: `2026-11-02`, `2026-W45` or `2026-11`. Null without intervals.
    pub label: Option<String>,
    /// `true` if the interval is cut by the start or the end of the period.
    pub partial: bool,
    /// Failures, completed or open, that began in the period.
    pub incidents: usize,
    /// Incidents that have a deployment to count against: one of their services (of their team, if they have no
    /// service) or their cause ended in the whole period of the report.
    pub matched_incidents: usize,
    /// The other incidents.
    pub unmatched_incidents: usize,
    /// Number of the incidents that have not ended.
    pub open: usize,
    /// Failures that have not ended and began before the end of the period, also before its start.
    pub still_open: usize,
    /// Failures that began in the period and are ignored. They are in no other figure.
    pub ignored: usize,
    /// Number of the incidents that are linked to a deployment, and how.
    pub linked_incidents: LinkedIncidents,
    /// Deployments that ended in the period. Null in the rows of severities: a deployment has none.
    pub deployments: Option<usize>,
    /// Deployments per 24 hours of the period.
    pub deployments_per_day: Option<f64>,
    /// Deployments that may still cause a failure: they ended less than the link window before `as_of`.
    pub pending_deployments: Option<usize>,
    /// Deployments that caused an incident at any time.
    pub failed_deployments: Option<usize>,
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
    /// The same of the deployments that are not pending.
    pub change_fail_rate_settled: Option<f64>,
    /// Lower bound of its 95 % interval (Wilson).
    pub change_fail_rate_settled_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub change_fail_rate_settled_high: Option<f64>,
    /// Deployments that fixed an incident, per deployment (dora.dev).
    pub deployment_rework_rate: Option<f64>,
    /// Lower bound of its 95 % interval (Wilson).
    pub deployment_rework_rate_low: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub deployment_rework_rate_high: Option<f64>,
    /// Times to restore of the incidents that ended in the period. The mean is MTTR.
    pub time_to_restore_seconds: RestoreTimes,
    /// Share of the incidents that were restored within an hour, a day and a week, with those that are open.
    pub restored: Restored,
    /// Time from the end of a failed deployment to the end of its failures: the first one, and each that began before
    /// the earlier ones had ended (dora.dev).
    pub failed_deployment_recovery_time_seconds: RecoveryTimes,
    /// Change against the period of equal length before. Null if nobody asked for it.
    pub change: Option<RowChange>,
}

impl Row {
    /// Deployments that fixed an incident. `None` in the rows of severities.
    pub fn remediations(&self) -> Option<usize> {
        Some(count_of(self.deployment_rework_rate, self.deployments?))
    }

    /// Deployments that have not failed, and may still fail. `None` in the rows of severities.
    pub fn pending_not_failed(&self) -> Option<usize> {
        let (all, failed, pending) = (self.deployments?, self.failed_deployments?, self.pending_deployments?);
        let failed_settled = count_of(self.change_fail_rate_settled, all.saturating_sub(pending));
        Some(pending.saturating_sub(failed.saturating_sub(failed_settled)))
    }
}

/// Number of things with a share of a whole. A whole of nothing has no share.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count below 2^53, back to a count"
)]
fn count_of(share: Option<f64>, whole: usize) -> usize {
    share.map_or(0, |share| (share * whole as f64).round() as usize)
}

/// Number of incidents by how their cause was found. The automatic link is a guess by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedIncidents {
    /// Somebody named the deployment.
    pub named: usize,
    /// The latest deployment before the incident, within the link window.
    pub automatic: usize,
    /// No cause is known.
    pub none: usize,
}

/// Everything about a row that is not computed from its sums.
#[derive(Debug, Clone, Copy)]
pub struct RowHead<'a> {
    /// Service, team, env or severity.
    pub key: Option<&'a str>,
    /// The interval, if the period is divided.
    pub interval: Option<&'a CalendarInterval>,
    /// Start of the row's period.
    pub since: Timestamp,
    /// End of the row's period.
    pub until: Timestamp,
    /// `false` for a severity: deployments have none.
    pub has_deployments: bool,
}

impl RowHead<'_> {
    /// Head of a row without a key and without intervals.
    pub const fn whole(since: Timestamp, until: Timestamp) -> Self {
        Self { key: None, interval: None, since, until, has_deployments: true }
    }

    /// A count per 24 hours. `None` for an empty period.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    pub(super) fn per_day(&self, count: usize) -> Option<f64> {
        let nanos = self.until.nanos_since(self.since);
        (nanos > 0).then(|| count as f64 / (nanos as f64 / NANOS_PER_DAY))
    }
}
