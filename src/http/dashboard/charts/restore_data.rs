//! Input of the chart of times to restore.

use super::frame::Head;
use super::period::ChartPeriod;
use crate::http::dashboard::parts::format::duration;

/// Failures and their times to restore.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct RestoreChart<'a> {
    /// Name of the chart.
    pub(in crate::http::dashboard) head: Head<'a>,
    /// Length of the chart in seconds, from the start of the first period on.
    pub(in crate::http::dashboard) span_seconds: f64,
    /// All periods, in order.
    pub(in crate::http::dashboard) periods: &'a [RestorePeriod],
    /// The failures, in any order.
    pub(in crate::http::dashboard) failures: &'a [FailureDot],
}

/// A period and the median of its times to restore.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct RestorePeriod {
    /// The period.
    pub(in crate::http::dashboard) period: ChartPeriod,
    /// Start of the period, in seconds since the start of the chart.
    pub(in crate::http::dashboard) starts_at_seconds: f64,
    /// Median, in seconds. `None` if nothing was restored.
    pub(in crate::http::dashboard) median_seconds: Option<f64>,
    /// Number of failures that the median is of.
    pub(in crate::http::dashboard) restored: u64,
    /// Number of failures that are still open.
    pub(in crate::http::dashboard) open: u64,
}

/// A failure.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct FailureDot {
    /// Title or id of the failure.
    pub(in crate::http::dashboard) name: String,
    /// Address of the failure.
    pub(in crate::http::dashboard) href: String,
    /// Moment that places the failure in its period, in seconds since the start of the chart.
    pub(in crate::http::dashboard) at_seconds: f64,
    /// Time to restore in seconds; of an open failure, its age.
    pub(in crate::http::dashboard) seconds: f64,
    /// `true` if the failure is open.
    pub(in crate::http::dashboard) is_open: bool,
}

impl FailureDot {
    /// Time to restore, or age, in words.
    pub(super) fn time(&self) -> String {
        let time = duration(Some(self.seconds));
        if self.is_open { format!("open for {time}") } else { format!("restored after {time}") }
    }
}
