//! Figures of the dashboard for each period that a person can choose.

use std::time::Duration;

use crate::domain::figures::{
    Dataset, Env, Grouping, Interval, IntervalName, Report, ReportDefaults, ReportQuery, report, reports,
};
use crate::domain::timestamp::Timestamp;

/// Period that a person can choose.
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

/// Length of the trend: 13 weeks. No period is longer.
pub(super) const TREND_SPAN: Duration = Duration::from_hours(13 * 7 * 24);

/// The figures of every period.
pub(super) struct Boards {
    by_period: [Board; Period::ALL.len()],
    /// Figures by week, over the same weeks for every period.
    pub(super) trend: Report,
    /// Each week, including weeks in which nothing happened.
    pub(super) weeks: Vec<IntervalName>,
}

/// The figures of one period.
pub(super) struct Board {
    /// Without groups.
    pub(super) all: Report,
    /// Grouped by service.
    pub(super) by_service: Report,
    /// Grouped by team.
    pub(super) by_team: Report,
}

impl Boards {
    /// The figures as of now. `dataset` goes back at least [`TREND_SPAN`].
    pub(super) fn new(dataset: &Dataset, now: Timestamp, defaults: ReportDefaults<'_>) -> Self {
        let ReportDefaults { timezone, env, link_window } = defaults;
        let query = ReportQuery {
            since: now.saturating_sub(TREND_SPAN),
            until: now,
            as_of: now,
            link_window,
            by: Grouping::None,
            env: Env::One(env.to_owned()),
            service: None,
            team: None,
            interval: Some(Interval::Week),
            compare: false,
            timezone: timezone.clone(),
        };
        let by_period = Period::ALL.map(|period| {
            let since = now.saturating_sub(Duration::from_hours(24 * period.days()));
            let query = ReportQuery { since, interval: None, ..query.clone() };
            let [all, by_service, by_team] =
                reports(&query, [Grouping::None, Grouping::Service, Grouping::Team], dataset);
            Board { all, by_service, by_team }
        });
        // The first week is incomplete. People would compare its bar with the bars of whole weeks.
        let since = query.intervals().get(1).map_or(query.since, |week| week.start.at());
        let query = ReportQuery { since, ..query };
        Self { by_period, trend: report(&query, dataset), weeks: query.intervals() }
    }

    /// Board of a period.
    pub(super) fn of(&self, period: Period) -> &Board {
        &self.by_period[period as usize]
    }
}
