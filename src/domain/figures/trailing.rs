//! The figures of one period in small parts, as gauges have them: what they show is added up from these.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::basis::Basis;
use super::calendar::Periods;
use super::durations::Durations;
use super::names::Name;
use super::tally::Tally;
use super::{By, Env, Question, Row};
use crate::domain::timestamp::Timestamp;

/// Failures that count, and have all of this in common.
#[derive(Debug)]
pub struct OfFailures<'a> {
    /// The services they count for.
    pub services: Vec<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The env.
    pub env: &'a str,
    /// The severity.
    pub severity: Option<&'a str>,
    /// How many began in the period.
    pub incidents: usize,
    /// How long those took that ended in it.
    pub restored: Durations,
}

/// Deployments that ended in the period, and have all of this in common.
#[derive(Debug)]
pub struct OfDeployments<'a> {
    /// What was deployed.
    pub service: &'a str,
    /// Whose it is.
    pub team: Option<&'a str>,
    /// Where to.
    pub env: &'a str,
    /// How many there are.
    pub deployments: usize,
}

/// The figures of one period.
#[derive(Debug)]
pub struct Trailing<'a> {
    /// Several may have the same names.
    pub failures: Vec<OfFailures<'a>>,
    /// Each has other names.
    pub deployments: Vec<OfDeployments<'a>>,
    /// The rows of each env, by service.
    pub by_service: Vec<(&'a str, Vec<Row>)>,
}

/// Computes the figures of `[since, until)`.
pub fn trailing(basis: &Basis, since: Timestamp, until: Timestamp) -> Trailing<'_> {
    let (by, env, interval, timezone) = (By::Service, Env::All, None, TimeZone::UTC);
    let periods = Periods::new(&Question { since, until, by, env, interval, timezone });
    let mut tally = Tally::of(basis, &periods, &Env::All);
    let text = |name: Name| basis.names().text(name);
    let mut envs: Vec<Name> =
        tally.failures.keys().map(|(_, kind)| basis.kinds[*kind as usize].env).collect();
    envs.extend(tally.deployments.keys().map(|(_, kind)| basis.deployed.kinds[*kind as usize].env));
    envs.sort_unstable_by_key(|name| text(*name));
    envs.dedup();
    let by_service = envs.into_iter().map(|env| (text(env), tally.rows(By::Service, Some(env), |_| None)));
    let by_service = by_service.collect();
    let failures = tally.failures.drain().map(|((_, kind), counted)| (&basis.kinds[kind as usize], counted));
    let failures = failures.filter(|(kind, _)| kind.counts()).map(|(kind, counted)| OfFailures {
        services: kind.services.iter().copied().map(text).collect(),
        team: kind.team.map(text),
        env: text(kind.env),
        severity: kind.severity.map(text),
        incidents: counted.begun,
        restored: counted.restored,
    });
    let deployments = tally.deployments.iter().map(|((_, kind), counted)| {
        let kind = &basis.deployed.kinds[*kind as usize];
        let (service, team, env) = (text(kind.service), kind.team.map(text), text(kind.env));
        OfDeployments { service, team, env, deployments: counted.made }
    });
    Trailing { failures: failures.collect(), deployments: deployments.collect(), by_service }
}

impl Basis {
    /// How many failures and deployments each service has.
    pub fn services(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        let mut count = |name, many| *counts.entry(self.names().text(name)).or_default() += many;
        for (kind, failures) in self.kinds.iter().zip(&self.failures) {
            kind.services.iter().for_each(|service| count(*service, failures.len()));
        }
        for (kind, line) in self.deployed.kinds.iter().zip(&self.deployed.lines) {
            count(kind.service, line.len());
        }
        counts
    }
}
