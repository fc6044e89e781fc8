//! A figure, and the places that show it.

use crate::domain::figures::change::{FigureChange, RowChange};
use crate::domain::figures::row::Row;

/// A figure: its names, its formula, its value in a row, and the places that show it.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Name in CSV. In JSON it is the same, but for statistics, which are nested there.
    pub name: &'static str,
    /// Title in Markdown. In lower case it is the title in the terminal's trend.
    pub title: &'static str,
    /// Formula in a few words.
    pub formula: &'static str,
    /// The value, by its unit.
    pub value: Value,
    /// Its 95 % interval, if it has one.
    pub(super) interval: Option<fn(&Row) -> MaybeBounds>,
    /// Begin of the names of the interval's bounds: in CSV they are columns of their own, such as `NAME_low`.
    bounds_name: &'static str,
    is_rate_of_deployments: bool,
    /// Column of the terminal's tables; `None` if they do not have it.
    pub column: Option<ShortColumn>,
    /// `true` if the terminal's trend has a line for it.
    pub in_trend: bool,
    /// Name in JSON of its change against the period before, and the change. `None` if it is not compared.
    pub compared: Option<(&'static str, ChangeOf)>,
    /// Gauges of `/metrics`, for the value and for the bounds of its interval.
    pub gauges: &'static [(Part, Gauge)],
}

/// The value of a figure, or a bound of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value.
    Value,
    /// Lower bound.
    Low,
    /// Upper bound.
    High,
}

impl Part {
    /// All parts, in the order of the columns of CSV.
    pub const ALL: [Self; 3] = [Self::Value, Self::Low, Self::High];
}

/// Function that takes the change of a figure from those of a row.
pub type ChangeOf = fn(&RowChange) -> Option<FigureChange>;

/// Lower and upper bound of an interval, in the unit of the figure.
pub type Bounds = (f64, f64);

/// Bounds of which either may be missing.
pub(super) type MaybeBounds = (Option<f64>, Option<f64>);

/// A column of one of the terminal's tables, which are narrow.
#[derive(Debug, Clone, Copy)]
pub enum ShortColumn {
    /// In the table of counts and rates, in the order of the list.
    Counts {
        /// Heading.
        title: &'static str,
        /// Rank of the column if the terminal is too narrow for all: the column with the highest rank gets room first,
        /// and each that does not fit is left out. `None` if the column is always shown.
        worth: Option<u8>,
        /// `true` if the column is left out where all its values are 0.
        only_where_any: bool,
    },
    /// In the table of times to restore.
    RestoreTimes(Statistic),
    /// In the table of recovery times.
    RecoveryTimes(Statistic),
}

/// Part of a statistic of durations, in the order of the terminal's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// Sample size.
    N,
    /// Number of durations that have not ended.
    Open,
    /// The same, with those that began before the period.
    StillOpen,
    /// Mean.
    Mean,
    /// Median.
    Median,
    /// 90th percentile.
    P90,
    /// Maximum.
    Max,
}

/// A gauge of `/metrics`. Several figures may be values of the same gauge, with different further labels.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    /// Place in `/metrics`: the gauge with the lowest place comes first.
    pub place: u8,
    /// Name of the metric.
    pub name: &'static str,
    /// Help text of the metric.
    pub help: &'static str,
    /// Labels besides the window.
    pub labels: GaugeLabels,
    /// Further labels and their values, such as `stat`.
    pub more: &'static [(&'static str, &'static str)],
}

/// Labels of a gauge besides the window. Each combination has a row of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeLabels {
    /// Service and env.
    Service,
    /// Service, team and env.
    Team,
    /// Service, team, env and severity. Only for figures of failures: a deployment has no severity.
    Severity,
}

/// Function that takes a figure from a row, by the figure's unit.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// A number of things.
    Count(fn(&Row) -> usize),
    /// A number of things; `None` if there is nothing to count, as deployments in the rows of severities.
    OptionalCount(fn(&Row) -> Option<usize>),
    /// Things per 24 hours; `None` if they cannot be counted.
    PerDay(fn(&Row) -> Option<f64>),
    /// A share, at most 1; `None` without anything to divide by.
    Ratio(fn(&Row) -> Option<f64>),
    /// Things per deployment, which may exceed 1; `None` without a deployment.
    PerDeployment(fn(&Row) -> Option<f64>),
    /// Seconds; `None` without a sample.
    Seconds(fn(&Row) -> Option<f64>),
}

impl Figure {
    pub(super) const fn count(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> usize,
    ) -> Self {
        Self::new(name, title, formula, Value::Count(of))
    }

    pub(super) const fn optional_count(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<usize>,
    ) -> Self {
        Self::new(name, title, formula, Value::OptionalCount(of))
    }

    pub(super) const fn per_day(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<f64>,
    ) -> Self {
        Self::new(name, title, formula, Value::PerDay(of))
    }

    pub(super) const fn share_of_deployments(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<f64>,
    ) -> Self {
        Self { is_rate_of_deployments: true, ..Self::share(name, title, formula, of) }
    }

    /// A share of things other than deployments.
    pub(super) const fn share(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<f64>,
    ) -> Self {
        Self::new(name, title, formula, Value::Ratio(of))
    }

    pub(super) const fn per_deployment(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<f64>,
    ) -> Self {
        Self { is_rate_of_deployments: true, ..Self::new(name, title, formula, Value::PerDeployment(of)) }
    }

    pub(super) const fn seconds(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        of: fn(&Row) -> Option<f64>,
    ) -> Self {
        Self::new(name, title, formula, Value::Seconds(of))
    }

    const fn new(name: &'static str, title: &'static str, formula: &'static str, value: Value) -> Self {
        Self {
            name,
            title,
            formula,
            value,
            interval: None,
            bounds_name: name,
            is_rate_of_deployments: false,
            column: None,
            in_trend: false,
            compared: None,
            gauges: &[],
        }
    }

    pub(super) const fn with_interval(self, interval: fn(&Row) -> MaybeBounds) -> Self {
        Self { interval: Some(interval), ..self }
    }

    pub(super) const fn with_bounds_named(self, bounds_name: &'static str) -> Self {
        Self { bounds_name, ..self }
    }

    pub(super) const fn in_counts(self, title: &'static str, worth: Option<u8>) -> Self {
        Self { column: Some(ShortColumn::Counts { title, worth, only_where_any: false }), ..self }
    }

    pub(super) const fn in_counts_where_any(self, title: &'static str, worth: Option<u8>) -> Self {
        Self { column: Some(ShortColumn::Counts { title, worth, only_where_any: true }), ..self }
    }

    pub(super) const fn in_restore_times(self, statistic: Statistic) -> Self {
        Self { column: Some(ShortColumn::RestoreTimes(statistic)), ..self }
    }

    pub(super) const fn in_recovery_times(self, statistic: Statistic) -> Self {
        Self { column: Some(ShortColumn::RecoveryTimes(statistic)), ..self }
    }

    pub(super) const fn in_trend(self) -> Self {
        Self { in_trend: true, ..self }
    }

    pub(super) const fn compared(self, name: &'static str, change: ChangeOf) -> Self {
        Self { compared: Some((name, change)), ..self }
    }

    pub(super) const fn as_gauges(self, gauges: &'static [(Part, Gauge)]) -> Self {
        Self { gauges, ..self }
    }

    /// Name of a part in CSV. `None` for a bound of a figure without an interval.
    pub fn name_of(&self, part: Part) -> Option<String> {
        let bound = |bound: &str| self.interval.map(|_| format!("{}_{bound}", self.bounds_name));
        match part {
            Part::Value => Some(self.name.to_owned()),
            Part::Low => bound("low"),
            Part::High => bound("high"),
        }
    }

    /// A part as a number. `None` without data.
    pub fn part(&self, part: Part, row: &Row) -> Option<f64> {
        match part {
            Part::Value => self.number(row),
            Part::Low => self.interval?(row).0,
            Part::High => self.interval?(row).1,
        }
    }

    /// The bounds of its 95 % interval. `None` if one is missing.
    pub fn bounds(&self, row: &Row) -> Option<Bounds> {
        let (low, high) = self.interval?(row);
        low.zip(high)
    }

    /// The value as a number. `None` without data.
    pub fn number(&self, row: &Row) -> Option<f64> {
        match self.value {
            Value::Count(of) => u32::try_from(of(row)).ok().map(f64::from),
            Value::OptionalCount(of) => of(row).and_then(|count| u32::try_from(count).ok()).map(f64::from),
            Value::PerDay(of) | Value::Ratio(of) | Value::PerDeployment(of) | Value::Seconds(of) => of(row),
        }
    }

    /// `true` for a rate over deployments. Its gauges have no series for a window that is not longer than the link
    /// window: all deployments of such a window may still cause failures, so a rate would be too low.
    pub const fn is_rate_of_deployments(&self) -> bool {
        self.is_rate_of_deployments
    }
}

impl Gauge {
    pub(super) const fn new(place: u8, labels: GaugeLabels, name: &'static str, help: &'static str) -> Self {
        Self { place, name, help, labels, more: &[] }
    }

    pub(super) const fn with(self, more: &'static [(&'static str, &'static str)]) -> Self {
        Self { more, ..self }
    }
}
