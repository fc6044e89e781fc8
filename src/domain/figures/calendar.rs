//! Intervals of a period, on the calendar of a time zone.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Interval, ReportQuery};
use crate::domain::timestamp::Timestamp;
use crate::domain::zoned_time::{ZonedTime, start_of_day};

impl ReportQuery {
    /// Each interval, including empty intervals, which have no row. Without intervals there are none.
    pub fn intervals(&self) -> Vec<CalendarInterval> {
        Periods::new(self).names(self)
    }

    /// Start of the whole interval that a time lies in. `None` without intervals, and where the calendar ends.
    pub fn interval_start(&self, at: Timestamp) -> Option<Timestamp> {
        let first = first_date_of(at, self.interval?, &self.timezone)?;
        start_of_day(first, &self.timezone)
    }
}

/// The place of an interval in the calendar, for people and for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarInterval {
    /// Start with the zone's offset. The first interval begins with the period.
    pub start: ZonedTime,
    /// Name on the calendar of the zone: `2026-11-02`, `2026-W45` or `2026-11`.
    pub label: String,
    /// `true` if the period begins after the interval does, or ends before it.
    pub is_partial: bool,
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

    /// One period that is not divided.
    pub(super) fn whole(since: Timestamp, until: Timestamp) -> Self {
        Self { starts: vec![since], until }
    }

    /// Number of intervals.
    pub(super) const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Number of the interval that a time lies in. The start is in the interval, the end is not.
    pub(super) fn index(&self, at: Timestamp) -> Option<usize> {
        self.begun_by(at).checked_sub(1).filter(|_| at < self.until)
    }

    /// Number of the first interval that ends after a time. `None` if all end before.
    pub(super) fn first_ending_after(&self, at: Timestamp) -> Option<usize> {
        (at < self.until).then(|| self.begun_by(at).saturating_sub(1))
    }

    /// Number of the intervals that begin at a time or before it.
    pub(super) fn begun_by(&self, at: Timestamp) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Start and end of each interval.
    pub(super) fn spans(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.until]);
        self.starts.iter().copied().zip(ends)
    }

    /// The name of each interval. Empty if the period is not divided.
    pub(super) fn names(&self, query: &ReportQuery) -> Vec<CalendarInterval> {
        let Some(interval) = query.interval else { return Vec::new() };
        let zone = &query.timezone;
        let name = |(start, end)| {
            let first = first_date_of(start, interval, zone);
            let is_whole = first.and_then(|date| start_of_day(date, zone)) == Some(start)
                && next_start(start, interval, zone).is_some_and(|next| next <= end);
            let label = first.map_or_else(String::new, |date| label(date, interval));
            CalendarInterval { start: ZonedTime::new(start, zone), label, is_partial: !is_whole }
        };
        self.spans().map(name).collect()
    }
}

/// Start of the first interval after a time. `None` if the calendar ends.
fn next_start(after: Timestamp, interval: Interval, zone: &TimeZone) -> Option<Timestamp> {
    let mut date = date_of(after, zone);
    loop {
        date = next_date(date, interval)?;
        let start = start_of_day(date, zone)?;
        // If clocks go back across midnight, the first midnight comes before the last part of the previous day.
        if start > after {
            return Some(start);
        }
    }
}

/// The first date of the interval that a time lies in.
fn first_date_of(at: Timestamp, interval: Interval, zone: &TimeZone) -> Option<Date> {
    let first = first_date(date_of(at, zone), interval)?;
    // After clocks went back across midnight, a time may have the date of the day before its own.
    let next =
        next_date(first, interval).filter(|next| start_of_day(*next, zone).is_some_and(|start| start <= at));
    next.or(Some(first))
}

fn date_of(at: Timestamp, zone: &TimeZone) -> Date {
    jiff::Timestamp::from(at).to_zoned_datetime(zone.clone()).date()
}

/// The first date of the interval that a date lies in.
fn first_date(date: Date, interval: Interval) -> Option<Date> {
    match interval {
        Interval::Day => Some(date),
        Interval::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok(),
        Interval::Month => Some(date.first_of_month()),
    }
}

fn next_date(date: Date, interval: Interval) -> Option<Date> {
    let first = first_date(date, interval)?;
    match interval {
        Interval::Day => first.tomorrow(),
        Interval::Week => first.checked_add(7.days()),
        Interval::Month => first.checked_add(1.month()),
    }
    .ok()
}

fn label(date: Date, interval: Interval) -> String {
    match interval {
        Interval::Day => date.to_string(),
        Interval::Week => {
            let week = date.iso_week_date();
            format!("{}-W{:02}", week.year(), week.week())
        }
        Interval::Month => format!("{}-{:02}", date.year(), date.month()),
    }
}
