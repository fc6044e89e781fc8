//! The figures of one period in small parts. The gauges of `/metrics` are computed from sums of these parts.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::calendar::Periods;
use super::dataset::Dataset;
use super::names::NameId;
use super::row::RowSums;
use super::tally::Tally;
use super::{Env, Grouping, ReportQuery};
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

/// Computes the figures of `[since, until)`. The cost grows with the number of failures and deployments, and with the
/// number of different names that they have, but not with the product of the two.
pub fn trailing(dataset: &Dataset, since: Timestamp, until: Timestamp) -> Trailing<'_> {
    let (by, env, interval, timezone) = (Grouping::Service, Env::All, None, TimeZone::UTC);
    let periods = Periods::new(&ReportQuery { since, until, as_of: until, by, env, interval, timezone });
    let tally = Tally::of(dataset, &periods, &Env::All);
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
            let is_matched = tally.is_matched(kind, Grouping::Service, service);
            let mut sums = RowSums::default();
            sums.add_failures(kind, counted, is_matched);
            parts.push(NamedSums { service: text(service), team, env, severity, sums });
        }
    }
    Trailing { parts, severities }
}
