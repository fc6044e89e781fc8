//! The figures of one period in small parts. The gauges of `/metrics` are computed from sums of these parts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::calendar::Periods;
use super::dataset::Dataset;
use super::names::NameId;
use super::sums::RowSums;
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
    pub sums: RowSums,
}

/// The figures of one period.
#[derive(Debug)]
pub struct Trailing<'a> {
    /// All failures and deployments. Several parts may have the same names.
    pub parts: Vec<NamedSums<'a>>,
    /// Number of failures of each severity that began or ended in the period. A failure of several services counts
    /// once.
    pub severities: BTreeMap<&'a str, usize>,
}

/// Computes the figures of `[since, until)`, as of its end. The cost grows with the number of failures and deployments,
/// and with the number of different names that they have, but not with the product of the two.
pub fn trailing(
    dataset: &Dataset,
    since: Timestamp,
    until: Timestamp,
    link_window: Duration,
) -> Trailing<'_> {
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
    let tally = Tally::of(dataset, &periods, &scope);
    let text = |name: Option<NameId>| name.map_or("", |name| dataset.names().text(name));
    let (mut parts, mut severities) = (Vec::new(), BTreeMap::new());
    for ((_, kind), counted) in &tally.deployments {
        let kind = &dataset.deployment_index.kinds[*kind as usize];
        let (service, team, env) = (text(Some(kind.service)), text(kind.team), text(Some(kind.env)));
        let mut sums = RowSums::default();
        sums.add_deployments(counted);
        parts.push(NamedSums { service, team, env, severity: "", sums });
    }
    for ((_, kind), counted) in &tally.failures {
        let kind = &dataset.kinds[*kind as usize];
        if !kind.counts() {
            continue;
        }
        let (team, env, severity) = (text(kind.team), text(Some(kind.env)), text(kind.severity));
        *severities.entry(severity).or_default() += counted.begun + counted.restored.len();
        let services = kind.keys(Grouping::Service);
        let without_service = services.is_empty().then_some(None);
        for service in services.into_iter().chain(without_service) {
            let mut sums = RowSums::default();
            sums.add_failures(kind, counted);
            parts.push(NamedSums { service: text(service), team, env, severity, sums });
        }
    }
    Trailing { parts, severities }
}
