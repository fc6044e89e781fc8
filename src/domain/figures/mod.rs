//! The DORA figures, of both vocabularies: the older one counts incidents, the newer one deployments that failed.

mod asked;
mod calendar;
mod consequence;
mod durations;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use self::calendar::Periods;
use self::consequence::{Consequences, Recovery};
use self::durations::Durations;
use super::deployment::{Deployment, Deployments};
use super::failure::{Failure, State};
use super::timestamp::Timestamp;

pub use self::asked::Asked;
pub use self::durations::{RecoveryTimes, RestoreTimes};

/// What rows are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A failure of several services counts in each; one without counts in none.
    Service,
    /// What has no team is in no row.
    Team,
    /// Of use with all envs.
    Env,
    /// Of failures only. Those without a severity are in a row without a key.
    Severity,
    /// Each failure and each deployment counts once.
    None,
}

impl By {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Service, Self::Team, Self::Env, Self::Severity, Self::None];

    /// Reads the word for it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }

    /// The word for it in options and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Team => "team",
            Self::Env => "env",
            Self::Severity => "severity",
            Self::None => "none",
        }
    }

    fn keys_of_failure(self, failure: &Failure) -> BTreeSet<Option<&str>> {
        match self {
            Self::Service => failure.services.iter().map(|service| Some(service.as_str())).collect(),
            Self::Team => failure.team.iter().map(|team| Some(team.as_str())).collect(),
            Self::Env => BTreeSet::from([Some(failure.env.as_str())]),
            Self::Severity => BTreeSet::from([failure.severity.as_deref()]),
            Self::None => BTreeSet::from([None]),
        }
    }

    fn keys_of_deployment(self, deployment: &Deployment) -> Vec<Option<&str>> {
        match self {
            Self::Service => vec![Some(&deployment.service)],
            Self::Team => deployment.team.iter().map(|team| Some(team.as_str())).collect(),
            Self::Env => vec![Some(&deployment.env)],
            Self::Severity => Vec::new(),
            Self::None => vec![None],
        }
    }
}

/// What a period is divided into. Each begins where the time zone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// From midnight on, however long it is.
    Day,
    /// From Monday on, as ISO 8601 has it.
    Week,
    /// From the first on.
    Month,
}

impl Interval {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Reads the word for it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text)
    }

    /// The word for it in options and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Whose failures and deployments count. A failure is never held against a deployment to another env.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Env {
    /// Those of this env.
    One(String),
    /// Those of all: each env is paired with itself, and the figures are added up.
    All,
}

impl Env {
    /// Reads an env's name, or `all`.
    pub fn parse(text: &str) -> Self {
        if text == "all" { Self::All } else { Self::One(text.to_owned()) }
    }

    fn has(&self, env: &str) -> bool {
        match self {
            Self::One(one) => one == env,
            Self::All => true,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where the period begins.
    pub since: Timestamp,
    /// Where it ends; that moment is outside.
    pub until: Timestamp,
    /// What rows are made by.
    pub by: By,
    /// Whose failures and deployments count.
    pub env: Env,
    /// What the period is divided into. Each interval is reported as if it were the whole period.
    pub interval: Option<Interval>,
    /// Where days, weeks and months begin (`dora.timezone`).
    pub timezone: TimeZone,
}

/// The figures, as the API and `--format json` show them. What there is nothing to compute from is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where the period begins.
    pub since: Timestamp,
    /// Where it ends; that moment is outside.
    pub until: Timestamp,
    /// What rows are made by.
    pub by: By,
    /// What the period is divided into.
    pub interval: Option<Interval>,
    /// By period, then key. There are none that have nothing in them.
    pub rows: Vec<Row>,
}

/// The figures of one service, team, env or severity (or of all), in one interval (or the whole period).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which service, team, env or severity; null where rows are made by nothing, or there is no severity.
    pub key: Option<String>,
    /// Where the row's interval begins: the first one where the whole period does. Null without intervals.
    pub period: Option<Timestamp>,
    /// Failures, completed or open, that began in the period.
    pub incidents: usize,
    /// Those of them that have not ended.
    pub open: usize,
    /// Failures that began in the period and do not count, by some rule. They are in no other figure.
    pub ignored: usize,
    /// Incidents of services and teams without a deployment in the period.
    pub unmatched_incidents: usize,
    /// Deployments that ended in the period.
    pub deployments: usize,
    /// Those of them that an incident is linked to, whenever it began.
    pub failed_deployments: usize,
    /// Incidents, without the unmatched ones, per deployment. May exceed 1 (Datadog until 2025).
    pub change_failure_rate: Option<f64>,
    /// Failed deployments per deployment: at most 1 (dora.dev, Datadog since 2026).
    pub change_fail_rate: Option<f64>,
    /// Deployments that were made to mend an incident, per deployment (dora.dev).
    pub deployment_rework_rate: Option<f64>,
    /// How long the incidents took that ended in the period. The mean is MTTR.
    pub time_to_restore_seconds: RestoreTimes,
    /// From a failed deployment's end to the end of the first unbroken stretch of its incidents (dora.dev).
    pub failed_deployment_recovery_time_seconds: RecoveryTimes,
}

/// Whether it counts: neither ignored nor merged into another.
fn counts(failure: &Failure) -> bool {
    matches!(failure.state, State::Open | State::Completed)
}

/// Computes the figures.
///
/// `failures`: all that overlap the period or may be linked to a deployment in it, also ignored and merged ones, in
/// any order, with the linked deployment's id in `deployment`. `deployments`: those that ended in the period, and
/// those before and after it that could have mended a failure.
pub fn report(question: &Question, failures: &[Failure], deployments: &Deployments) -> Report {
    let periods = Periods::new(question);
    let is_asked_for = |failure: &&Failure| question.env.has(&failure.env) && failure.state != State::Merged;
    let failures: Vec<&Failure> = failures.iter().filter(is_asked_for).collect();
    let incidents: Vec<&Failure> = failures.iter().copied().filter(|failure| counts(failure)).collect();
    let deployments: Vec<&Deployment> =
        deployments.as_slice().iter().filter(|deployment| question.env.has(&deployment.env)).collect();
    let consequences = Consequences::of(&incidents, &deployments);

    let mut cells: Cells<'_> = BTreeMap::new();
    let mut deployers = HashSet::new();
    for deployment in deployments {
        let Some(period) = periods.index(deployment.finished_at) else { continue };
        let env = deployment.env.as_str();
        deployers.insert((period, env, Deployer::Service(&deployment.service)));
        deployers.extend(deployment.team.iter().map(|team| (period, env, Deployer::Team(team))));
        for key in question.by.keys_of_deployment(deployment) {
            cells.entry((period, key)).or_default().add_deployment(deployment, &consequences);
        }
    }
    for failure in failures {
        for key in question.by.keys_of_failure(failure) {
            if let Some(period) = periods.index(failure.started_at) {
                let is_matched = deployers_of(failure, question.by, key)
                    .into_iter()
                    .any(|deployer| deployers.contains(&(period, failure.env.as_str(), deployer)));
                cells.entry((period, key)).or_default().add_start(failure, is_matched);
            }
            if let Some((period, nanos)) = restored(failure, &periods) {
                cells.entry((period, key)).or_default().restore_times.push(nanos);
            }
        }
    }
    let period = |index| question.interval.map(|_| periods.start(index));
    Report {
        since: question.since,
        until: question.until,
        by: question.by,
        interval: question.interval,
        rows: cells.into_iter().map(|((index, key), cell)| cell.row(key, period(index))).collect(),
    }
}

/// By the number of the period, and the row's key.
type Cells<'a> = BTreeMap<(usize, Option<&'a str>), Cell>;

/// Who made a deployment.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Deployer<'a> {
    Service(&'a str),
    Team(&'a str),
}

/// Whose deployments an incident is compared with in a row: those of the row's service or team. Other rows hold
/// several of these, so there its own services decide, or its team where it has none, just as when it is linked.
fn deployers_of<'a>(failure: &'a Failure, by: By, key: Option<&'a str>) -> Vec<Deployer<'a>> {
    match (by, key) {
        (By::Service, Some(service)) => vec![Deployer::Service(service)],
        (By::Team, Some(team)) => vec![Deployer::Team(team)],
        _ if failure.services.is_empty() => {
            failure.team.iter().map(|team| Deployer::Team(team.as_str())).collect()
        }
        _ => failure.services.iter().map(|service| Deployer::Service(service.as_str())).collect(),
    }
}

/// In which period an incident ended, and how many nanoseconds it took (rule 7), where its times are good.
fn restored(failure: &Failure, periods: &Periods) -> Option<(usize, i64)> {
    let period = periods.index(failure.finished_at?)?;
    let seconds = failure.time_to_restore_seconds?;
    (counts(failure) && failure.has_good_times()).then(|| (period, durations::nanos(seconds)))
}

/// What a row is made of.
#[derive(Debug, Default)]
struct Cell {
    incidents: usize,
    open: usize,
    ignored: usize,
    unmatched_incidents: usize,
    deployments: usize,
    failed_deployments: usize,
    remediations: usize,
    restore_times: Durations,
    recovery_times: Durations,
    open_recoveries: usize,
}

impl Cell {
    fn add_start(&mut self, failure: &Failure, is_matched: bool) {
        if !counts(failure) {
            self.ignored += 1;
            return;
        }
        self.incidents += 1;
        self.open += usize::from(failure.state == State::Open);
        self.unmatched_incidents += usize::from(!is_matched);
    }

    fn add_deployment(&mut self, deployment: &Deployment, consequences: &Consequences<'_>) {
        self.deployments += 1;
        self.remediations += usize::from(consequences.is_remediation(deployment));
        let Some(recovery) = consequences.recovery(deployment) else { return };
        self.failed_deployments += 1;
        match recovery {
            Recovery::After(nanos) => self.recovery_times.push(nanos),
            Recovery::Open => self.open_recoveries += 1,
            Recovery::Unknown => {}
        }
    }

    fn row(self, key: Option<&str>, period: Option<Timestamp>) -> Row {
        Row {
            key: key.map(str::to_owned),
            period,
            incidents: self.incidents,
            open: self.open,
            ignored: self.ignored,
            unmatched_incidents: self.unmatched_incidents,
            deployments: self.deployments,
            failed_deployments: self.failed_deployments,
            change_failure_rate: ratio(self.incidents - self.unmatched_incidents, self.deployments),
            change_fail_rate: ratio(self.failed_deployments, self.deployments),
            deployment_rework_rate: ratio(self.remediations, self.deployments),
            time_to_restore_seconds: self.restore_times.into(),
            failed_deployment_recovery_time_seconds: RecoveryTimes::new(
                self.recovery_times,
                self.open_recoveries,
            ),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 deployments")]
fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
