//! Incidents without a deployment in their env, whose services are deployed in another env. The usual reason: incidents
//! and pipelines use different names for the same env.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};

use super::calendar::Periods;
use super::dataset::Dataset;
use super::names::NameId;
use super::report::DeployedElsewhere;
use super::tally::Tally;

/// Maximum number of services and teams that are listed, and of envs for each of them.
const MOST_NAMED: usize = 10;

/// Service or team that an incident counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IncidentOwner {
    Service(NameId),
    Team(NameId),
}

impl IncidentOwner {
    fn name(self) -> NameId {
        let (Self::Service(name) | Self::Team(name)) = self;
        name
    }
}

/// Services and teams that are deployed in other envs only, sorted by name, then env. At most ten.
pub(super) fn other_envs(dataset: &Dataset, tally: &Tally<'_>, periods: &Periods) -> Vec<DeployedElsewhere> {
    let unmatched = unmatched(dataset, tally);
    if unmatched.is_empty() {
        return Vec::new();
    }
    let text = |name| dataset.names().text(name);
    let mut deployed_by: HashMap<IncidentOwner, BTreeMap<&str, usize>> =
        unmatched.iter().map(|(owner, _)| (*owner, BTreeMap::new())).collect();
    for (kind, line) in dataset.deployment_index.kinds.iter().zip(&dataset.deployment_index.timelines) {
        let team = kind.team.map(IncidentOwner::Team);
        for owner in [IncidentOwner::Service(kind.service)].into_iter().chain(team) {
            let Some(by_env) = deployed_by.get_mut(&owner) else { continue };
            let made = line.ends().filter(|(finished_at, _)| periods.index(*finished_at).is_some()).count();
            if made > 0 {
                *by_env.entry(text(kind.env)).or_default() += made;
            }
        }
    }
    let elsewhere = |(owner, env): &(IncidentOwner, NameId)| {
        let mut others: Vec<(&str, usize)> =
            deployed_by.get(owner)?.iter().map(|(env, made)| (*env, *made)).collect();
        others.sort_by_key(|(env, made)| (std::cmp::Reverse(*made), *env));
        let other_envs: Vec<String> =
            others.into_iter().take(MOST_NAMED).map(|(env, _)| env.to_owned()).collect();
        let (name, env) = (text(owner.name()).to_owned(), text(*env).to_owned());
        (!other_envs.is_empty()).then_some(DeployedElsewhere { name, env, other_envs })
    };
    let mut found: Vec<DeployedElsewhere> = unmatched.iter().filter_map(elsewhere).collect();
    found.sort_unstable_by(|a, b| (&a.name, &a.env).cmp(&(&b.name, &b.env)));
    found.dedup();
    found.truncate(MOST_NAMED);
    found
}

/// The envs that services and teams are deployed in instead, each once.
pub(super) fn envs(other_envs: &[DeployedElsewhere]) -> Vec<String> {
    let envs: BTreeSet<&String> = other_envs.iter().flat_map(|other_envs| &other_envs.other_envs).collect();
    envs.into_iter().cloned().collect()
}

/// Services and teams that have incidents in an env, and no deployment there in the whole period.
fn unmatched(dataset: &Dataset, tally: &Tally<'_>) -> HashSet<(IncidentOwner, NameId)> {
    let mut unmatched = HashSet::default();
    for ((_, kind), counted) in &tally.failures {
        let kind = &dataset.kinds[*kind as usize];
        if !kind.counts() || counted.matched == counted.begun {
            continue;
        }
        let team = kind.team.filter(|_| kind.services.is_empty()).map(IncidentOwner::Team);
        for owner in kind.services.iter().copied().map(IncidentOwner::Service).chain(team) {
            let own = match owner {
                IncidentOwner::Service(service) => dataset.deployment_index.of_service(kind.env, service),
                IncidentOwner::Team(team) => dataset.deployment_index.of_team(kind.env, team),
            };
            if !own.iter().any(|made| tally.deployed.contains(made)) {
                unmatched.insert((owner, kind.env));
            }
        }
    }
    unmatched
}
