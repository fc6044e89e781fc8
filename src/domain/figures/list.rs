//! The list of all figures. CSV and Markdown show all of them, the terminal's table of counts and rates those with a
//! column, and the dashboard and the gauges of `/metrics` some. A new figure is a field of [`Row`] and an entry here.

use super::row::Row;

/// A figure: its names, its formula, and its value in a row.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Name in CSV. In JSON it is the same, but for statistics, which are nested there.
    pub name: &'static str,
    /// Title in Markdown, and on the dashboard where no tile has its own.
    pub title: &'static str,
    /// Column of the terminal's table of counts and rates; `None` if it is not in that table.
    pub column: Option<ShortColumn>,
    /// Formula in a few words.
    pub formula: &'static str,
    /// The value, by its unit.
    pub value: Value,
    /// `true` for a count of deployments. A report by severity shows no value, because a deployment has no severity.
    pub counts_deployments: bool,
}

/// A column of a narrow table.
#[derive(Debug, Clone, Copy)]
pub struct ShortColumn {
    /// Heading.
    pub title: &'static str,
    /// Rank of the column if the terminal is too narrow: the column with the lowest rank is left out first. `None` if
    /// the column is always shown.
    pub worth: Option<u8>,
}

/// Function that takes a figure from a row, by the figure's unit.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A number of things.
    Count(fn(&Row) -> usize),
    /// A ratio; `None` without anything to divide by.
    Ratio(fn(&Row) -> Option<f64>),
    /// Seconds; `None` without a sample.
    Seconds(fn(&Row) -> Option<f64>),
}

impl Value {
    /// The value as a number. `None` without data.
    pub fn number(&self, row: &Row) -> Option<f64> {
        match self {
            Self::Count(of) => u32::try_from(of(row)).ok().map(f64::from),
            Self::Ratio(of) | Self::Seconds(of) => of(row),
        }
    }

    /// `true` for a ratio.
    pub const fn is_ratio(&self) -> bool {
        matches!(self, Self::Ratio(_))
    }
}

impl Figure {
    const fn new(name: &'static str, title: &'static str, formula: &'static str, value: Value) -> Self {
        Self { name, title, column: None, formula, value, counts_deployments: false }
    }

    const fn in_table(self, title: &'static str, worth: Option<u8>) -> Self {
        Self { column: Some(ShortColumn { title, worth }), ..self }
    }

    const fn of_deployments(self) -> Self {
        Self { counts_deployments: true, ..self }
    }

    /// The value as a number. `None` without data.
    pub fn number(&self, row: &Row) -> Option<f64> {
        self.value.number(row)
    }
}

/// Number of incidents.
pub const INCIDENTS: Figure = Figure::new(
    "incidents",
    "Incidents",
    "failures that began in the period",
    Value::Count(|row| row.incidents),
)
.in_table("INCIDENTS", None);

/// Number of ignored failures.
pub const IGNORED: Figure =
    Figure::new("ignored", "Ignored", "ignored failures", Value::Count(|row| row.ignored))
        .in_table("IGNORED", Some(1));

/// Number of incidents without a deployment that they could be compared with.
pub const UNMATCHED_INCIDENTS: Figure = Figure::new(
    "unmatched_incidents",
    "Unmatched",
    "incidents of services and teams without a deployment",
    Value::Count(|row| row.unmatched_incidents),
)
.in_table("UNMATCHED", Some(2));

/// Number of deployments that caused a failure.
pub const FAILED_DEPLOYMENTS: Figure = Figure::new(
    "failed_deployments",
    "Failed",
    "deployments that caused a failure",
    Value::Count(|row| row.failed_deployments),
)
.in_table("FAILED", None)
.of_deployments();

/// Number of deployments.
pub const DEPLOYMENTS: Figure =
    Figure::new("deployments", "Deployments", "count", Value::Count(|row| row.deployments))
        .in_table("DEPLOYS", None)
        .of_deployments();

/// Incidents per deployment.
pub const CHANGE_FAILURE_RATE: Figure = Figure::new(
    "change_failure_rate",
    "Change failure rate",
    "incidents per deployment",
    Value::Ratio(|row| row.change_failure_rate),
)
.in_table("CFR", None);

/// Failed deployments per deployment.
pub const CHANGE_FAIL_RATE: Figure = Figure::new(
    "change_fail_rate",
    "Change fail rate",
    "failed deployments per deployment",
    Value::Ratio(|row| row.change_fail_rate),
)
.in_table("FAIL RATE", None);

/// Deployments that fix a failure, per deployment.
pub const REWORK_RATE: Figure = Figure::new(
    "deployment_rework_rate",
    "Rework rate",
    "deployments that fix a failure, per deployment",
    Value::Ratio(|row| row.deployment_rework_rate),
)
.in_table("REWORK", Some(3));

/// Median time to restore.
pub const MEDIAN_TIME_TO_RESTORE: Figure = Figure::new(
    "time_to_restore_seconds_median",
    "Median time to restore",
    "median",
    Value::Seconds(|row| row.time_to_restore_seconds.median),
);

/// Median recovery time.
pub const MEDIAN_RECOVERY_TIME: Figure = Figure::new(
    "failed_deployment_recovery_time_seconds_median",
    "Median recovery time",
    "median",
    Value::Seconds(|row| row.failed_deployment_recovery_time_seconds.median),
);

/// All figures, in the order in which they are shown.
pub const FIGURES: [Figure; 20] = [
    INCIDENTS,
    Figure::new("open", "Open", "incidents that have not ended", Value::Count(|row| row.open)),
    IGNORED,
    UNMATCHED_INCIDENTS,
    DEPLOYMENTS,
    FAILED_DEPLOYMENTS,
    CHANGE_FAILURE_RATE,
    CHANGE_FAIL_RATE,
    REWORK_RATE,
    Figure::new(
        "time_to_restore_seconds_n",
        "Restored",
        "times to restore",
        Value::Count(|row| row.time_to_restore_seconds.n),
    ),
    Figure::new(
        "time_to_restore_seconds_mean",
        "Mean time to restore",
        "mean",
        Value::Seconds(|row| row.time_to_restore_seconds.mean),
    ),
    MEDIAN_TIME_TO_RESTORE,
    Figure::new(
        "time_to_restore_seconds_p90",
        "p90",
        "90th percentile",
        Value::Seconds(|row| row.time_to_restore_seconds.p90),
    ),
    Figure::new(
        "time_to_restore_seconds_max",
        "Max",
        "maximum",
        Value::Seconds(|row| row.time_to_restore_seconds.max),
    ),
    Figure::new(
        "failed_deployment_recovery_time_seconds_n",
        "Recovered deployments",
        "recovery times",
        Value::Count(|row| row.failed_deployment_recovery_time_seconds.n),
    ),
    Figure::new(
        "failed_deployment_recovery_time_seconds_open",
        "Not recovered",
        "failed deployments whose failures have not ended",
        Value::Count(|row| row.failed_deployment_recovery_time_seconds.open),
    ),
    Figure::new(
        "failed_deployment_recovery_time_seconds_mean",
        "Mean recovery time",
        "mean",
        Value::Seconds(|row| row.failed_deployment_recovery_time_seconds.mean),
    ),
    MEDIAN_RECOVERY_TIME,
    Figure::new(
        "failed_deployment_recovery_time_seconds_p90",
        "p90",
        "90th percentile",
        Value::Seconds(|row| row.failed_deployment_recovery_time_seconds.p90),
    ),
    Figure::new(
        "failed_deployment_recovery_time_seconds_max",
        "Max",
        "maximum",
        Value::Seconds(|row| row.failed_deployment_recovery_time_seconds.max),
    ),
];
