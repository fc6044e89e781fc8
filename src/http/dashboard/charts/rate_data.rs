//! Input of the chart of a rate, and its words.

use super::axis::Unit;
use super::frame::Head;
use super::period::ChartPeriod;
use crate::http::dashboard::parts::format::{percent, percent_range};

/// Fewest deployments of a period whose rate is drawn and told. With fewer, one of them makes a rate that looks like news,
/// and only the interval says how little is known.
pub(super) const FEWEST_DEPLOYMENTS: u64 = 5;

/// A rate over time.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct RateChart<'a> {
    /// Name of the chart.
    pub(in crate::http::dashboard) head: Head<'a>,
    /// Unit of the rates.
    pub(in crate::http::dashboard) unit: RateUnit,
    /// All periods, in order.
    pub(in crate::http::dashboard) periods: &'a [RatePeriod],
}

/// Unit of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum RateUnit {
    /// Share of a whole, shown as percent.
    Share,
    /// Number for each deployment, which may be above 1.
    PerDeployment,
}

/// A period and its rate.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct RatePeriod {
    /// The period.
    pub(in crate::http::dashboard) period: ChartPeriod,
    /// The rate. `None` if there is no data, which is not zero.
    pub(in crate::http::dashboard) rate: Option<Rate>,
    /// Number of deployments that the rate is of.
    pub(in crate::http::dashboard) deployments: u64,
    /// Sample, for people: `4 of 23 deployments`.
    pub(in crate::http::dashboard) sample: String,
}

/// A rate within its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::http::dashboard) struct Rate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Rate {
    /// `None` if one of the numbers is negative, infinite or NaN.
    pub(in crate::http::dashboard) fn new(value: f64, low: f64, high: f64) -> Option<Self> {
        let is_drawable = [value, low, high].iter().all(|number| number.is_finite() && *number >= 0.0);
        is_drawable.then(|| Self { value, low: low.min(value), high: high.max(value) })
    }
}

impl RatePeriod {
    /// `true` if there is a rate, but of so few deployments that only its interval is shown.
    pub(super) const fn has_few(&self) -> bool {
        self.rate.is_some() && self.deployments < FEWEST_DEPLOYMENTS
    }

    /// The rate, if it is of enough deployments.
    pub(super) fn known(&self) -> Option<Rate> {
        self.rate.filter(|_| !self.has_few())
    }

    /// The rate, if it is of enough deployments and does not change any more.
    pub(super) fn settled(&self) -> Option<f64> {
        self.known().filter(|_| !self.period.is_unfinished()).map(|rate| rate.value)
    }
}

impl RateUnit {
    /// A rate, with its unit.
    pub(super) fn text(self, rate: f64) -> String {
        match self {
            Self::Share => percent(rate),
            Self::PerDeployment => format!("{rate:.2}"),
        }
    }

    /// Unit of the axis.
    pub(super) const fn on_axis(self) -> Unit {
        match self {
            Self::Share => Unit::Percent,
            Self::PerDeployment => Unit::Number,
        }
    }

    /// The interval of a rate.
    pub(super) fn interval(self, rate: Rate) -> String {
        match self {
            Self::Share => percent_range((rate.low, rate.high)),
            Self::PerDeployment => format!("{} to {}", self.text(rate.low), self.text(rate.high)),
        }
    }

    /// Heading of the intervals in the table.
    pub(super) const fn interval_heading(self) -> &'static str {
        match self {
            Self::Share => "95 % interval, in %",
            Self::PerDeployment => "95 % interval",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_within_its_interval() {
        assert_eq!(Rate::new(f64::NAN, 0.0, 1.0), None);
        assert_eq!(Rate::new(0.0, 0.0, f64::INFINITY), None);
        assert_eq!(Rate::new(0.2, 0.3, 0.1), Rate::new(0.2, 0.2, 0.2));
    }
}
