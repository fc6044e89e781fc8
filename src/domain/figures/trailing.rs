//! The figures of one period in small parts. The gauges of `/metrics` are sums of these parts.

use jiff::tz::TimeZone;

use super::calendar::Periods;
use super::dataset::{Dataset, FailureKind};
use super::durations::Durations;
use super::names::NameId;
use super::row::RowSums;
use super::tally::Tally;
use super::{Env, Grouping, ReportQuery};
use crate::domain::timestamp::Timestamp;

/// Figures of the failures that count and have the same services, team, env and severity.
#[derive(Debug)]
pub struct FailureGroup<'a> {
    /// The services they count for.
    pub services: Vec<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The env.
    pub env: &'a str,
    /// The severity.
    pub severity: Option<&'a str>,
    /// Incidents that began in the period.
    pub incidents: usize,
    /// Times to restore of the incidents that ended in it.
    pub restored: Durations,
}

/// Number of deployments that ended in the period and have the same service, team and env.
#[derive(Debug)]
pub struct DeploymentGroup<'a> {
    /// Service that was deployed.
    pub service: &'a str,
    /// Team that it belongs to.
    pub team: Option<&'a str>,
    /// Env that it was deployed to.
    pub env: &'a str,
    /// Number of deployments.
    pub deployments: usize,
}

/// The figures of one service and env.
#[derive(Debug)]
pub struct ServiceFigures<'a> {
    /// The service; `None` for failures without a service.
    pub service: Option<&'a str>,
    /// The env.
    pub env: &'a str,
    /// Sums that its figures are made of.
    pub sums: RowSums,
}

/// The figures of one period.
#[derive(Debug)]
pub struct Trailing<'a> {
    /// Failures by kind. Several entries may have the same services, team, env and severity.
    pub failures: Vec<FailureGroup<'a>>,
    /// Deployments by kind. Each combination of service, team and env has one entry.
    pub deployments: Vec<DeploymentGroup<'a>>,
    /// One for each service and env.
    pub by_service: Vec<ServiceFigures<'a>>,
}

/// Computes the figures of `[since, until)`. The cost grows with the number of failures and deployments, and with the
/// number of different names that they have, but not with the product of the two.
pub fn trailing(dataset: &Dataset, since: Timestamp, until: Timestamp) -> Trailing<'_> {
    let (by, env, interval, timezone) = (Grouping::Service, Env::All, None, TimeZone::UTC);
    let periods = Periods::new(&ReportQuery { since, until, by, env, interval, timezone });
    let mut tally = Tally::of(dataset, &periods, &Env::All);
    let text = |name: NameId| dataset.names().text(name);
    let keys = |kind: &FailureKind| match kind.keys(Grouping::Service) {
        services if services.is_empty() => vec![None],
        services => services,
    };
    let cells = tally.cells(Grouping::Service, text, keys);
    let by_service = cells.into_iter().filter(|(_, sums)| sums.counts_something());
    let by_service =
        by_service.map(|((env, _, service), sums)| ServiceFigures { service, env, sums }).collect();
    let failures =
        tally.failures.drain().map(|((_, kind), counted)| (&dataset.kinds[kind as usize], counted));
    let failures = failures.filter(|(kind, _)| kind.counts()).map(|(kind, counted)| FailureGroup {
        services: kind.services.iter().copied().map(text).collect(),
        team: kind.team.map(text),
        env: text(kind.env),
        severity: kind.severity.map(text),
        incidents: counted.begun,
        restored: counted.restored,
    });
    let deployments = tally.deployments.iter().map(|((_, kind), counted)| {
        let kind = &dataset.deployment_index.kinds[*kind as usize];
        let (service, team, env) = (text(kind.service), kind.team.map(text), text(kind.env));
        DeploymentGroup { service, team, env, deployments: counted.made }
    });
    Trailing { failures: failures.collect(), deployments: deployments.collect(), by_service }
}
