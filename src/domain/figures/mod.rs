//! The DORA figures, by both sets of definitions: the older one counts incidents, the newer one failed deployments.

mod calendar;
mod dataset;
mod deployment_index;
mod durations;
pub mod list;
mod names;
mod other_envs;
mod query;
mod recovery;
mod report;
mod report_options;
mod row;
mod tally;
mod trailing;

use self::calendar::Periods;
use self::tally::Tally;

pub use self::dataset::{Dataset, DatasetBuilder, FailureTimes, FailureTraits, LinkedKeys};
pub use self::deployment_index::DeploymentIndex;
pub use self::durations::{RecoveryTimes, RestoreTimes};
pub use self::query::{Env, Grouping, Interval, ReportQuery};
pub use self::report::{DeployedElsewhere, Report};
pub use self::report_options::ReportOptions;
pub use self::row::{Row, RowSums};
pub use self::trailing::{NamedSums, Trailing, trailing};

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
    let ReportQuery { since, until, as_of, interval, .. } = *query;
    let periods = Periods::new(query);
    let tally = Tally::of(dataset, &periods, &query.env);
    let start = |period| interval.map(|_| periods.start(period));
    let deployed_elsewhere = other_envs::other_envs(dataset, &tally, &periods);
    let other_envs =
        if tally.is_empty() { other_envs(dataset, &periods) } else { other_envs::envs(&deployed_elsewhere) };
    by.map(|by| Report {
        since,
        until,
        as_of,
        confidence: CONFIDENCE,
        by,
        interval,
        rows: tally.rows(by, start),
        other_envs: other_envs.clone(),
        deployed_elsewhere: deployed_elsewhere.clone(),
    })
}

fn other_envs(dataset: &Dataset, periods: &Periods) -> Vec<String> {
    let all = Tally::of(dataset, periods, &Env::All);
    all.envs().into_iter().take(MOST_OTHER_ENVS).map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests;
