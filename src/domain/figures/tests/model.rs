//! Reference model of the figures: slow, and written directly from the definitions. Also properties of every report.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::durations::nanos;
use super::super::query::before;
use super::super::{Env, Grouping, Interval, ReportQuery, Row};
use super::arbitrary::{ENVS, MINUTES, SERVICES, SEVERITIES, deployments, minute, one_failure, query};
use super::model_row::{RowParts, Span};
use super::{is_named, report};
use crate::domain::deployment::{Deployment, Deployments};
use crate::domain::failure::{Failure, FailureState, Flag};
use crate::domain::statistics::Cohort;
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
    query: &'a ReportQuery,
    /// Failures of the envs, the service and the team that count.
    failures: Vec<&'a Failure>,
    /// Deployments of the envs, the service and the team that count.
    deployments: Vec<&'a Deployment>,
    every_failure: &'a [Failure],
    every_deployment: &'a [Deployment],
    is_named: &'a dyn Fn(&Failure) -> bool,
}

fn is_within(at: Timestamp, (since, until): Span) -> bool {
    since <= at && at < until
}

impl Model<'_> {
    /// The row of a key, in `span`. Incidents are matched with the deployments of `whole`.
    fn row(&self, key: Option<&str>, span: Span, whole: Span) -> RowParts {
        let query = self.query;
        let is_of_key = |failure: &&&Failure| match query.by {
            Grouping::Service => failure.services.iter().any(|service| Some(service.as_str()) == key),
            Grouping::Team => failure.team.is_some() && failure.team.as_deref() == key,
            Grouping::Env => Some(failure.env.as_str()) == key,
            Grouping::Severity => failure.severity.as_deref() == key,
            Grouping::None => true,
        };
        let is_made_for_key = |deployment: &&&Deployment| match query.by {
            Grouping::Service => Some(deployment.service.as_str()) == key,
            Grouping::Team => deployment.team.is_some() && deployment.team.as_deref() == key,
            Grouping::Env => Some(deployment.env.as_str()) == key,
            Grouping::Severity => false,
            Grouping::None => true,
        };
        let own: Vec<&Failure> = self.failures.iter().filter(is_of_key).copied().collect();
        let made: Vec<&Deployment> = self.deployments.iter().filter(is_made_for_key).copied().collect();
        let has_deployments = query.by != Grouping::Severity;
        RowParts { key: key.map(str::to_owned), has_deployments, ..self.parts(&own, &made, span, whole) }
    }

    /// The row of everything.
    fn total(&self, span: Span, whole: Span) -> RowParts {
        self.parts(&self.failures, &self.deployments, span, whole)
    }

    fn parts(&self, own: &[&Failure], made: &[&Deployment], span: Span, whole: Span) -> RowParts {
        let query = self.query;
        let begun = || own.iter().filter(|failure| is_within(failure.started_at, span));
        let incidents = || begun().filter(|failure| is_incident(failure));
        let deployments: Vec<_> =
            made.iter().copied().filter(|deployment| is_within(deployment.finished_at, span)).collect();
        let is_failed = |deployment: &&&Deployment| !self.linked(deployment).is_empty();
        let failed: Vec<_> = deployments.iter().filter(is_failed).collect();
        let is_settled = |deployment: &&&Deployment| {
            deployment.finished_at.saturating_add(query.link_window) <= query.as_of
        };
        let settled: Vec<_> = deployments.iter().filter(is_settled).collect();
        let recoveries: Vec<_> = failed.iter().map(|deployment| self.recovery(deployment)).collect();
        let ended = own.iter().filter(|failure| is_incident(failure) && !is_doubtful(failure));
        let ended = ended.filter(|failure| failure.finished_at.is_some_and(|end| is_within(end, span)));
        let mut cohort = Cohort::default();
        for failure in incidents().filter(|failure| !is_doubtful(failure)) {
            match failure.time_to_restore_seconds {
                Some(seconds) => cohort.push_ended(nanos(seconds)),
                None => cohort.push_open(query.as_of.nanos_since(failure.started_at)),
            }
        }
        let is_known = |failure: &&&Failure| self.cause(failure).is_some();
        let named = incidents().filter(is_known).filter(|failure| (self.is_named)(failure)).count();
        // In a later interval that has not begun, only the failures that begin in it count.
        let has_begun = span.0 <= query.as_of || span.0 <= query.since;
        let still_open = |failure: &&&Failure| {
            let counts = failure.started_at < span.1 && (has_begun || is_within(failure.started_at, span));
            failure.state == FailureState::Open && counts
        };
        RowParts {
            key: None,
            has_deployments: true,
            span,
            incidents: incidents().count(),
            open: incidents().filter(|failure| failure.state == FailureState::Open).count(),
            still_open: own.iter().filter(still_open).count(),
            ignored: begun().filter(|failure| failure.state == FailureState::Ignored).count(),
            matched: incidents().filter(|failure| self.is_matched(failure, whole)).count(),
            named,
            automatic: incidents().filter(is_known).count() - named,
            deployments: deployments.len(),
            failed: failed.len(),
            settled: settled.len(),
            settled_failed: settled.into_iter().filter(|deployment| is_failed(deployment)).count(),
            remediations: deployments.iter().filter(|deployment| self.is_remediation(deployment)).count(),
            restored: ended.map(|failure| failure.time_to_restore_seconds.unwrap()).collect(),
            recovered: recoveries.iter().filter_map(|recovery| recovery.ok().flatten()).collect(),
            unrecovered: recoveries.iter().filter(|recovery| recovery.is_err()).count(),
            cohort,
        }
    }

    fn cause(&self, failure: &Failure) -> Option<&Deployment> {
        let is_cause =
            |deployment: &&Deployment| failure.deployment.as_deref() == Some(deployment.id.as_str());
        self.every_deployment.iter().find(is_cause)
    }

    fn is_matched(&self, failure: &Failure, whole: Span) -> bool {
        let is_own = |deployment: &&Deployment| {
            if failure.services.is_empty() {
                failure.team.is_some() && deployment.team == failure.team
            } else {
                failure.services.contains(&deployment.service)
            }
        };
        let own = self.every_deployment.iter().filter(is_own);
        own.chain(self.cause(failure))
            .any(|deployment| deployment.env == failure.env && is_within(deployment.finished_at, whole))
    }

    fn linked(&self, deployment: &Deployment) -> Vec<&Failure> {
        let is_linked = |failure: &&Failure| {
            is_incident(failure)
                && failure.env == deployment.env
                && failure.deployment.as_deref() == Some(deployment.id.as_str())
        };
        self.every_failure.iter().filter(is_linked).collect()
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
        // It was over before the deployment had ended.
        if last < deployment.finished_at {
            return Ok(None);
        }
        Ok(Some(last.duration_since(deployment.finished_at).as_secs_f64()))
    }

    fn is_remediation(&self, deployment: &Deployment) -> bool {
        self.every_failure.iter().filter(|failure| is_incident(failure)).any(|failure| {
            let could_fix = |deployment: &&Deployment| {
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
                .every_deployment
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

/// `true` if a row counts nothing.
fn is_empty(row: &Row) -> bool {
    let counts = [
        row.incidents,
        row.ignored,
        row.deployments.unwrap_or(0),
        row.time_to_restore_seconds.n,
        row.still_open,
    ];
    counts == [0; 5]
}

/// The rows and the total of a report. `is_named`: `true` if somebody named the cause of a failure.
pub(crate) fn model(
    query: &ReportQuery,
    failures: &[Failure],
    deployments: &[Deployment],
    is_named: &dyn Fn(&Failure) -> bool,
) -> (Vec<Row>, Row) {
    let has_env = |env: &String| match &query.env {
        Env::One(one) => one == env,
        Env::All => true,
    };
    let has_team = |team: &Option<String>| query.team.is_none() || query.team == *team;
    let is_asked = |service: &String| query.service.as_ref().is_none_or(|asked| asked == service);
    let counts = |failure: &&Failure| {
        let has_service = query.service.is_none() || failure.services.iter().any(is_asked);
        has_env(&failure.env) && has_team(&failure.team) && has_service
    };
    let is_counted =
        |made: &&Deployment| has_env(&made.env) && has_team(&made.team) && is_asked(&made.service);
    let model = Model {
        query,
        failures: failures.iter().filter(counts).collect(),
        deployments: deployments.iter().filter(is_counted).collect(),
        every_failure: failures,
        every_deployment: deployments,
        is_named,
    };
    let names: Vec<&str> = match query.by {
        Grouping::Service => SERVICES.into_iter().filter(|name| is_asked(&(*name).to_owned())).collect(),
        Grouping::Team => vec!["discovery", "payments"],
        Grouping::Env => ENVS.to_vec(),
        Grouping::Severity => SEVERITIES.to_vec(),
        Grouping::None => Vec::new(),
    };
    let nameless = matches!(query.by, Grouping::None | Grouping::Severity).then_some(None);
    let keys: Vec<Option<&str>> = nameless.into_iter().chain(names.into_iter().map(Some)).collect();
    let (starts, intervals) = (starts(query), query.intervals());
    let ends = starts.iter().skip(1).copied().chain([query.until]);
    let spans = starts.iter().copied().zip(ends).enumerate();
    let whole = (query.since, query.until);
    let whole_before = (before(query.since, query.until), query.since);
    // The interval before the first one lies before the period.
    let both = (whole_before.0, query.until);
    let matched_before = if query.interval.is_some() { both } else { whole_before };
    let rows = spans.flat_map(|(number, span)| {
        let span_before = (before(span.0, span.1), span.0);
        let (model, interval) = (&model, intervals.get(number));
        let row = move |key| {
            let earlier = query.compare.then(|| model.row(key, span_before, matched_before));
            model.row(key, span, whole).row(interval, earlier.as_ref())
        };
        keys.iter().copied().map(row).collect::<Vec<_>>()
    });
    let before = query.compare.then(|| model.total(whole_before, whole_before));
    let total = model.total(whole, whole).row(None, before.as_ref());
    (rows.filter(|row| !is_empty(row)).collect(), total)
}

/// Counts that add up over rows.
fn counts_of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> [usize; 8] {
    rows.into_iter().fold([0; 8], |sum, row| {
        let counts = [
            row.incidents,
            row.open,
            row.ignored,
            row.deployments.unwrap_or(0),
            row.failed_deployments.unwrap_or(0),
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
        let (rows, total) = model(&query, &failures, &deployments, &is_named);
        prop_assert_eq!(&report.rows, &rows);
        prop_assert_eq!(&report.total, &total);
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
