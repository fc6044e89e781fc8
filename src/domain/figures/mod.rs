//! The DORA figures, by both sets of definitions: the older one counts incidents, the newer one failed deployments.

mod by_key;
mod calendar;
mod change;
mod compute;
mod dataset;
mod dataset_failure;
mod deployment_index;
mod deployment_ref;
mod durations;
pub mod list;
mod names;
mod other_envs;
mod query;
mod recovery;
mod report;
mod report_options;
mod restored;
mod row;
mod sort;
mod sums;
mod tally;
mod trailing;

pub use self::calendar::CalendarInterval;
pub use self::change::{FigureChange, RowChange};
pub use self::compute::{CONFIDENCE, report, reports};
pub use self::dataset::{Dataset, DatasetBuilder, FailureTimes, FailureTraits, LinkedKeys};
pub use self::deployment_index::DeploymentIndex;
pub use self::durations::{RecoveryTimes, RestoreTimes};
pub use self::query::{Env, Grouping, Interval, ReportQuery};
pub use self::report::{DeployedElsewhere, Report};
pub use self::report_options::{ReportDefaults, ReportOptions};
pub use self::restored::{Restored, RestoredShare, RestoredShares};
pub use self::row::{LinkedIncidents, Row, RowHead};
pub use self::sort::SortBy;
pub use self::sums::RowSums;
pub use self::trailing::{NamedSums, Trailing};

#[cfg(test)]
pub(crate) mod tests;
