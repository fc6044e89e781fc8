//! The gauges of the figures, in the order of `/metrics`.

use super::figure::{Gauge, GaugeLabels};

pub(super) const INCIDENTS: Gauge =
    Gauge::new(1, GaugeLabels::Severity, "dora_incidents", "Incidents that started in the window");
pub(super) const DEPLOYMENTS: Gauge =
    Gauge::new(2, GaugeLabels::Team, "dora_deployments", "Deployments that ended in the window");
pub(super) const DEPLOYMENTS_PENDING: Gauge = Gauge::new(
    3,
    GaugeLabels::Team,
    "dora_deployments_pending",
    "Deployments that ended in the window and may still cause a failure: they ended less than dora.link_window ago",
);
pub(super) const TIME_TO_RESTORE: Gauge = Gauge::new(
    4,
    GaugeLabels::Team,
    "dora_time_to_restore_seconds",
    "Time to restore of failures that ended in the window: from start to end, or the sum of the open \
     periods, as failure.reopened chooses; stat n is the number of failures, median_low and median_high are the bounds \
     of the median's 95 % interval",
);
pub(super) const RESTORED_WITHIN: Gauge = Gauge::new(
    5,
    GaugeLabels::Team,
    "dora_restored_within_ratio",
    "Share of the failures that started in the window and were restored within an hour, a day or seven days, with \
     those that are still open (Kaplan-Meier); stat low and high are the bounds of its 95 % interval",
);
pub(super) const FAILED_DEPLOYMENTS: Gauge = Gauge::new(
    6,
    GaugeLabels::Team,
    "dora_failed_deployments",
    "Deployments that ended in the window and caused a failure",
);
pub(super) const MATCHED_INCIDENTS: Gauge = Gauge::new(
    7,
    GaugeLabels::Service,
    "dora_matched_incidents",
    "Incidents that started in the window, if a deployment of their services or their cause ended in it",
);
pub(super) const UNMATCHED_INCIDENTS: Gauge = Gauge::new(
    8,
    GaugeLabels::Service,
    "dora_unmatched_incidents",
    "Incidents that started in the window, if no deployment of their services ended in it",
);
pub(super) const CHANGE_FAILURE_RATE: Gauge =
    Gauge::new(9, GaugeLabels::Service, "dora_change_failure_rate", "Matched incidents per deployment");
pub(super) const CHANGE_FAILURE_RATE_BOUND: Gauge = Gauge::new(
    10,
    GaugeLabels::Service,
    "dora_change_failure_rate_bound",
    "Bounds of the 95 % interval of dora_change_failure_rate",
);
pub(super) const CHANGE_FAIL_RATE: Gauge =
    Gauge::new(11, GaugeLabels::Service, "dora_change_fail_rate", "Failed deployments per deployment");
pub(super) const CHANGE_FAIL_RATE_BOUND: Gauge = Gauge::new(
    12,
    GaugeLabels::Service,
    "dora_change_fail_rate_bound",
    "Bounds of the 95 % interval of dora_change_fail_rate",
);
pub(super) const REWORK_RATE: Gauge = Gauge::new(
    13,
    GaugeLabels::Service,
    "dora_rework_rate",
    "Deployments that fixed a failure, per deployment",
);
pub(super) const RECOVERY_TIME: Gauge = Gauge::new(
    14,
    GaugeLabels::Service,
    "dora_failed_deployment_recovery_seconds",
    "Time from the end of a failed deployment to the end of the first unbroken run of its failures",
);
