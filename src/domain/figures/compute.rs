//! Computation of reports from a dataset.

use std::collections::BTreeMap;
use std::slice;

use super::calendar::{CalendarInterval, Periods};
use super::dataset::Dataset;
use super::other_envs;
use super::query::{Env, Grouping, ReportQuery, before};
use super::report::Report;
use super::row::{Row, RowHead};
use super::sums::RowSums;
use super::tally::{Scope, Tally};
use crate::domain::timestamp::Timestamp;

/// Confidence of every interval, as the functions of `statistics` have it.
pub const CONFIDENCE: f64 = 0.95;

/// Maximum number of envs that a report suggests.
const MOST_OTHER_ENVS: usize = 10;

/// Computes the figures.
pub fn report(query: &ReportQuery, dataset: &Dataset) -> Report {
    let [report] = reports(query, [query.by], dataset);
    report
}

/// Computes the figures of one period in several groupings.
pub fn reports<const N: usize>(query: &ReportQuery, by: [Grouping; N], dataset: &Dataset) -> [Report; N] {
    let periods = Periods::new(query);
    let scope = Scope::of(query);
    let tally = Tally::of(dataset, &periods, &scope);
    let before = query.compare.then(|| Before::of(dataset, query, &periods));
    let deployed_elsewhere = other_envs::other_envs(dataset, &tally, &periods);
    let other_envs = if tally.is_empty() {
        other_envs(dataset, &periods, &scope)
    } else {
        other_envs::envs(&deployed_elsewhere)
    };
    let total = total(query, &tally, before.as_ref());
    by.map(|by| Report {
        since: query.since,
        until: query.until,
        as_of: query.as_of,
        confidence: CONFIDENCE,
        by,
        interval: query.interval,
        env: query.env_name().to_owned(),
        service: query.service.clone(),
        team: query.team.clone(),
        timezone: query.timezone.iana_name().unwrap_or("unknown").to_owned(),
        rows: rows(query, by, &tally, &periods, before.as_ref()),
        total: total.clone(),
        other_envs: other_envs.clone(),
        deployed_elsewhere: deployed_elsewhere.clone(),
    })
}

fn rows(
    query: &ReportQuery,
    by: Grouping,
    tally: &Tally<'_>,
    periods: &Periods,
    before: Option<&Before<'_>>,
) -> Vec<Row> {
    let names: Vec<CalendarInterval> = periods.names(query);
    let spans: Vec<(Timestamp, Timestamp)> = periods.spans().collect();
    let mut earlier = before.map(|before| before.rows(by));
    let mut rows = Vec::new();
    for ((period, key), sums) in tally.rows(by) {
        let (since, until) = spans[period];
        let has_deployments = by != Grouping::Severity;
        let head = RowHead { key, interval: names.get(period), since, until, has_deployments };
        rows.push(match &mut earlier {
            Some(earlier) => sums.compared_row(&head, &earlier[period].remove(&key).unwrap_or_default()),
            None => sums.row(&head),
        });
    }
    rows
}

fn total(query: &ReportQuery, tally: &Tally<'_>, before: Option<&Before<'_>>) -> Row {
    let head = RowHead::whole(query.since, query.until);
    match before {
        Some(before) => tally.total().compared_row(&head, &before.whole.total()),
        None => tally.total().row(&head),
    }
}

/// Counts of the periods before: of equal length before the whole period, and before each of its intervals.
struct Before<'a> {
    whole: Tally<'a>,
    /// Empty if the period is not divided.
    intervals: Vec<Tally<'a>>,
}

impl<'a> Before<'a> {
    fn of(dataset: &'a Dataset, query: &ReportQuery, periods: &Periods) -> Self {
        let tally = |since, until, scope: &Scope<'_>| {
            Tally::of(dataset, &Periods::whole(before(since, until), since), scope)
        };
        let scope = Scope::of(query);
        let before_all = Scope {
            matched_since: before(query.since, query.until),
            matched_until: query.since,
            ..scope.clone()
        };
        let whole = tally(query.since, query.until, &before_all);
        // The interval before the first one lies before the period.
        let with_first = Scope { matched_since: before_all.matched_since, ..scope };
        let spans = periods.spans().filter(|_| query.interval.is_some());
        let intervals = spans.map(|(since, until)| tally(since, until, &with_first)).collect();
        Self { whole, intervals }
    }

    /// The sums before each period, by key.
    fn rows(&self, by: Grouping) -> Vec<BTreeMap<Option<&'a str>, RowSums<'_>>> {
        let tallies = if self.intervals.is_empty() { slice::from_ref(&self.whole) } else { &self.intervals };
        let rows = |tally| Tally::rows(tally, by).into_iter().map(|((_, key), sums)| (key, sums)).collect();
        tallies.iter().map(rows).collect()
    }
}

fn other_envs(dataset: &Dataset, periods: &Periods, scope: &Scope<'_>) -> Vec<String> {
    let all = Tally::of(dataset, periods, &Scope { env: &Env::All, ..scope.clone() });
    all.envs().into_iter().take(MOST_OTHER_ENVS).map(str::to_owned).collect()
}
