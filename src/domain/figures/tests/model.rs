//! Reference model of the figures: slow, and written directly from the definitions. Also properties of every report.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Env, Grouping, Interval, RecoveryTimes, ReportQuery, RestoreTimes, Row};
use super::arbitrary::{ENVS, MINUTES, SERVICES, SEVERITIES, deployments, minute, one_failure, query};
use super::report;
use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::{Failure, FailureState, Flag};
use crate::domain::statistics::{Estimate, EventRate, MedianRanks, Proportion};
use crate::domain::timestamp::Timestamp;

/// The first date of the interval that a time lies in.
fn first_date(at: Timestamp, query: &ReportQuery) -> Option<Date> {
    let date = jiff::Timestamp::from_nanosecond(at.as_nanos().into())
        .unwrap()
        .to_zoned_datetime(query.timezone.clone())
        .date();
    Some(match query.interval? {
        Interval::Day => date,
        Interval::Week => monday(date),
        Interval::Month => date.first_of_month(),
    })
}

fn monday(mut date: Date) -> Date {
    while date.weekday() != jiff::civil::Weekday::Monday {
        date = date.yesterday().unwrap();
    }
    date
}

/// The times in the period at which an interval begins, found by a check at every half hour.
fn starts(query: &ReportQuery) -> Vec<Timestamp> {
    let half_hours = (0..=MINUTES * 2 / 60).map(|half| minute(half * 30));
    let inside = half_hours.filter(|at| query.since < *at && *at < query.until);
    let mut starts = Vec::new();
    let mut date = None;
    for at in std::iter::once(query.since).chain(inside) {
        if starts.is_empty() || first_date(at, query) != date {
            starts.push(at);
            date = first_date(at, query);
        }
    }
    starts
}

/// The figures by their definitions, of one interval and one key.
struct Model<'a> {
    failures: Vec<&'a Failure>,
    deployments: Vec<&'a Deployment>,
}

impl Model<'_> {
    fn row(&self, query: &ReportQuery, key: Option<&str>, since: Timestamp, until: Timestamp) -> Row {
        let within = |at: Timestamp| since <= at && at < until;
        let is_of_key = |failure: &&&Failure| match query.by {
            Grouping::Service => failure.services.iter().any(|service| Some(service.as_str()) == key),
            Grouping::Team => failure.team.is_some() && failure.team.as_deref() == key,
            Grouping::Env => Some(failure.env.as_str()) == key,
            Grouping::Severity => failure.severity.as_deref() == key,
            Grouping::None => true,
        };
        let begun = || self.failures.iter().filter(is_of_key).filter(|failure| within(failure.started_at));
        let incidents = || begun().filter(|failure| is_incident(failure));
        let in_period = || self.deployments.iter().filter(|deployment| within(deployment.finished_at));
        let in_whole_period = || {
            let is_in = |at: Timestamp| query.since <= at && at < query.until;
            self.deployments.iter().filter(move |deployment| is_in(deployment.finished_at))
        };
        let deployments: Vec<_> = in_period()
            .filter(|deployment| match query.by {
                Grouping::Service => Some(deployment.service.as_str()) == key,
                Grouping::Team => deployment.team.is_some() && deployment.team.as_deref() == key,
                Grouping::Env => Some(deployment.env.as_str()) == key,
                Grouping::Severity => false,
                Grouping::None => true,
            })
            .collect();
        let is_matched = |failure: &&&Failure| {
            in_whole_period().filter(|deployment| deployment.env == failure.env).any(|deployment| match query
                .by
            {
                Grouping::Service => Some(deployment.service.as_str()) == key,
                Grouping::Team => deployment.team.as_deref() == key,
                _ if failure.services.is_empty() => failure.team.is_some() && deployment.team == failure.team,
                _ => failure.services.contains(&deployment.service),
            })
        };
        let restored: Vec<f64> = self
            .failures
            .iter()
            .filter(is_of_key)
            .filter(|failure| is_incident(failure) && !is_doubtful(failure))
            .filter(|failure| failure.finished_at.is_some_and(within))
            .map(|failure| failure.time_to_restore_seconds.unwrap())
            .collect();
        let failed: Vec<_> =
            deployments.iter().filter(|deployment| !self.linked(deployment).is_empty()).collect();
        let recoveries: Vec<_> = failed.iter().map(|deployment| self.recovery(deployment)).collect();
        let remediations = deployments.iter().filter(|deployment| self.is_remediation(deployment)).count();
        let matched = incidents().filter(is_matched).count();
        RowParts {
            key: key.map(str::to_owned),
            period: query.interval.map(|_| since),
            incidents: incidents().count(),
            open: incidents().filter(|failure| failure.state == FailureState::Open).count(),
            ignored: begun().filter(|failure| failure.state == FailureState::Ignored).count(),
            matched,
            deployments: deployments.len(),
            failed: failed.len(),
            remediations,
            restored,
            recovered: recoveries.iter().filter_map(|recovery| recovery.ok().flatten()).collect(),
            unrecovered: recoveries.iter().filter(|recovery| recovery.is_err()).count(),
        }
        .row()
    }

    fn linked(&self, deployment: &Deployment) -> Vec<&Failure> {
        let is_linked = |failure: &&Failure| {
            is_incident(failure)
                && failure.env == deployment.env
                && failure.deployment.as_deref() == Some(deployment.id.as_str())
        };
        self.failures.iter().copied().filter(is_linked).collect()
    }

    /// Recovery time in seconds; `None` if times are in doubt. An error if the run of failures is open.
    fn recovery(&self, deployment: &Deployment) -> Result<Option<f64>, ()> {
        let linked = self.linked(deployment);
        let first = linked.iter().map(|failure| failure.started_at).min().unwrap();
        let end = |failure: &Failure| failure.finished_at.unwrap_or(Timestamp::from_nanos(i64::MAX));
        let overlap = |a: &Failure, b: &Failure| a.started_at <= end(b) && b.started_at <= end(a);
        let (mut run, mut others): (Vec<_>, Vec<_>) =
            linked.into_iter().partition(|failure| failure.started_at == first);
        while let Some(index) =
            others.iter().position(|other| run.iter().any(|failure| overlap(failure, other)))
        {
            run.push(others.remove(index));
        }
        if run.iter().any(|failure| failure.finished_at.is_none()) {
            return Err(());
        }
        if run.iter().any(|failure| is_doubtful(failure)) {
            return Ok(None);
        }
        let last = run.iter().filter_map(|failure| failure.finished_at).max().unwrap();
        Ok(Some(last.duration_since(deployment.finished_at).as_secs_f64()))
    }

    fn is_remediation(&self, deployment: &Deployment) -> bool {
        self.failures.iter().filter(|failure| is_incident(failure)).any(|failure| {
            let could_fix = |deployment: &&&Deployment| {
                let is_own = if failure.services.is_empty() {
                    failure.team.is_some() && deployment.team == failure.team
                } else {
                    failure.services.contains(&deployment.service)
                };
                is_own
                    && failure.env == deployment.env
                    && failure.started_at < deployment.started_at
                    && failure.finished_at.is_some_and(|end| deployment.started_at < end)
                    && failure.deployment.as_deref() != Some(deployment.id.as_str())
            };
            let last = self
                .deployments
                .iter()
                .filter(could_fix)
                .max_by_key(|deployment| (deployment.started_at, deployment.id.clone()));
            last.is_some_and(|last| last.id == deployment.id)
        })
    }
}

fn is_incident(failure: &Failure) -> bool {
    failure.state == FailureState::Open || failure.state == FailureState::Completed
}

fn is_doubtful(failure: &Failure) -> bool {
    failure.flags.contains(&Flag::Approximate) || failure.flags.contains(&Flag::EndBeforeStart)
}

struct RowParts {
    key: Option<String>,
    period: Option<Timestamp>,
    incidents: usize,
    open: usize,
    ignored: usize,
    matched: usize,
    deployments: usize,
    failed: usize,
    remediations: usize,
    restored: Vec<f64>,
    recovered: Vec<f64>,
    unrecovered: usize,
}

impl RowParts {
    fn row(self) -> Row {
        // The tests of `statistics` hold the intervals against values that were computed elsewhere.
        let share = |part| Proportion::new(part, self.deployments).map(Proportion::estimate);
        let (failed, rework) = (share(self.failed), share(self.remediations));
        let is_known = self.matched > 0 || self.incidents == 0;
        let per_deployment = EventRate::new(self.matched, self.deployments).filter(|_| is_known);
        let per_deployment = per_deployment.map(EventRate::estimate);
        let restored = statistic(self.restored);
        let recovered = statistic(self.recovered);
        Row {
            key: self.key,
            period: self.period,
            incidents: self.incidents,
            open: self.open,
            ignored: self.ignored,
            matched_incidents: self.matched,
            unmatched_incidents: self.incidents - self.matched,
            deployments: self.deployments,
            failed_deployments: self.failed,
            change_failure_rate: per_deployment.map(Estimate::value),
            change_failure_rate_low: per_deployment.map(Estimate::low),
            change_failure_rate_high: per_deployment.map(Estimate::high),
            change_fail_rate: failed.map(Estimate::value),
            change_fail_rate_low: failed.map(Estimate::low),
            change_fail_rate_high: failed.map(Estimate::high),
            deployment_rework_rate: rework.map(Estimate::value),
            deployment_rework_rate_low: rework.map(Estimate::low),
            deployment_rework_rate_high: rework.map(Estimate::high),
            failed_deployment_recovery_time_seconds: RecoveryTimes {
                n: recovered.n,
                open: self.unrecovered,
                mean: recovered.mean,
                median: recovered.median,
                median_low: recovered.median_low,
                median_high: recovered.median_high,
                p90: recovered.p90,
                max: recovered.max,
            },
            time_to_restore_seconds: restored,
        }
    }
}

/// Statistics in floating point, and without computed indexes.
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn statistic(mut values: Vec<f64>) -> RestoreTimes {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    // To the microsecond, as seconds are shown.
    let rounded = |seconds: f64| (seconds * 1e6 + 1e-3).floor() / 1e6;
    let mean = (n > 0).then(|| rounded(values.iter().sum::<f64>() / n as f64));
    let p90 = values.iter().enumerate().find(|(index, _)| (index + 1) * 10 >= n * 9).map(|(_, value)| *value);
    let p90 = p90.filter(|_| n >= 10);
    let ranks = MedianRanks::of(n);
    let (median_low, median_high) =
        (ranks.map(|ranks| values[ranks.low() - 1]), ranks.map(|ranks| values[ranks.high() - 1]));
    let max = values.last().copied();
    while values.len() > 2 {
        values.pop();
        values.remove(0);
    }
    let median = (n > 0).then(|| rounded(values.iter().sum::<f64>() / values.len() as f64));
    RestoreTimes { n, mean, median, median_low, median_high, p90, max }
}

/// `true` if a row counts nothing.
fn is_empty(row: &Row) -> bool {
    row.incidents == 0 && row.ignored == 0 && row.deployments == 0 && row.time_to_restore_seconds.n == 0
}

pub(crate) fn model(query: &ReportQuery, failures: &[Failure], deployments: &[Deployment]) -> Vec<Row> {
    let is_included = |env: &String| match &query.env {
        Env::One(one) => one == env,
        Env::All => true,
    };
    let model = Model {
        failures: failures.iter().filter(|failure| is_included(&failure.env)).collect(),
        deployments: deployments.iter().filter(|deployment| is_included(&deployment.env)).collect(),
    };
    let names = match query.by {
        Grouping::Service => &SERVICES[..],
        Grouping::Team => &["discovery", "payments"],
        Grouping::Env => &ENVS,
        Grouping::Severity => &SEVERITIES,
        Grouping::None => &[],
    };
    let nameless = matches!(query.by, Grouping::None | Grouping::Severity).then_some(None);
    let keys: Vec<Option<&str>> = nameless.into_iter().chain(names.iter().copied().map(Some)).collect();
    let starts = starts(query);
    let ends = starts.iter().skip(1).copied().chain([query.until]);
    let periods = starts.iter().copied().zip(ends);
    let rows = periods.flat_map(|(since, until)| {
        let row = |key| model.row(query, key, since, until);
        keys.iter().copied().map(row).collect::<Vec<_>>()
    });
    rows.filter(|row| !is_empty(row)).collect()
}

/// Counts that add up over rows.
fn counts_of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> [usize; 8] {
    rows.into_iter().fold([0; 8], |sum, row| {
        let counts = [
            row.incidents,
            row.open,
            row.ignored,
            row.deployments,
            row.failed_deployments,
            row.time_to_restore_seconds.n,
            row.failed_deployment_recovery_time_seconds.n,
            row.failed_deployment_recovery_time_seconds.open,
        ];
        std::array::from_fn(|index| sum[index] + counts[index])
    })
}

fn unmatched(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.unmatched_incidents).sum()
}

proptest! {
    #[test]
    fn figures_follow_their_definitions(
        query in query(),
        failures in vec(one_failure(), 0..16),
        deployments in deployments(),
    ) {
        let report = report(&query, &failures, &Deployments::new(deployments.clone()));
        prop_assert_eq!(&report.rows, &model(&query, &failures, &deployments));
    }

    #[test]
    fn figures_are_consistent(
        query in query(),
        failures in vec(one_failure(), 0..16),
        deployments in deployments(),
    ) {
        let of = |query: &ReportQuery| report(query, &failures, &Deployments::new(deployments.clone())).rows;
        let rows = of(&query);
        for row in &rows {
            prop_assert!(row.change_fail_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            prop_assert!(row.deployment_rework_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
            prop_assert!(row.open <= row.incidents && row.unmatched_incidents <= row.incidents);
        }
        prop_assert!(rows.is_sorted_by_key(|row| (row.period, row.key.clone())));

        let backwards: Vec<Failure> = failures.iter().rev().cloned().collect();
        let deployments_backwards = Deployments::new(deployments.iter().rev().cloned().collect());
        prop_assert_eq!(&rows, &report(&query, &backwards, &deployments_backwards).rows, "any order");

        let undivided = of(&ReportQuery { interval: None, ..query.clone() });
        prop_assert_eq!(counts_of(&rows), counts_of(&undivided), "intervals add up");

        let every_env = of(&ReportQuery { env: Env::All, ..query.clone() });
        let each_env = ENVS.map(|env| of(&ReportQuery { env: Env::parse(env), ..query.clone() })).concat();
        prop_assert_eq!(counts_of(&every_env), counts_of(&each_env), "envs add up");
        prop_assert_eq!(unmatched(&every_env), unmatched(&each_env), "envs do not mix");
    }
}
