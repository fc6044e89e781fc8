//! Figures of the first page, and of the page of a service or a team, for one choice of period and filters.

use std::time::Duration;

use crate::domain::figures::{
    CalendarInterval, Dataset, Grouping, Interval, Report, ReportDefaults, ReportOptions, ReportQuery, Row,
    RowHead, RowSums, SortBy, report, reports,
};
use crate::domain::timestamp::Timestamp;
use crate::store::{FiguresReader, ReadError, TimedFailureFilter, TimedFailures};

/// Largest number of failures that are drawn one by one.
const MOST_FAILURES: usize = 5_000;
/// Longest period with a chart by day.
const LONGEST_BY_DAY: Duration = Duration::from_hours(14 * 24);
/// Longest period with a chart by week.
const LONGEST_BY_WEEK: Duration = Duration::from_hours(366 * 24);
/// Figure by which services and teams are sorted. By the value alone, the smallest ones would be at both ends.
const ORDER: &str = "change_fail_rate_low";

/// Period that a person can choose with one click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
}

impl Period {
    /// All periods, in the order of the enum.
    pub(super) const ALL: [Self; 3] = [Self::Week, Self::Month, Self::Quarter];

    /// Number of days.
    pub(super) const fn days(self) -> u64 {
        match self {
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
        }
    }

    /// Period with this number of days.
    pub(super) fn of_days(days: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.days() == days)
    }
}

/// Choice of period and filters. Texts are as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BoardQuery {
    /// Period up to now. `since` and `until` go before it.
    pub(super) period: Period,
    /// Start of the period.
    pub(super) since: Option<String>,
    /// End of the period (exclusive).
    pub(super) until: Option<String>,
    /// Env whose failures and deployments count, or `all`.
    pub(super) env: Option<String>,
    /// The only service.
    pub(super) service: Option<String>,
    /// The only team.
    pub(super) team: Option<String>,
    /// The only severity of failures.
    pub(super) severity: Option<String>,
}

impl BoardQuery {
    /// The choice of a person who chooses nothing.
    pub(super) const DEFAULT: Self = Self {
        period: Period::Month,
        since: None,
        until: None,
        env: None,
        service: None,
        team: None,
        severity: None,
    };

    /// Parameters of the report as of now. The error names the wrong parameter.
    pub(super) fn report_query(
        &self,
        now: Timestamp,
        defaults: ReportDefaults<'_>,
    ) -> Result<ReportQuery, String> {
        let period = format!("{}d", self.period.days());
        let options = ReportOptions {
            since: Some(self.since.as_deref().unwrap_or(&period)),
            until: self.until.as_deref(),
            by: Some(Grouping::None),
            env: self.env.as_deref(),
            service: self.service.as_deref(),
            team: self.team.as_deref(),
            interval: None,
            compare: true,
        };
        options.query(now, defaults, "")
    }
}

/// The figures of one choice.
pub(super) struct Board {
    /// Parameters of the figures.
    pub(super) query: ReportQuery,
    /// The figures without groups. With a severity, they are those of its failures.
    pub(super) total: Row,
    /// Figures by service, the worst first.
    pub(super) by_service: Report,
    /// Figures by team, the worst first.
    pub(super) by_team: Report,
    /// Severities of the period.
    pub(super) severities: Vec<String>,
    /// Length of the intervals of the charts.
    pub(super) interval: Interval,
    /// Each interval of the charts, and its figures if anything happened. The first one is whole, and may begin before
    /// the period.
    pub(super) over_time: Vec<(CalendarInterval, Option<Row>)>,
    /// Failures that ended in the intervals, and open ones that began in them.
    pub(super) failures: TimedFailures,
}

impl Board {
    /// Reads the figures.
    pub(super) fn read(
        reader: &FiguresReader,
        query: &ReportQuery,
        severity: Option<&str>,
    ) -> Result<(Self, usize), ReadError> {
        let dataset = reader.dataset(data_since(query), query.until)?;
        let board = Self::new(reader, &dataset, query, severity)?;
        Ok((board, dataset.len()))
    }

    /// The figures from a dataset that goes back to [`data_since`] at least.
    pub(super) fn new(
        reader: &FiguresReader,
        dataset: &Dataset,
        query: &ReportQuery,
        severity: Option<&str>,
    ) -> Result<Self, ReadError> {
        let [all, mut by_service, mut by_team, by_severity] =
            reports(query, [Grouping::None, Grouping::Service, Grouping::Team, Grouping::Severity], dataset);
        if let Ok(order) = SortBy::parse(ORDER) {
            order.sort(&mut by_service);
            order.sort(&mut by_team);
        }
        let severities = by_severity.rows.iter().filter_map(|row| row.key.clone()).collect();
        let total = match severity {
            None => all.total,
            Some(severity) => {
                let row = by_severity.rows.into_iter().find(|row| row.key.as_deref() == Some(severity));
                row.unwrap_or_else(|| nothing(query))
            }
        };
        let (interval, in_intervals) = in_intervals(query);
        let filter = TimedFailureFilter {
            since: in_intervals.since,
            until: query.until,
            env: query.env.clone(),
            service: query.service.clone(),
            team: query.team.clone(),
            severity: severity.map(str::to_owned),
            limit: MOST_FAILURES,
        };
        Ok(Self {
            query: query.clone(),
            total,
            by_service,
            by_team,
            severities,
            interval,
            over_time: over_time(&in_intervals, severity, dataset),
            failures: reader.timed_failures(&filter)?,
        })
    }
}

/// Start of the data that the figures need.
pub(super) fn data_since(query: &ReportQuery) -> Timestamp {
    let (_, in_intervals) = in_intervals(query);
    query.data_since().min(in_intervals.since)
}

/// Figures of a severity that no failure has.
fn nothing(query: &ReportQuery) -> Row {
    let head = RowHead { has_deployments: false, ..RowHead::whole(query.since, query.until) };
    RowSums::default().row(&head)
}

/// The figures of each interval, also of those in which nothing happened.
fn over_time(
    query: &ReportQuery,
    severity: Option<&str>,
    dataset: &Dataset,
) -> Vec<(CalendarInterval, Option<Row>)> {
    let by = if severity.is_some() { Grouping::Severity } else { Grouping::None };
    let rows = report(&ReportQuery { by, ..query.clone() }, dataset).rows;
    // Both are in the order of time.
    let mut rows = rows.into_iter().filter(|row| row.key.as_deref() == severity).peekable();
    let with_row = |name: CalendarInterval| {
        let row = rows.next_if(|row| row.period == Some(name.start));
        (name, row)
    };
    query.intervals().into_iter().map(with_row).collect()
}

/// Parameters of the figures by interval. The first interval is whole: people would compare a part of it with whole
/// ones.
fn in_intervals(query: &ReportQuery) -> (Interval, ReportQuery) {
    let interval = match query.until.duration_since(query.since) {
        length if length <= LONGEST_BY_DAY => Interval::Day,
        length if length <= LONGEST_BY_WEEK => Interval::Week,
        _ => Interval::Month,
    };
    let query = ReportQuery { interval: Some(interval), compare: false, ..query.clone() };
    let since = query.interval_start(query.since).unwrap_or(query.since);
    (interval, ReportQuery { since, ..query })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn in_intervals_of(since: &str, until: &str) -> (Interval, Vec<CalendarInterval>) {
        let defaults =
            ReportDefaults { timezone: &TimeZone::UTC, env: "production", link_window: Duration::ZERO };
        let now = Timestamp::parse("2026-11-30T12:00:00Z").unwrap();
        let (since, until) = (Some(since.to_owned()), Some(until.to_owned()));
        let query = BoardQuery { since, until, ..BoardQuery::DEFAULT };
        let (interval, query) = in_intervals(&query.report_query(now, defaults).unwrap());
        (interval, query.intervals())
    }

    #[test]
    fn the_first_interval_is_whole() {
        for (since, until, interval, first, count) in [
            ("2026-11-20T10:00:00Z", "2026-11-22", Interval::Day, "2026-11-20", 2),
            ("2026-11-10", "2026-11-24", Interval::Day, "2026-11-10", 14),
            ("2026-11-01", "2026-11-29", Interval::Week, "2026-W44", 5),
            ("2026-11-02", "2026-11-29", Interval::Week, "2026-W45", 4),
            ("2024-05-15", "2026-11-29", Interval::Month, "2024-05", 31),
        ] {
            let (found, names) = in_intervals_of(since, until);
            assert_eq!((found, &*names[0].label, names.len()), (interval, first, count), "{since}");
            assert!(!names[0].is_partial, "{since}");
        }
    }

    #[test]
    fn dates_go_before_the_period() {
        let (_, names) = in_intervals_of("2026-11-10", "2026-11-12");
        assert_eq!(names.last().map(|name| &*name.label), Some("2026-11-11"));
    }
}
