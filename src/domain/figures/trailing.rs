//! The figures of one period in small parts. The gauges of `/metrics` are computed from sums of these parts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::calendar::Periods;
use super::dataset::{Dataset, FailureKind};
use super::names::NameId;
use super::sums::{FailureTally, RowSums};
use super::tally::{Scope, Tally};
use super::{Env, Grouping};
use crate::domain::timestamp::Timestamp;

/// Sums of failures that count, or of deployments, with the same names. A name is empty if they have none.
#[derive(Debug)]
pub struct NamedSums<'a> {
    /// The service. A failure of several services is in the sums of each.
    pub service: &'a str,
    /// The team.
    pub team: &'a str,
    /// The env.
    pub env: &'a str,
    /// The severity. Deployments have none.
    pub severity: &'a str,
    /// Sums that the figures are made of.
    pub sums: RowSums<'a>,
}

/// Counts of one period.
#[derive(Debug)]
pub struct Trailing<'a> {
    dataset: &'a Dataset,
    tally: Tally<'a>,
}

impl<'a> Trailing<'a> {
    /// Counts the failures and deployments of `[since, until)`, as of its end. The cost grows with the number of
    /// failures and deployments, and with the number of different names that they have, but not with the product of the
    /// two.
    pub fn of(dataset: &'a Dataset, since: Timestamp, until: Timestamp, link_window: Duration) -> Self {
        let periods = Periods::whole(since, until);
        let scope = Scope {
            env: &Env::All,
            service: None,
            team: None,
            matched_since: since,
            matched_until: until,
            as_of: until,
            link_window,
        };
        Self { dataset, tally: Tally::of(dataset, &periods, &scope) }
    }

    /// Sums of all failures that count, and of all deployments. Several parts may have the same names.
    pub fn parts(&self) -> Vec<NamedSums<'_>> {
        let mut parts = Vec::new();
        for ((_, kind), counted) in &self.tally.deployments {
            let kind = &self.dataset.deployment_index.kinds[*kind as usize];
            let (service, team, env) =
                (self.text(Some(kind.service)), self.text(kind.team), self.text(Some(kind.env)));
            let mut sums = RowSums::default();
            sums.add_deployments(counted);
            parts.push(NamedSums { service, team, env, severity: "", sums });
        }
        for (kind, counted) in self.failures() {
            let (team, env, severity) =
                (self.text(kind.team), self.text(Some(kind.env)), self.text(kind.severity));
            let services = kind.keys(Grouping::Service);
            let without_service = services.is_empty().then_some(None);
            for service in services.into_iter().chain(without_service) {
                let mut sums = RowSums::default();
                sums.add_failures(kind, counted);
                parts.push(NamedSums { service: self.text(service), team, env, severity, sums });
            }
        }
        parts
    }

    /// Number of failures of each severity that began or ended in the period. A failure of several services counts
    /// once.
    pub fn severities(&self) -> BTreeMap<&str, usize> {
        let mut severities = BTreeMap::new();
        for (kind, counted) in self.failures() {
            *severities.entry(self.text(kind.severity)).or_default() +=
                counted.begun + counted.restored.len();
        }
        severities
    }

    /// The counts of failures that are neither ignored nor merged.
    fn failures(&self) -> impl Iterator<Item = (&FailureKind, &FailureTally)> {
        let counted = self.tally.failures.iter();
        let counted = counted.map(|((_, kind), counted)| (&self.dataset.kinds[*kind as usize], counted));
        counted.filter(|(kind, _)| kind.counts())
    }

    fn text(&self, name: Option<NameId>) -> &str {
        name.map_or("", |name| self.dataset.names().text(name))
    }
}
