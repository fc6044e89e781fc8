//! Incidents without a deployment, whose services are deployed in another env. Most often incidents and pipelines name the
//! same env differently then.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};

use super::answer::Elsewhere;
use super::basis::Basis;
use super::calendar::Periods;
use super::names::Name;
use super::tally::Tally;

/// More lines help nobody to find the mistake.
const MOST_NAMED: usize = 10;

/// Owner of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Service(Name),
    Team(Name),
}

impl Whose {
    fn name(self) -> Name {
        let (Self::Service(name) | Self::Team(name)) = self;
        name
    }
}

/// By name, then env; at most ten.
pub(super) fn elsewhere(basis: &Basis, tally: &Tally<'_>, periods: &Periods) -> Vec<Elsewhere> {
    let unmatched = unmatched(basis, tally);
    if unmatched.is_empty() {
        return Vec::new();
    }
    let text = |name| basis.names().text(name);
    let mut made_by: HashMap<Whose, BTreeMap<&str, usize>> =
        unmatched.iter().map(|(whose, _)| (*whose, BTreeMap::new())).collect();
    for (kind, line) in basis.deployed.kinds.iter().zip(&basis.deployed.lines) {
        let team = kind.team.map(Whose::Team);
        for whose in [Whose::Service(kind.service)].into_iter().chain(team) {
            let Some(by_env) = made_by.get_mut(&whose) else { continue };
            let made = line.ends().filter(|(finished_at, _)| periods.index(*finished_at).is_some()).count();
            if made > 0 {
                *by_env.entry(text(kind.env)).or_default() += made;
            }
        }
    }
    let told = |(whose, env): &(Whose, Name)| {
        let mut others: Vec<(&str, usize)> =
            made_by.get(whose)?.iter().map(|(env, made)| (*env, *made)).collect();
        others.sort_by_key(|(env, made)| (std::cmp::Reverse(*made), *env));
        let other_envs: Vec<String> =
            others.into_iter().take(MOST_NAMED).map(|(env, _)| env.to_owned()).collect();
        let (name, env) = (text(whose.name()).to_owned(), text(*env).to_owned());
        (!other_envs.is_empty()).then_some(Elsewhere { name, env, other_envs })
    };
    let mut found: Vec<Elsewhere> = unmatched.iter().filter_map(told).collect();
    found.sort_unstable_by(|a, b| (&a.name, &a.env).cmp(&(&b.name, &b.env)));
    found.dedup();
    found.truncate(MOST_NAMED);
    found
}

/// The envs that services and teams are deployed in instead, each once.
pub(super) fn envs(elsewhere: &[Elsewhere]) -> Vec<String> {
    let envs: BTreeSet<&String> = elsewhere.iter().flat_map(|elsewhere| &elsewhere.other_envs).collect();
    envs.into_iter().cloned().collect()
}

/// Services and teams that have incidents in an env, and no deployment there in the whole time.
fn unmatched(basis: &Basis, tally: &Tally<'_>) -> HashSet<(Whose, Name)> {
    let deployed: HashSet<u32> = tally.deployments.keys().map(|(_, kind)| *kind).collect();
    let mut unmatched = HashSet::default();
    for ((_, kind), counted) in &tally.failures {
        let kind = &basis.kinds[*kind as usize];
        if !kind.counts() || counted.begun == 0 {
            continue;
        }
        let team = kind.team.filter(|_| kind.services.is_empty()).map(Whose::Team);
        for whose in kind.services.iter().copied().map(Whose::Service).chain(team) {
            let own = match whose {
                Whose::Service(service) => basis.deployed.of_service(kind.env, service),
                Whose::Team(team) => basis.deployed.of_team(kind.env, team),
            };
            if !own.iter().any(|made| deployed.contains(made)) {
                unmatched.insert((whose, kind.env));
            }
        }
    }
    unmatched
}
