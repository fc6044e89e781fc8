//! Intervals of a period, on the calendar of a time zone.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Interval, ReportQuery};
use crate::domain::timestamp::Timestamp;

impl ReportQuery {
    /// Start of each interval, including empty intervals, which have no row.
    pub fn starts(&self) -> Vec<Timestamp> {
        Periods::new(self).starts
    }
}

/// The intervals of a period, or the period itself as the only one.
#[derive(Debug)]
pub(super) struct Periods {
    /// Start of each interval; the first one starts with the period.
    starts: Vec<Timestamp>,
    /// End of the last interval.
    until: Timestamp,
}

impl Periods {
    pub(super) fn new(query: &ReportQuery) -> Self {
        let ReportQuery { since, until, interval, timezone, .. } = query;
        let next = |start: &Timestamp| {
            let next = interval.and_then(|interval| next_start(*start, interval, timezone));
            next.filter(|next| next < until)
        };
        Self { starts: std::iter::successors(Some(*since), next).collect(), until: *until }
    }

    /// Number of the interval that a time lies in. The start is in the interval, the end is not.
    pub(super) fn index(&self, at: Timestamp) -> Option<usize> {
        let begun = self.starts.partition_point(|start| *start <= at);
        begun.checked_sub(1).filter(|_| at < self.until)
    }

    /// Start of this interval.
    pub(super) fn start(&self, index: usize) -> Timestamp {
        self.starts[index]
    }
}

/// Start of the first interval after a time. `None` if the calendar ends.
fn next_start(after: Timestamp, interval: Interval, zone: &TimeZone) -> Option<Timestamp> {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(after.as_nanos())).ok()?;
    let mut date = instant.to_zoned_datetime(zone.clone()).date();
    loop {
        date = next_date(date, interval)?;
        let start = start_of(date, zone)?;
        // If clocks go back across midnight, the first midnight comes before the last part of the previous day.
        if start > after {
            return Some(start);
        }
    }
}

fn next_date(date: Date, interval: Interval) -> Option<Date> {
    match interval {
        Interval::Day => date.tomorrow(),
        Interval::Week => date.checked_add((7 - i64::from(date.weekday().to_monday_zero_offset())).days()),
        Interval::Month => date.first_of_month().checked_add(1.month()),
    }
    .ok()
}

/// The first moment of a day. It is not midnight if clocks go forward at midnight.
fn start_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned_datetime(zone.clone()).ok()?.timestamp();
    i64::try_from(start.as_nanosecond()).ok().map(Timestamp::from_nanos)
}
