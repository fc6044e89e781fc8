//! Figures of one service or one team, for its page.

use std::time::Duration;

use crate::domain::figures::{
    Dataset, Env, Grouping, Interval, IntervalName, Report, ReportDefaults, ReportQuery, Row, report,
};
use crate::domain::timestamp::Timestamp;

/// Length of the trend: 13 weeks.
pub(super) const TREND_SPAN: Duration = Duration::from_hours(13 * 7 * 24);
/// Number of days of the figures.
pub(super) const DAYS: u64 = 30;

/// Kind of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// A service.
    Service,
    /// A team.
    Team,
}

/// A service or a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Kind of the name.
    pub(super) kind: NameKind,
    /// The name.
    pub(super) name: String,
}

/// Its figures.
pub(super) struct NamedFigures {
    /// The last [`DAYS`], compared with as many days before.
    pub(super) month: Report,
    /// Each week of the trend, including weeks in which nothing happened.
    pub(super) weeks: Vec<Week>,
}

/// A week of the trend.
pub(super) struct Week {
    /// Its place in the calendar.
    pub(super) name: IntervalName,
    /// Its end; of the last one, the present time.
    pub(super) end: Timestamp,
    /// Its figures. `None` if nothing happened.
    pub(super) row: Option<Row>,
}

impl NamedFigures {
    /// The figures as of now. `dataset` goes back at least [`TREND_SPAN`].
    pub(super) fn new(
        dataset: &Dataset,
        now: Timestamp,
        defaults: ReportDefaults<'_>,
        Named { kind, name }: Named,
    ) -> Self {
        let ReportDefaults { timezone, env, link_window } = defaults;
        let (service, team) = match kind {
            NameKind::Service => (Some(name), None),
            NameKind::Team => (None, Some(name)),
        };
        let month = ReportQuery {
            since: now.saturating_sub(Duration::from_hours(24 * DAYS)),
            until: now,
            as_of: now,
            link_window,
            by: Grouping::None,
            env: Env::One(env.to_owned()),
            service,
            team,
            interval: None,
            compare: true,
            timezone: timezone.clone(),
        };
        let since = now.saturating_sub(TREND_SPAN);
        let trend = ReportQuery { since, interval: Some(Interval::Week), compare: false, ..month.clone() };
        // The first week is incomplete. People would compare it with whole weeks.
        let since = trend.intervals().get(1).map_or(since, |week| week.start.at());
        Self { month: report(&month, dataset), weeks: weeks(&ReportQuery { since, ..trend }, dataset) }
    }
}

fn weeks(query: &ReportQuery, dataset: &Dataset) -> Vec<Week> {
    let rows = report(query, dataset).rows;
    let names = query.intervals();
    let ends: Vec<Timestamp> =
        names.iter().skip(1).map(|name| name.start.at()).chain([query.until]).collect();
    let week = |(name, end): (IntervalName, Timestamp)| {
        let row = rows.iter().find(|row| row.period == Some(name.start)).cloned();
        Week { name, end, row }
    };
    names.into_iter().zip(ends).map(week).collect()
}
